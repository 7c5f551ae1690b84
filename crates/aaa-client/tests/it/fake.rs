//! A transport that answers in the process itself: calls are counted, pauses are noted and over at
//! once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aaa_auth::{Consumer, UserCredential, UserToken};
use aaa_client::{ApiUrl, ApiVersion, Client, ClientBuilder, Transport, TransportError};
use bytes::Bytes;
use http::{Request, Response};

pub(crate) type Answered = Result<Response<Bytes>, TransportError>;

#[derive(Clone)]
pub(crate) struct FakeX(Arc<State>);

type Handler = dyn Fn(usize, &Request<Bytes>) -> Answered + Send + Sync;

struct State {
    handler: Box<Handler>,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    seen: Vec<String>,
    pauses: Vec<Duration>,
    under_way: usize,
    most_under_way: usize,
}

impl FakeX {
    /// Answers by the number of the call, from 0, and the request.
    pub(crate) fn new(
        handler: impl Fn(usize, &Request<Bytes>) -> Answered + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(State { handler: Box::new(handler), log: Mutex::default() }))
    }

    /// Answers from a script. A call too many fails.
    pub(crate) fn script(script: impl IntoIterator<Item = Answered>) -> Self {
        let script: Vec<_> = script.into_iter().collect();
        Self::new(move |number, request| match script.get(number) {
            Some(answer) => answer.clone(),
            None => Err(TransportError::unsendable(format!("not in the script: {request:?}"))),
        })
    }

    /// A client with every credential.
    pub(crate) fn client(&self, version: ApiVersion) -> Client<Self> {
        self.builder(version).build_with(self.clone())
    }

    pub(crate) fn builder(&self, version: ApiVersion) -> ClientBuilder {
        let api: ApiUrl = ApiUrl::X.parse().unwrap();
        ClientBuilder::new(api)
            .version(version)
            .consumer(Consumer::new("app-key".parse().unwrap(), "app-secret".parse().unwrap()))
            .owner(token("owner"))
            .bearer("AAAA%2Fbearer".parse().unwrap())
    }

    /// Each call so far: its method, path and query, and body.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.0.log.lock().unwrap().seen.clone()
    }

    pub(crate) fn pauses(&self) -> Vec<Duration> {
        self.0.log.lock().unwrap().pauses.clone()
    }

    /// How many calls were under way at once, at most.
    pub(crate) fn most_under_way(&self) -> usize {
        self.0.log.lock().unwrap().most_under_way
    }
}

impl Transport for FakeX {
    async fn send(&self, request: Request<Bytes>) -> Answered {
        let number = {
            let mut log = self.0.log.lock().unwrap();
            let target = request.uri().path_and_query().unwrap();
            let body = String::from_utf8_lossy(request.body());
            log.seen.push(format!("{} {target} {body}", request.method()).trim_end().to_owned());
            log.under_way += 1;
            log.most_under_way = log.most_under_way.max(log.under_way);
            log.seen.len() - 1
        };
        let answer = (self.0.handler)(number, &request);
        // Whoever else is ready goes first.
        tokio::task::yield_now().await;
        self.0.log.lock().unwrap().under_way -= 1;
        answer
    }

    fn pause(&self, duration: Duration) -> Option<impl Future<Output = ()> + Send> {
        self.0.log.lock().unwrap().pauses.push(duration);
        Some(tokio::task::yield_now())
    }
}

pub(crate) fn answer(status: u16, body: &str) -> Answered {
    with_headers(status, &[], body)
}

pub(crate) fn with_headers(status: u16, headers: &[(&str, &str)], body: &str) -> Answered {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    Ok(answer.body(Bytes::from(body.to_owned())).unwrap())
}

pub(crate) fn token(user: &str) -> UserToken {
    let (token, secret) = (format!("{user}-token"), format!("{user}-secret"));
    UserToken::new(token.parse().unwrap(), secret.parse().unwrap())
}

pub(crate) fn oauth2(user: &str) -> UserCredential {
    UserCredential::OAuth2(format!("{user}-oauth2").parse().unwrap())
}
