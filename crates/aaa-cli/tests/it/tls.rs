//! `aaa listen --tls-cert --tls-key`.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use crate::support::{PATIENCE, Server, aaa, run};

/// The certificates that the receiver's own tests use.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../aaa-webhook/tests/it/tls").join(name)
}

fn put(directory: &Path, name: &str) {
    fs::copy(file(&format!("{name}.pem")), directory.join("chain.pem")).unwrap();
    fs::copy(file(&format!("{name}.key.pem")), directory.join("key.pem")).unwrap();
}

/// Asks over TLS, and returns the status; nothing when the certificate is another one.
async fn status(url: &str, trusted: &str) -> Option<u16> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file(&format!("{trusted}.pem"))).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = url.strip_prefix("https://").expect("the URL says that it is TLS");
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    let request = "PUT /webhooks/twitter HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    timeout(PATIENCE, read).await.expect("no answer").unwrap();
    answer.split(' ').nth(1)?.parse().ok()
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_when_told() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), "first");
    let args = ["--tls-cert", "chain.pem", "--tls-key", "key.pem", "--format", "json"];
    let mut command = aaa(directory.path(), &["listen", "--bind", "127.0.0.1:0"]);
    command
        .args(args)
        .env("X_CONSUMER_SECRET", "main-secret")
        .env("X_API_URL", "http://127.0.0.1:9");
    let mut server = Server::start(command).await;
    let mut log = BufReader::new(server.child.stderr.take().unwrap()).lines();
    assert_eq!(status(&server.url, "first").await, Some(405));
    assert_eq!(status(&server.url, "second").await, None);

    let pid = i32::try_from(server.child.id().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    let hang_up = || rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    let mut told = async |words: &str| {
        let line = async {
            while !log.next_line().await.unwrap().expect("the listener ended").contains(words) {}
        };
        timeout(PATIENCE, line).await.unwrap_or_else(|_| panic!("not told: {words}"));
    };
    // Half a renewal, then all of it.
    fs::copy(file("second.pem"), directory.path().join("chain.pem")).unwrap();
    hang_up();
    told("the old one goes on").await;
    assert_eq!(status(&server.url, "first").await, Some(405));
    put(directory.path(), "second");
    hang_up();
    told("the certificate was renewed").await;
    assert_eq!(status(&server.url, "second").await, Some(405));
    assert_eq!(status(&server.url, "first").await, None);
    assert_eq!(server.end().await, 0);
}

#[tokio::test]
async fn the_first_line_that_changes_is_documented() {
    let directory = tempfile::tempdir().unwrap();
    let help = run(aaa(directory.path(), &["listen", "--help"])).await.stdout;
    let words: Vec<_> = help.split_whitespace().collect();
    assert!(words.join(" ").contains("The first line then says `listening on https://ADDR`"));
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), "first");
    let ended = async |args: &[&str]| {
        let mut command = aaa(directory.path(), &["listen", "--bind", "127.0.0.1:0"]);
        command.args(args).env("X_CONSUMER_SECRET", "main-secret");
        let done = run(command).await;
        assert_eq!(done.stdout, "");
        (done.code, done.stderr)
    };
    assert_eq!(ended(&["--tls-cert", "chain.pem"]).await.0, 2);
    assert_eq!(ended(&["--tls-key", "key.pem"]).await.0, 2);
    let (code, words) = ended(&["--tls-cert", "key.pem", "--tls-key", "key.pem"]).await;
    assert_eq!(code, 1);
    insta::assert_snapshot!(words, @"error: could not set up TLS: `key.pem` holds no certificate in PEM (`BEGIN CERTIFICATE`)");
}
