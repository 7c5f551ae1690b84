//! The terminals of somebody who follows a document.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::process::Command;

use crate::support::Server;

/// Stands for cargo: what it runs is the binary under test, everything else is only looked up.
const CARGO: &str = r#"#!/bin/sh
command=$1
shift
case $command in
run)
    while [ $# -gt 0 ]; do
        case $1 in
        --) shift; exec aaa "$@" ;;
        --example) test -f "$ROOT/examples/$2.rs" && exit 0; echo "no example $2" >&2; exit 1 ;;
        *) shift ;;
        esac
    done
    exec aaa ;;
xtask)
    grep -q "^  $1 " "$ROOT/xtask/src/main.rs" && exit 0
    echo "no xtask $1" >&2; exit 1 ;;
bench|test|install|deny|package) exit 0 ;;
*) echo "cargo $command is not known here" >&2; exit 1 ;;
esac
"#;

/// Runs the binary under test; a server takes a free port, since that of the document may be taken.
const AAA: &str = r#"#!/bin/sh
case $1 in
listen|emulate|dashboard)
    case "$*" in
    *--bind*|*--help*|*--print-env*) ;;
    *) command=$1; shift; set -- "$command" --bind 127.0.0.1:0 "$@" ;;
    esac ;;
esac
exec "$AAA" "$@"
"#;

/// The binary under test, unless another one is named: `cargo xtask newcomer` names what it has
/// installed.
fn program() -> OsString {
    std::env::var_os("AAA_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_aaa").into())
}

/// A directory, what runs in it, and what was said so far.
pub(super) struct Shell {
    directory: TempDir,
    root: PathBuf,
    servers: Vec<Server>,
    /// What stands in the document, and what it is here.
    instead: Vec<(&'static str, String)>,
    /// Where the emulator is.
    api: Option<String>,
    /// The id that was printed last.
    id: Option<String>,
}

impl Shell {
    pub(super) fn new(root: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let shell = Self {
            directory,
            root: root.to_owned(),
            servers: Vec::new(),
            instead: Vec::new(),
            api: None,
            id: None,
        };
        fs::create_dir(shell.programs()).unwrap();
        fs::create_dir(shell.home()).unwrap();
        for (name, text) in [("cargo", CARGO), ("aaa", AAA)] {
            use std::os::unix::fs::PermissionsExt;
            let path = shell.programs().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        shell
    }

    /// Runs a command, which has to succeed.
    pub(super) async fn run(&mut self, command: &str, place: &str) {
        let done = crate::support::run(self.command(&self.here(command))).await;
        assert_eq!(done.code, 0, "{place}\n{}{}", done.stdout, done.stderr);
        let is_id = |word: &&str| word.len() == 19 && word.bytes().all(|b| b.is_ascii_digit());
        let mut words = done.stdout.split(|c: char| !c.is_ascii_alphanumeric());
        if command.contains("webhooks") {
            self.id = words.find(is_id).map(str::to_owned).or(self.id.take());
        }
    }

    /// Starts a server, and waits until it says where it listens.
    pub(super) async fn start(&mut self, command: &str, place: &str) {
        let server = Server::start(self.command(&format!("exec {}", self.here(command)))).await;
        let address = server.url.split("//").nth(1).unwrap().to_owned();
        if command.contains("emulate") {
            self.api = Some(server.url.clone());
            self.instead.push(("127.0.0.1:7878", address));
        } else if command.contains("listen") {
            self.instead.push(("127.0.0.1:8080", address));
        } else {
            panic!("{place}: this test does not know this server");
        }
        self.servers.push(server);
    }

    /// Makes sure that `aaa` has what a command uses: with `--help` behind it, everything before is
    /// read and nothing is done.
    pub(super) async fn exists(&mut self, command: &str, place: &str) {
        let command = match command.strip_prefix("cargo run -- ") {
            Some(rest) => format!("aaa {rest}"),
            None => command.to_owned(),
        };
        if !command.starts_with("aaa ") {
            return;
        }
        let command = command.replace(" ID", " 1234577122340233217");
        let done = crate::support::run(self.command(&format!("{command} --help"))).await;
        assert_eq!(done.code, 0, "{place}\n{}", done.stderr);
    }

    /// Ends the servers.
    pub(super) async fn end(mut self) {
        for server in self.servers.drain(..).rev() {
            assert_eq!(server.end().await, 0, "a server did not end cleanly");
        }
    }

    /// Returns the command as it has to be here.
    fn here(&self, command: &str) -> String {
        let mut command = command.to_owned();
        for (there, here) in &self.instead {
            command = command.replace(there, here);
        }
        match &self.id {
            Some(id) => command
                .split(' ')
                .map(|word| if word == "ID" { id.as_str() } else { word })
                .collect::<Vec<_>>()
                .join(" "),
            None => command,
        }
    }

    fn command(&self, line: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("sh");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("X_") {
                command.env_remove(name);
            }
        }
        command
            .args(["-c", line])
            .current_dir(self.home())
            .env("PATH", format!("{}:{path}", self.programs().display()))
            .env("AAA", program())
            .env("ROOT", &self.root)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(api) = &self.api {
            command.env("X_API_URL", api);
        }
        command
    }

    fn programs(&self) -> PathBuf {
        self.directory.path().join("bin")
    }

    fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }
}
