use std::sync::Barrier;

use aaa_types::UserId;
use serde_json::Value;

use super::*;
use crate::{UserToken, tokens::StoredToken};

struct Place {
    directory: tempfile::TempDir,
    file: TokenFile,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = TokenFile::new(directory.path().join("tokens.json"));
        Self { directory, file }
    }

    /// A place with a file that holds a text.
    fn with(text: &str) -> Self {
        let place = Self::new();
        private(OpenOptions::new().create(true))
            .open(place.file.path())
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        place
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file.path()).unwrap()
    }

    /// What is in the directory.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn user(id: u64) -> UserId {
    id.try_into().unwrap()
}

fn stored(token: &str) -> StoredToken {
    let token = UserToken::new(token.parse().unwrap(), "hush".parse().unwrap());
    StoredToken::new(token, "2025-11-22T04:00:00Z".parse().unwrap())
}

fn add(file: &TokenFile, id: u64) -> Result<Option<StoredToken>, TokenFileError> {
    file.update(|tokens| tokens.insert(user(id), stored(&format!("{id}-token"))))
}

#[test]
fn reading_makes_nothing() {
    let place = Place::new();
    assert!(TokenFile::open(place.file.path()).unwrap().read().unwrap().is_empty());
    assert!(TokenFile::open(place.directory.path().join("a/b")).unwrap().read().is_ok());
    assert_eq!(place.names(), Vec::<String>::new());
}

#[test]
fn written_and_read_again() {
    let place = Place::new();
    assert!(add(&place.file, 7).unwrap().is_none());
    add(&place.file, 8).unwrap();
    let old = add(&place.file, 7).unwrap().unwrap();
    assert_eq!(old.token.token.expose(), "7-token");
    assert!(place.file.update(|tokens| tokens.remove(user(8))).unwrap().is_some());
    let tokens = TokenFile::open(place.file.path()).unwrap().read().unwrap();
    assert_eq!(tokens.iter().map(|(user, _)| user.as_u64()).collect::<Vec<_>>(), [7]);
    assert_eq!(place.names(), ["tokens.json", "tokens.json.lock"]);
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    let place = Place::new();
    add(&place.file, 7).unwrap();
    let modified = || fs::metadata(place.file.path()).unwrap().modified().unwrap();
    let before = modified();
    assert!(place.file.update(|tokens| tokens.remove(user(8))).unwrap().is_none());
    assert_eq!(modified(), before);
}

#[test]
fn unknown_members_survive() {
    let place = Place::with(
        r#"{"version":2,"users":{"7":{"access_token":"a","access_token_secret":"b","x":{"y":1}}}}"#,
    );
    add(&place.file, 8).unwrap();
    let written: Value = serde_json::from_str(&place.text()).unwrap();
    assert_eq!(written["version"], 2);
    assert_eq!(written["7"]["x"]["y"], 1);
    assert_eq!(written["8"]["access_token"], "8-token");
}

#[test]
fn what_is_not_understood_is_left_as_it_is() {
    let whole = Place::new();
    add(&whole.file, 7).unwrap();
    let whole = whole.text();
    for text in ["", "hush", whole.split_at(whole.len() / 2).0] {
        let place = Place::with(text);
        for error in [place.file.read().unwrap_err(), add(&place.file, 8).unwrap_err()] {
            assert!(matches!(error, TokenFileError::Malformed { .. }), "{error}");
            assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
        }
        assert_eq!(place.text(), text);
    }
    let place = Place::with("{\"users\":{\n\"7\":{\"access_token\":\"a b\"}}}");
    let error = place.file.read().unwrap_err().to_string();
    let error = error.replace(place.file.path().to_str().unwrap(), "tokens.json");
    insta::assert_snapshot!(error, @"`tokens.json` is not understood: line 2, column 25: this is not what it should be: users are keyed by their id, each there once, with `access_token` and `access_token_secret`, and `added_at` and `revoked_at` are times such as 2025-11-22T04:00:00Z; mend it, or move it away and let the users sign in again");
}

/// Whoever has two must say which counts: the other would be lost with the next write.
#[test]
fn what_is_there_twice_is_refused() {
    let user = r#""access_token":"hush","access_token_secret":"hush""#;
    for text in [
        format!(r#"{{"users":{{}},"users":{{"7":{{{user}}}}}}}"#),
        format!(r#"{{"users":{{"7":{{{user}}},"7":{{{user}}}}}}}"#),
        format!(r#"{{"users":{{"7":{{{user}}},"\u0037":{{{user}}}}}}}"#),
        format!(r#"{{"users":{{"7":{{{user},"access_token":"other"}}}}}}"#),
    ] {
        let place = Place::with(&text);
        for error in [place.file.read().unwrap_err(), add(&place.file, 8).unwrap_err()] {
            assert!(matches!(error, TokenFileError::Malformed { .. }), "{error}");
            assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
        }
        assert_eq!(place.text(), text);
    }
}

#[test]
fn what_is_too_large_is_not_read() {
    let place = Place::with("");
    let file = OpenOptions::new().write(true).open(place.file.path()).unwrap();
    file.set_len(MAX + 1).unwrap();
    assert!(matches!(place.file.read(), Err(TokenFileError::Files { action: "read", .. })));
}

#[test]
fn a_directory_is_no_file() {
    let place = Place::new();
    fs::create_dir(place.file.path()).unwrap();
    #[cfg(unix)]
    assert!(matches!(place.file.read(), Err(TokenFileError::NotAFile { .. })));
    assert!(add(&place.file, 7).is_err());
}

#[test]
fn what_a_crash_left_behind_is_no_obstacle() {
    let place = Place::new();
    add(&place.file, 7).unwrap();
    // Killed in the middle of writing: the lock is gone with the process, the new file is not.
    fs::write(beside(place.file.path(), ".new"), "{\"users\"").unwrap();
    assert_eq!(place.file.read().unwrap().len(), 1);
    add(&place.file, 8).unwrap();
    assert_eq!(place.file.read().unwrap().len(), 2);
    assert_eq!(place.names(), ["tokens.json", "tokens.json.lock"]);
}

#[test]
fn a_failed_write_changes_nothing() {
    let place = Place::new();
    add(&place.file, 7).unwrap();
    let before = place.text();
    // A directory stands where the new file would be written.
    fs::create_dir(beside(place.file.path(), ".new")).unwrap();
    let error = add(&place.file, 8).unwrap_err();
    assert!(matches!(error, TokenFileError::Files { .. }), "{error}");
    assert_eq!(place.text(), before);
}

#[test]
fn writers_at_once_lose_nothing() {
    const WRITERS: u64 = 8;
    const EACH: u64 = 12;
    let place = Place::new();
    let barrier = Barrier::new(usize::try_from(WRITERS).unwrap() + 1);
    thread::scope(|scope| {
        let writers = (0..WRITERS).map(|writer| {
            let (file, barrier) = (TokenFile::new(place.file.path()), &barrier);
            scope.spawn(move || {
                barrier.wait();
                for n in 0..EACH {
                    add(&file, 1 + writer * EACH + n).unwrap();
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        // Whoever reads meanwhile sees a whole file, and never fewer users than before.
        barrier.wait();
        let mut seen = 0;
        while !writers.iter().all(|writer| writer.is_finished()) {
            let now = place.file.read().unwrap().len();
            assert!(now >= seen, "{now} users after {seen}");
            seen = now;
        }
    });
    assert_eq!(place.file.read().unwrap().len(), usize::try_from(WRITERS * EACH).unwrap());
    assert_eq!(place.names(), ["tokens.json", "tokens.json.lock"]);
}

#[test]
fn a_held_lock_is_waited_for_and_then_named() {
    let place = Place::new();
    let held = lock(place.file.path(), 1).unwrap();
    let error = lock(place.file.path(), 2).unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("tokens.json.lock"), "{error}");
    // It waits for whoever holds it.
    thread::scope(|scope| {
        let writer = scope.spawn(|| add(&place.file, 7));
        assert!(place.file.read().unwrap().is_empty());
        drop(held);
        writer.join().unwrap().unwrap();
    });
    assert_eq!(place.file.read().unwrap().len(), 1);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_made_is_for_its_owner_only() {
        let place = Place::new();
        let file = TokenFile::new(place.directory.path().join("data/deep/tokens.json"));
        add(&file, 7).unwrap();
        add(&file, 8).unwrap();
        assert_eq!(mode(file.path()), 0o600);
        assert_eq!(mode(&beside(file.path(), ".lock")), 0o600);
        assert_eq!(mode(&place.directory.path().join("data/deep")), 0o700);
        assert_eq!(mode(&place.directory.path().join("data")), 0o700);
    }

    #[test]
    fn what_others_can_read_is_refused() {
        let place = Place::new();
        add(&place.file, 7).unwrap();
        let before = place.text();
        for open in [0o644, 0o640, 0o606, 0o660] {
            set_mode(place.file.path(), open);
            for error in [place.file.read().unwrap_err(), add(&place.file, 8).unwrap_err()] {
                let TokenFileError::Exposed { mode, .. } = error else { panic!("{error}") };
                assert_eq!(mode, open);
            }
        }
        assert_eq!(place.text(), before);
        set_mode(place.file.path(), 0o600);
        assert_eq!(place.file.read().unwrap().len(), 1);
    }

    #[test]
    fn what_everybody_could_replace_is_refused() {
        let place = Place::new();
        add(&place.file, 7).unwrap();
        set_mode(place.directory.path(), 0o777);
        for error in [place.file.read().unwrap_err(), add(&place.file, 8).unwrap_err()] {
            assert!(matches!(error, TokenFileError::OpenDirectory { .. }), "{error}");
        }
        set_mode(place.directory.path(), 0o1777);
        add(&place.file, 8).unwrap();
    }

    #[test]
    fn a_link_to_a_file_is_followed_and_stays() {
        let place = Place::new();
        add(&place.file, 7).unwrap();
        fs::create_dir(place.directory.path().join("elsewhere")).unwrap();
        let link = place.directory.path().join("elsewhere/link.json");
        symlink("../tokens.json", &link).unwrap();
        add(&TokenFile::new(&link), 8).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(place.file.read().unwrap().len(), 2);
        assert_eq!(mode(place.file.path()), 0o600);
    }

    #[test]
    fn a_link_to_something_odd_is_refused() {
        let place = Place::new();
        for target in ["nowhere", "/dev/zero", "/", "tokens.json"] {
            let _ = fs::remove_file(place.file.path());
            symlink(target, place.file.path()).unwrap();
            let refused = [place.file.read().err(), add(&place.file, 7).err()];
            for error in refused {
                let error = error.unwrap();
                // The last one leads to itself.
                let odd = matches!(
                    error,
                    TokenFileError::NotAFile { .. }
                        | TokenFileError::Files { action: "follow", .. }
                );
                assert!(odd, "{target}: {error}");
            }
        }
    }

    #[test]
    fn a_link_in_the_place_of_the_lock_or_the_new_file_is_not_followed() {
        let place = Place::new();
        let other = place.directory.path().join("other");
        fs::write(&other, "other").unwrap();
        symlink(&other, beside(place.file.path(), ".new")).unwrap();
        add(&place.file, 7).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "other");
        fs::remove_file(beside(place.file.path(), ".lock")).unwrap();
        symlink(&other, beside(place.file.path(), ".lock")).unwrap();
        assert!(add(&place.file, 8).is_err());
        assert_eq!(place.file.read().unwrap().len(), 1);
    }
}
