//! The data directory, and how long the disk below it takes to make something durable.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use super::probe::Stopwatch;

/// How often something is made durable.
const ROUNDS: usize = 16;

/// As much as a commit of a few deliveries appends.
const BYTES: usize = 16 * 1024;

/// What is known of the directory.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) directory: PathBuf,
    pub(super) state: State,
    /// How long each commit took, in order of length, or why there was none.
    pub(super) commits: Result<Vec<Duration>, String>,
    /// How many bytes may still be written, where that can be asked.
    pub(super) free: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// It is not there yet; the disk of the directory that it will be made in was measured.
    Absent,
    /// It is there, and nobody else can read it.
    Private,
    /// Others can read it or write to it; this is its mode.
    Exposed(u32),
    /// It is no directory, or cannot be looked at.
    Unusable(String),
}

/// Looks at the directory and leaves it as it is.
pub(super) fn look(directory: &Path) -> Disk {
    let state = state(directory);
    let measured = match &state {
        State::Absent => existing_parent(directory),
        _ => directory.to_owned(),
    };
    let commits = measure(&measured).map_err(|error| error.to_string());
    let free = crate::listen::free_bytes(&measured);
    Disk { directory: directory.to_owned(), state, commits, free }
}

fn state(directory: &Path) -> State {
    match fs::metadata(directory) {
        Ok(found) if found.is_dir() => mode(&found),
        Ok(_) => State::Unusable("it is not a directory".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => State::Absent,
        Err(error) => State::Unusable(error.to_string()),
    }
}

#[cfg(unix)]
fn mode(found: &fs::Metadata) -> State {
    use std::os::unix::fs::PermissionsExt;
    match found.permissions().mode() & 0o777 {
        mode if mode & 0o077 == 0 => State::Private,
        mode => State::Exposed(mode),
    }
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> State {
    State::Private
}

fn existing_parent(directory: &Path) -> PathBuf {
    let named = |path: &&Path| !path.as_os_str().is_empty();
    let parents = directory.ancestors().skip(1).filter(named);
    parents.into_iter().find(|path| path.is_dir()).unwrap_or(Path::new(".")).to_owned()
}

/// Appends to a file without a name, as the store appends to its log, and syncs each time.
fn measure(directory: &Path) -> io::Result<Vec<Duration>> {
    let mut file = tempfile::tempfile_in(directory)?;
    let bytes = vec![0x5a; BYTES];
    let mut took = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let watch = Stopwatch::start();
        file.write_all(&bytes)?;
        file.sync_data()?;
        took.push(watch.elapsed());
    }
    took.sort_unstable();
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_at_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let absent = directory.path().join("deep/er");
        let found = look(&absent);
        assert_eq!((found.state, found.commits.unwrap().len()), (State::Absent, ROUNDS));
        assert!(!absent.exists());
        let found = look(directory.path());
        assert!(matches!(found.state, State::Private | State::Exposed(_)));
        assert!(found.free.is_none_or(|free| free > 0));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let found = look(&file);
        assert!(matches!(found.state, State::Unusable(_)) && found.commits.is_err());
    }

    #[cfg(unix)]
    #[test]
    fn whoever_can_read_it_is_noticed() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o750)).unwrap();
        assert_eq!(look(directory.path()).state, State::Exposed(0o750));
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(look(directory.path()).state, State::Private);
    }
}
