//! Where a user comes back to after giving permission: a page on loopback that waits for them.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aaa_auth::flow::{Callback, CallbackError, RequestToken, Verifier};
use axum::{
    Router,
    extract::{Request, State},
    response::{Html, IntoResponse, Response},
};
use http::{Method, StatusCode, header};
use tokio::{net::TcpListener, sync::oneshot, time::timeout};
use url::{Host, Url};

use crate::{
    exit::{Exit, Failure},
    output,
};

/// How long the browser may take to read its page.
const LAST_PAGE: Duration = Duration::from_secs(2);

/// A listener for one user who comes back.
#[derive(Debug)]
pub(super) struct Landing {
    listener: TcpListener,
    callback: Callback,
    url: Url,
}

impl Landing {
    /// Listens at the URL; port 0 becomes one that is free.
    ///
    /// # Errors
    ///
    /// Fails when the URL is not one on loopback, and when its port is taken.
    pub(super) async fn bind(text: &str) -> Result<Self, Failure> {
        let (mut url, ip) = parse(text).map_err(|why| {
            Exit::Usage.with(format!("the callback cannot be listened at: {why}"))
        })?;
        let port = url.port_or_known_default().unwrap_or(80);
        let listener = TcpListener::bind(SocketAddr::new(ip, port)).await;
        let address = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = address.map_err(|error| {
            Exit::Failed.of(&format!("could not listen on port {port} of {ip}"), error)
        })?;
        // X compares the callback with those in the app's settings, so it stays as it was written.
        let mut callback = text.to_owned();
        if port == 0 && url.set_port(Some(address.port())).is_ok() {
            callback = url.to_string();
        }
        let callback = callback.parse().map_err(|error| Exit::Usage.with(format!("{error}")))?;
        Ok(Self { listener, callback, url })
    }

    /// Returns the callback to ask for.
    pub(super) fn callback(&self) -> &Callback {
        &self.callback
    }

    /// Waits until the user comes back with the answer to this request. Whoever comes with
    /// something else is sent away, and does not end the waiting.
    ///
    /// # Errors
    ///
    /// Fails when the user did not give permission.
    pub(super) async fn wait(self, request: RequestToken) -> Result<Verifier, Failure> {
        let (sender, answer) = oneshot::channel();
        let door = Door {
            path: self.url.path().to_owned(),
            authority: self.url.authority().to_owned(),
            request,
            sender: Mutex::new(Some(sender)),
        };
        let app = Router::new().fallback(come_in).with_state(Arc::new(door));
        let (close, closed) = oneshot::channel::<()>();
        let serving = axum::serve(self.listener, app).with_graceful_shutdown(async {
            let _ = closed.await;
        });
        let mut server = tokio::spawn(serving.into_future());
        let answer = tokio::select! {
            answer = answer => answer,
            _ = &mut server => return Err(Exit::Failed.with("the callback's listener ended")),
        };
        drop(close);
        if timeout(LAST_PAGE, &mut server).await.is_err() {
            server.abort();
        }
        match answer {
            Ok(Ok(verifier)) => Ok(verifier),
            Ok(Err(error)) => Err(Exit::Refused.with(error.to_string())),
            Err(_) => Err(Exit::Failed.with("the callback's listener ended")),
        }
    }
}

/// Reads the URL and the address it stands for.
fn parse(text: &str) -> Result<(Url, IpAddr), &'static str> {
    let url = Url::parse(text).map_err(|_| "it is not an absolute URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must not contain a user or a password");
    }
    if url.scheme() != "http" {
        return Err("only `http` is listened at, on this machine");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it must have neither a query nor a fragment");
    }
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        Some(Host::Domain("localhost")) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => return Err("its host must be a loopback address or `localhost`"),
    };
    if !ip.is_loopback() {
        return Err("its host must be a loopback address or `localhost`");
    }
    Ok((url, ip))
}

/// Who is let in.
struct Door {
    path: String,
    authority: String,
    request: RequestToken,
    sender: Mutex<Option<oneshot::Sender<Result<Verifier, CallbackError>>>>,
}

async fn come_in(State(door): State<Arc<Door>>, request: Request) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if host != Some(door.authority.as_str()) {
        // A name that somebody else has pointed to this machine.
        return page(StatusCode::MISDIRECTED_REQUEST, "This is not the page you look for.");
    }
    if request.uri().path() != door.path {
        return page(StatusCode::NOT_FOUND, "There is nothing here.");
    }
    if request.method() != Method::GET {
        let refused = page(StatusCode::METHOD_NOT_ALLOWED, "This page can only be read.");
        return ([(header::ALLOW, "GET")], refused).into_response();
    }
    match door.request.verifier(request.uri().query().unwrap_or_default()) {
        Ok(verifier) => {
            door.tell(Ok(verifier));
            page(StatusCode::OK, "Permission has arrived. You can close this page.")
        }
        Err(CallbackError::Denied) => {
            door.tell(Err(CallbackError::Denied));
            page(StatusCode::OK, "You did not give permission. You can close this page.")
        }
        Err(error) => {
            output::note(format_args!("somebody was sent away who came to the callback: {error}"));
            let words = "This does not belong to the sign-in that is under way. Nothing was done.";
            page(StatusCode::BAD_REQUEST, words)
        }
    }
}

impl Door {
    /// Passes the first answer on; there is no second.
    fn tell(&self, answer: Result<Verifier, CallbackError>) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Whoever waited may have given up.
        let _ = sender.map(|sender| sender.send(answer));
    }
}

/// A page of fixed words, without scripts, styles or anything from elsewhere. Its address holds
/// the verifier, so that is told to nobody.
fn page(status: StatusCode, words: &'static str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>aaa</title>\
         </head>\n<body><p>{words}</p></body>\n</html>\n"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONNECTION, "close"),
    ];
    (status, headers, Html(html)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_one_can_listen() {
        for good in [
            "http://127.0.0.1:8765/callback",
            "http://127.0.0.1:0",
            "http://localhost:0/",
            "http://[::1]:0/x",
            "http://127.9.9.9/x",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/callback",
            "127.0.0.1:8765",
            "https://127.0.0.1/",
            "http://example.com/",
            "http://10.0.0.1:1/",
            "http://0.0.0.0:1/",
            "http://localhost.example.com/",
            "http://user@127.0.0.1/",
            "http://127.0.0.1/?x",
            "http://127.0.0.1/#x",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_free_port_takes_the_place_of_zero() {
        let landing = Landing::bind("http://127.0.0.1:0/callback").await.unwrap();
        let port = landing.listener.local_addr().unwrap().port();
        let expected = format!("http://127.0.0.1:{port}/callback");
        assert_eq!(landing.callback().as_str(), expected);
        // The other way round, what was written is kept, even without the slash at the end.
        drop(landing);
        let url = format!("http://127.0.0.1:{port}");
        assert_eq!(Landing::bind(&url).await.unwrap().callback().as_str(), url);
    }
}
