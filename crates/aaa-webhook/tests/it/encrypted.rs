//! The accept loop behind TLS.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aaa_webhook::{
    receiver::Receiver,
    server::{Limits, Server, Tls, TlsError},
    signature::{HEADER, Signature},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use crate::support::{BODY, Behaviour, PATH, TestInbox, app};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
}

/// A directory whose files can be replaced.
struct Files(tempfile::TempDir);

impl Files {
    fn new(name: &str) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.put(name);
        files
    }

    fn chain(&self) -> PathBuf {
        self.0.path().join("chain.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    fn put(&self, name: &str) {
        fs::copy(file(&format!("{name}.pem")), self.chain()).unwrap();
        fs::copy(file(&format!("{name}.key.pem")), self.key()).unwrap();
    }
}

async fn start(tls: Tls, limits: Limits) -> (SocketAddr, TestInbox) {
    let inbox = TestInbox::new(Behaviour::Store);
    let receiver = Receiver::new(inbox.clone(), app());
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let server = server.with_limits(limits).with_tls(tls);
    let (address, status) = (server.local_addr(), receiver.status());
    tokio::spawn(server.serve(receiver.router(PATH), status, std::future::pending()));
    (address, inbox)
}

/// Connects, and trusts one certificate only.
async fn connect(address: SocketAddr, trusted: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file(&format!("{trusted}.pem"))).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
    tokio::time::timeout(Duration::from_secs(20), connected).await.expect("no greeting")
}

/// Sends a delivery over a connection that stays open, and returns the start of the answer.
async fn deliver(stream: &mut TlsStream<TcpStream>) -> String {
    let (signature, length) = (Signature::of(app().active(), BODY.as_bytes()), BODY.len());
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\n{HEADER}: {signature}\r\ncontent-length: {length}\r\n\r\n{BODY}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    let read = stream.read_exact(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("no answer").unwrap();
    // The rest of the head; the body is empty.
    let mut rest = vec![0; 4096];
    let _ = stream.read(&mut rest).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn renewed_files_are_taken_and_open_connections_go_on() {
    let files = Files::new("first");
    let tls = Tls::from_files(files.chain(), files.key()).unwrap();
    let (address, inbox) = start(tls.clone(), Limits::default()).await;
    let mut old = connect(address, "first").await.unwrap();
    assert_eq!(deliver(&mut old).await, "HTTP/1.1 200");
    assert!(connect(address, "second").await.is_err());
    assert_eq!(tls.reload(), Ok(false), "nothing has changed");

    files.put("second");
    assert_eq!(tls.reload(), Ok(true));
    assert!(connect(address, "first").await.is_err());
    let mut new = connect(address, "second").await.unwrap();
    assert_eq!(deliver(&mut new).await, "HTTP/1.1 200");
    assert_eq!(deliver(&mut old).await, "HTTP/1.1 200");
    assert_eq!(inbox.bodies.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn broken_files_change_nothing() {
    let files = Files::new("first");
    let tls = Tls::from_files(files.chain(), files.key()).unwrap();
    let (address, _) = start(tls.clone(), Limits::default()).await;
    // Half a renewal: the key is still the old one.
    fs::copy(file("second.pem"), files.chain()).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Unfit { .. })));
    fs::write(files.chain(), "").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::NoCertificate { .. })));
    fs::remove_file(files.chain()).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Unreadable { .. })));
    let mut stream = connect(address, "first").await.unwrap();
    assert_eq!(deliver(&mut stream).await, "HTTP/1.1 200");
    // The other half comes.
    files.put("second");
    assert_eq!(tls.reload(), Ok(true));
    let mut stream = connect(address, "second").await.unwrap();
    assert_eq!(deliver(&mut stream).await, "HTTP/1.1 200");
}

#[test]
fn errors_name_the_file_and_tell_no_key() {
    let files = Files::new("first");
    fs::write(files.key(), "-----BEGIN PRIVATE KEY-----\nhush\n").unwrap();
    let error = Tls::from_files(files.chain(), files.key()).unwrap_err();
    assert!(error.to_string().contains("key.pem` holds no private key"), "{error}");
    let swapped = Tls::from_files(files.key(), files.chain()).unwrap_err();
    assert!(matches!(swapped, TlsError::NoCertificate { .. }), "{swapped}");
    let both = Tls::from_files(file("first.pem"), file("second.key.pem")).unwrap_err();
    assert!(both.to_string().starts_with("certificate and key cannot be used together"), "{both}");
    let tls = Tls::from_files(file("first.pem"), file("first.key.pem")).unwrap();
    for shown in [format!("{error:?} {error}"), format!("{tls:?}")] {
        assert!(!shown.contains("hush") && !shown.contains("BEGIN PRIVATE KEY-----\n"), "{shown}");
    }
}

/// A full server does not wait for greetings.
#[tokio::test]
async fn who_does_not_greet_keeps_nobody_out() {
    let tls = Tls::from_files(file("first.pem"), file("first.key.pem")).unwrap();
    let mut limits = Limits::default();
    limits.connections = 1;
    limits.header_time = Duration::from_secs(3600);
    limits.drain_time = Duration::from_secs(3600);
    let (address, _) = start(tls, limits).await;
    let _silent = TcpStream::connect(address).await.unwrap();
    let mut stream = connect(address, "first").await.unwrap();
    assert_eq!(deliver(&mut stream).await, "HTTP/1.1 200");
}

/// Over TLS as well.
#[tokio::test]
async fn a_slow_head_is_answered() {
    let tls = Tls::from_files(file("first.pem"), file("first.key.pem")).unwrap();
    let mut limits = Limits::default();
    limits.header_time = Duration::from_millis(500);
    let (address, _) = start(tls, limits).await;
    let mut stream = connect(address, "first").await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\n").await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("it stays open").unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

/// Who does not greet has no place for ever, and plain text is no greeting.
#[tokio::test]
async fn no_greeting_is_cut_off() {
    let tls = Tls::from_files(file("first.pem"), file("first.key.pem")).unwrap();
    let mut limits = Limits::default();
    limits.header_time = Duration::from_millis(100);
    let (address, inbox) = start(tls, limits).await;
    for sent in ["", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(20), read).await.expect("it stays open");
        assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
    }
    assert!(inbox.bodies.lock().unwrap().is_empty());
}
