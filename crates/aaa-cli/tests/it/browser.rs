//! A user's browser, as far as a sign-in needs one: it reads a page, and sends the form on it.

use aaa_emulator::Emulator;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use url::{Url, form_urlencoded};

use crate::support::PATIENCE;

/// An answer.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Page {
    /// Returns where a redirect leads.
    pub(crate) fn location(&self) -> Url {
        let line = self.head.lines().find_map(|line| line.strip_prefix("location: "));
        line.unwrap_or_else(|| panic!("it leads nowhere: {self:?}")).parse().unwrap()
    }
}

/// Asks for a page; `head` is what stands in the request beside the usual.
pub(crate) async fn ask(method: &str, url: &Url, head: &str, body: &str) -> Page {
    let host = url.authority();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = if head.contains("host: ") { String::new() } else { format!("host: {host}\r\n") };
    let request = format!(
        "{method} {target} HTTP/1.1\r\n{host}{head}content-length: {}\r\nconnection: close\r\n\r\n\
         {body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Page { status, head: head.to_owned(), body: body.to_owned() }
}

pub(crate) async fn get(url: &Url) -> Page {
    ask("GET", url, "", "").await
}

/// Opens the page on which permission is given, fills in the form that is there, and sends it.
pub(crate) async fn decide(emulator: &Emulator, url: &str, user: u64, decision: &str) -> Page {
    assert!(url.starts_with(&emulator.url()), "{url}");
    let url: Url = url.parse().unwrap();
    let page = get(&url).await;
    assert_eq!(page.status, 200, "{page:?}");
    let hidden = |name: &str| {
        let (_, rest) = page.body.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("oauth_token", &hidden("oauth_token"))
        .append_pair("authenticity_token", &hidden("authenticity_token"))
        .append_pair("user_id", &user.to_string())
        .append_pair("decision", decision)
        .finish();
    let action = page.body.split_once("action=\"").unwrap().1.split('"').next().unwrap();
    let head = "content-type: application/x-www-form-urlencoded\r\n";
    ask("POST", &url.join(action).unwrap(), head, &form).await
}

/// Reads the PIN off the page.
pub(crate) fn pin(page: &Page) -> String {
    let (_, rest) = page.body.split_once("<code>").unwrap();
    rest.split('<').next().unwrap().to_owned()
}
