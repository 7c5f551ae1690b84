//! A webhook on loopback that answers challenges, and swallows deliveries if told to.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use aaa_emulator::credentials::CONSUMER_SECRET;
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

pub(super) struct Receiver {
    address: SocketAddr,
    mood: Arc<Mood>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Mood {
    /// Challenges are answered wrongly, which makes a webhook invalid at once.
    broken: AtomicBool,
    /// Deliveries are never answered.
    silent: AtomicBool,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mood = Arc::<Mood>::default();
        let shared = Arc::clone(&mood);
        let task = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        Self { address, mood, task }
    }

    pub(super) fn url(&self, path: &str) -> aaa_types::WebhookUrl {
        format!("http://{}/{path}", self.address).parse().unwrap()
    }

    pub(super) fn fail_challenges(&self, fail: bool) {
        self.mood.broken.store(fail, SeqCst);
    }

    pub(super) fn swallow_deliveries(&self) {
        self.mood.silent.store(true, SeqCst);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, mood: Arc<Mood>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        if !matches!(stream.read_buf(&mut head).await, Ok(1..)) {
            return;
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let challenge = head.split_once("crc_token=").map(|(_, rest)| rest);
    let (status, body) = match challenge {
        Some(_) if mood.broken.load(SeqCst) => (200, response("another")),
        Some(rest) => (200, response(rest.split(['&', ' ']).next().unwrap())),
        None if mood.silent.load(SeqCst) => return std::future::pending().await,
        None => (200, String::new()),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    // Whoever asked may be gone.
    drop(stream.write_all(answer.as_bytes()).await);
}

fn response(token: &str) -> String {
    let token = percent_encoding::percent_decode_str(token).decode_utf8().unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(CONSUMER_SECRET.as_bytes()).unwrap();
    mac.update(token.as_bytes());
    let token = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    format!(r#"{{"response_token":"sha256={token}"}}"#)
}
