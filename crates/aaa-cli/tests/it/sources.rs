//! `aaa listen --allow-from`, and what it does when there are many connections.

use std::{path::Path, process::Stdio};

use aaa_webhook::signature::{HEADER, Signature};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::Command,
    time::timeout,
};

use crate::support::{PATIENCE, Server, aaa, deliver, get, run, send};

const BODY: &str = r#"{"for_user_id":"7","favorite_events":[{"id":"a"}]}"#;
const CHECK: &str = "/webhooks/twitter?crc_token=OWY4ODQ2ZjgtNDljMC00NDY2LWJhMGQtYTE4NzQ0MTM2OGFi";

fn listen(directory: &Path, args: &[&str]) -> Command {
    let mut command = aaa(directory, &["listen", "--bind", "127.0.0.1:0", "--format", "none"]);
    command
        .args(args)
        .env("X_CONSUMER_SECRET", "main-secret")
        .env("X_API_URL", "http://127.0.0.1:9");
    command
}

/// Sends a delivery with these lines in its head.
async fn deliver_with(server: &str, lines: &str) -> (u16, String) {
    let signature = Signature::of(&"main-secret".parse().unwrap(), BODY.as_bytes());
    let length = BODY.len();
    let request = format!(
        "POST /webhooks/twitter HTTP/1.1\r\nhost: x\r\n{HEADER}: {signature}\r\n{lines}\
         content-length: {length}\r\nconnection: close\r\n\r\n{BODY}"
    );
    send(server, &request).await
}

#[tokio::test]
async fn only_what_a_proxy_says_comes_from_x() {
    let directory = tempfile::tempdir().unwrap();
    let args = [
        "--allow-from",
        "192.0.2.1,x",
        "--allow-from",
        "2001:db8::/32",
        "--trusted-proxy",
        "127.0.0.1",
        "--proxy-header",
        "Forwarded",
    ];
    let mut server = Server::start(listen(directory.path(), &args)).await;
    for (lines, status) in [
        ("forwarded: for=199.59.148.9\r\n", 200),
        ("forwarded: for=192.0.2.1\r\n", 200),
        ("forwarded: for=1.2.3.4, for=\"[2001:db8::7]:443\"\r\n", 200),
        ("forwarded: for=199.59.148.9, for=1.2.3.4\r\n", 403),
        ("x-forwarded-for: 199.59.148.9\r\n", 403),
        ("", 403),
    ] {
        let (answered, words) = deliver_with(&server.url, lines).await;
        assert_eq!(answered, status, "{lines}: {words}");
    }
    assert_eq!(get(&server.url, CHECK).await.0, 403);
    let mut log = BufReader::new(server.child.stderr.take().unwrap()).lines();
    let told = async {
        let mut told = Vec::new();
        while told.len() < 2 {
            let line = log.next_line().await.unwrap().expect("the listener ended");
            if line.contains("refused for where it comes from") {
                told.push(line);
            }
        }
        told
    };
    let told = timeout(PATIENCE, told).await.expect("nothing was told");
    assert!(told[0].contains("1.2.3.4 is in none of the networks"), "{told:?}");
    assert!(told[1].contains("a trusted proxy sent no header"), "{told:?}");
    let listed = run(aaa(directory.path(), &["events", "list"])).await;
    assert_eq!(listed.stdout.lines().count(), 1, "{}", listed.stdout);
    assert_eq!(server.end().await, 0);
}

#[tokio::test]
async fn a_list_without_a_proxy_on_loopback_is_a_slip() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(listen(directory.path(), &["--allow-from", "x"])).await;
    let spoofed = deliver_with(&server.url, "x-forwarded-for: 199.59.148.9\r\n").await;
    assert_eq!(spoofed, (403, "requests from this network are not taken".to_owned()));
    let mut log = BufReader::new(server.child.stderr.take().unwrap()).lines();
    let told = async {
        loop {
            let line = log.next_line().await.unwrap().expect("the listener ended");
            if line.contains("--trusted-proxy") {
                return line;
            }
        }
    };
    let told = timeout(PATIENCE, told).await.expect("nothing was told");
    insta::assert_snapshot!(told, @"warning: what reaches 127.0.0.1 comes from this machine, which --allow-from does not name: behind a proxy, add --trusted-proxy 127.0.0.1");
    assert_eq!(server.end().await, 0);
}

#[tokio::test]
async fn wrong_lists_are_usage_errors() {
    let directory = tempfile::tempdir().unwrap();
    let mut all = String::new();
    for args in [
        &["--allow-from", "192.0.2.1/24"][..],
        &["--allow-from", "example.com"],
        &["--allow-from", "x", "--trusted-proxy", "x"],
        &["--allow-from", "x", "--trusted-proxy", "10.0.0.0/8", "--proxy-header", "x-real-ip"],
        &["--trusted-proxy", "10.0.0.0/8"],
        &["--allow-from", "x", "--proxy-header", "forwarded"],
    ] {
        let done = run(listen(directory.path(), args)).await;
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{args:?}");
        all += &format!("{}\n{}\n\n", args.join(" "), done.stderr.lines().next().unwrap());
    }
    insta::assert_snapshot!(all, @"
    --allow-from 192.0.2.1/24
    error: invalid value '192.0.2.1/24' for '--allow-from <CIDR>': `192.0.2.1/24` is no network: the one that this address is in is `192.0.2.0/24`

    --allow-from example.com
    error: invalid value 'example.com' for '--allow-from <CIDR>': `example.com` is no network: write an address, or `address/length` as in 203.0.113.0/24

    --allow-from x --trusted-proxy x
    error: invalid value 'x' for '--trusted-proxy <CIDR>': `x` is no network: write an address, or `address/length` as in 203.0.113.0/24

    --allow-from x --trusted-proxy 10.0.0.0/8 --proxy-header x-real-ip
    error: invalid value 'x-real-ip' for '--proxy-header <NAME>': the header in which a proxy names its client is `x-forwarded-for` or `forwarded`

    --trusted-proxy 10.0.0.0/8
    error: the following required arguments were not provided:

    --allow-from x --proxy-header forwarded
    error: the following required arguments were not provided:
    ");
    assert!(!directory.path().join("aaa-data").exists());
}

/// Where few files may be open, connections leave some of them to the store.
#[cfg(unix)]
#[tokio::test]
async fn a_crowd_takes_no_file_from_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let plain = listen(directory.path(), &[]);
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 256 && exec \"$0\" \"$@\""])
        .arg(plain.as_std().get_program())
        .args(plain.as_std().get_args())
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    for (name, value) in plain.as_std().get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut server = Server::start(command).await;
    let mut log = BufReader::new(server.child.stderr.take().unwrap()).lines();
    let told = async {
        while !log.next_line().await.unwrap().expect("the listener ended").contains("ulimit -n") {}
    };
    timeout(PATIENCE, told).await.expect("nothing was told");
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(TcpStream::connect(&address).await.unwrap());
    }
    assert_eq!(deliver(&server.url, "/webhooks/twitter", "main-secret", BODY).await, 200);
    assert_eq!(get(&server.url, CHECK).await.0, 200);
    drop(crowd);
    assert_eq!(server.end().await, 0);
}
