//! A tiny HTTP server that answers from a script and remembers what it was asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use aaa_client::{ApiUrl, Client, RetryPolicy, Timeouts};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What a connection does once the request is there.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Writes these bytes and closes.
    Raw(Vec<u8>),
    /// Closes without a word.
    Close,
    /// Keeps the connection open and says nothing.
    Silence,
}

impl Reply {
    /// A whole answer.
    pub(crate) fn new(status: u16, headers: &[&str], body: &str) -> Self {
        let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        for header in headers {
            head += header;
            head += "\r\n";
        }
        Self::Raw(format!("{head}connection: close\r\n\r\n{body}").into_bytes())
    }
}

/// One request, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The first line, without the version.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers request after request from the script, and the last reply for ever.
    pub(crate) async fn start(script: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log) = (script.to_vec(), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            let mut open = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let Some(request) = read(&mut stream).await else {
                    continue;
                };
                let index = {
                    let mut log = log.lock().unwrap();
                    log.push(request);
                    log.len() - 1
                };
                match script.get(index).or(script.last()).unwrap() {
                    // The client may have heard enough before everything is written.
                    Reply::Raw(bytes) => drop(stream.write_all(bytes).await),
                    Reply::Close => {}
                    Reply::Silence => open.push(stream),
                }
            }
        });
        Self { address, seen, task }
    }

    pub(crate) fn client(&self) -> Client {
        client(&format!("http://{}", self.address))
    }

    /// What was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client with every credential, and with time-outs that no healthy test meets.
pub(crate) fn client(api: &str) -> Client {
    let api: ApiUrl = api.parse().unwrap();
    Client::builder(api)
        .consumer(aaa_auth::Consumer::new("app".parse().unwrap(), "app-secret".parse().unwrap()))
        .bearer("AAAA".parse().unwrap())
        .retry(RetryPolicy::none())
        .timeouts(Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(5) })
        .build()
        .unwrap()
}

/// Reads one request.
pub(crate) async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let (head, mut body) = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            break (String::from_utf8(bytes).ok()?, body);
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut lines = head.lines();
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen { line, headers, body: String::from_utf8(body).ok()? })
}
