//! Several processes change one file with tokens, and one of them is killed.

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use aaa_auth::{
    UserToken,
    tokens::{StoredToken, TokenFile},
};
use aaa_types::UserId;
use jiff::Timestamp;

/// Names the file to a process that is to write; `FIRST` is the first of its users.
const FILE: &str = "AAA_AUTH_TEST_FILE";
const FIRST: &str = "AAA_AUTH_TEST_FIRST";

const EACH: u64 = 20;

#[test]
fn what_a_process_was_told_is_stored_is_stored() {
    if let Some(path) = env::var_os(FILE) {
        return write(Path::new(&path), env::var(FIRST).unwrap().parse().unwrap());
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data/tokens.json");
    let mut children: Vec<Child> = (0..4).map(|n| start(&path, 1 + n * EACH)).collect();

    // The first one is killed where it happens to be, after it has stored a few.
    let mut killed = children.swap_remove(0);
    let mut told = lines(&mut killed);
    let mut stored: Vec<UserId> = told.by_ref().take(3).collect();
    killed.kill().unwrap();
    stored.extend(told);
    killed.wait().unwrap();
    for mut child in children {
        let before = stored.len();
        stored.extend(lines(&mut child));
        assert_eq!(stored.len() - before, usize::try_from(EACH).unwrap());
        assert!(child.wait().unwrap().success());
    }

    let tokens = TokenFile::new(&path).read().unwrap();
    for user in &stored {
        assert!(tokens.get(*user).is_some(), "{user} was stored, and is lost");
    }
    // At most the one that was stored and not yet told of.
    assert!(tokens.len() <= stored.len() + 1, "{} of {}", tokens.len(), stored.len());
    // Whoever comes next is held up by nothing that was left behind.
    let first = *stored.first().unwrap();
    assert!(TokenFile::new(&path).update(|tokens| tokens.remove(first)).unwrap().is_some());
}

/// Stores users one by one, and tells of each once it is stored.
#[expect(clippy::print_stdout, reason = "the process that started this one reads it")]
fn write(path: &Path, first: u64) {
    let file = TokenFile::new(path);
    for id in first..first + EACH {
        let token = UserToken::new("token".parse().unwrap(), "hush".parse().unwrap());
        let stored = StoredToken::new(token, Timestamp::UNIX_EPOCH);
        let user = id.try_into().unwrap();
        file.update(|tokens| tokens.insert(user, stored)).unwrap();
        println!("\nstored {user}");
    }
}

/// Starts this test again in a process of its own, which writes.
fn start(path: &Path, first: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "token_file::what_a_process_was_told_is_stored_is_stored"])
        .args(["--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .env(FIRST, first.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Returns the users that a process tells of.
fn lines(child: &mut Child) -> impl Iterator<Item = UserId> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("stored ")?.parse().ok())
}
