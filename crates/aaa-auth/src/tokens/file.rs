use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use self::access::Access;
use super::Tokens;
use crate::files::read_bounded;

mod access;
mod error;

pub use self::error::TokenFileError;

/// Tens of thousands of users.
const MAX: u64 = 16 << 20;

/// How often, and how long apart, another process is waited for: ten seconds in all. A process
/// holds the lock for as long as it takes to write one small file.
const PATIENCE: u32 = 500;
const PAUSE: Duration = Duration::from_millis(20);

/// A file with the tokens of many users, in the [form](super) of [`Tokens`].
///
/// Only its owner may read it: it is made with mode 0600, in a directory of mode 0700 where there
/// is none, and refused when others can get at it. (On other systems than Unix it has what rights
/// the directory gives it.)
///
/// It may be read and changed by several processes at once. A change takes the lock of a second
/// file beside it (`.lock`), which stays there, and puts a whole new file in the place of the old:
/// whoever reads sees the old or the new one, and so does whoever starts after a crash.
///
/// All calls block, for a change up to ten seconds; async code calls them from a thread for that.
///
/// # Examples
///
/// ```
/// use aaa_auth::{UserToken, tokens::{StoredToken, TokenFile}};
///
/// # let directory = tempfile::tempdir()?;
/// let file = TokenFile::new(directory.path().join("aaa-data/tokens.json"));
/// assert!(file.read()?.is_empty()); // there is none yet
///
/// let token = UserToken::new("7-token".parse()?, "user-secret".parse()?);
/// let stored = StoredToken::new(token, "2025-11-22T04:00:00Z".parse()?);
/// let replaced = file.update(|tokens| tokens.insert("7".parse().ok()?, stored))?;
/// assert!(replaced.is_none());
/// assert_eq!(file.read()?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// Names the file. Nothing is opened and nothing is made.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Names the file, and looks whether it is there and fit to be read.
    ///
    /// # Errors
    ///
    /// As [`TokenFile::read`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TokenFileError> {
        let file = Self::new(path);
        file.read()?;
        Ok(file)
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it. Where there is none, there are no tokens.
    ///
    /// # Errors
    ///
    /// Fails when the file belongs to somebody else or is open to others, when it is no file,
    /// and when what is in it is not understood.
    pub fn read(&self) -> Result<Tokens, TokenFileError> {
        let path = self.followed()?;
        Ok(read(&path)?.unwrap_or_default().0)
    }

    /// Reads it, lets `change` change what was read, and writes it. What the change returns is
    /// handed on.
    ///
    /// Nobody else changes the file in between, and a file that cannot be understood is never
    /// written over. Nothing is written when nothing was changed.
    ///
    /// # Errors
    ///
    /// As [`TokenFile::read`]; and when another process is changing the file for longer than ten
    /// seconds, or the file cannot be written. Then it is as it was.
    pub fn update<T>(&self, change: impl FnOnce(&mut Tokens) -> T) -> Result<T, TokenFileError> {
        let path = self.followed()?;
        make_directory(&path)?;
        let _lock = lock(&path, PATIENCE)?;
        let found = read(&path)?;
        let there = found.is_some();
        let (mut tokens, old) = found.unwrap_or_default();
        let done = change(&mut tokens);
        let new = tokens.to_json();
        if !there || old.as_slice() != new.as_bytes() {
            replace(&path, new.as_bytes())?;
        }
        Ok(done)
    }

    /// Follows a symbolic link of one's own: what is written must take the place of the file, not
    /// of the link.
    fn followed(&self) -> Result<PathBuf, TokenFileError> {
        match fs::symlink_metadata(&self.path) {
            Ok(link) if link.is_symlink() => {
                Access::of(&link).refuse_foreign_link(&self.path)?;
                fs::canonicalize(&self.path).map_err(|error| match error.kind() {
                    ErrorKind::NotFound => TokenFileError::NotAFile { path: self.path.clone() },
                    _ => TokenFileError::files("follow", &self.path, &error),
                })
            }
            Ok(_) => Ok(self.path.clone()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(self.path.clone()),
            Err(error) => Err(TokenFileError::files("look at", &self.path, &error)),
        }
    }
}

type Read = (Tokens, secrecy::zeroize::Zeroizing<Vec<u8>>);

fn read(path: &Path) -> Result<Option<Read>, TokenFileError> {
    let mut options = OpenOptions::new();
    let file = match access::no_surprise(options.read(true)).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(TokenFileError::files("open", path, &error)),
    };
    // What is open is what is judged, whatever happens to the path meanwhile.
    let metadata = file.metadata().map_err(|e| TokenFileError::files("look at", path, &e))?;
    if !metadata.is_file() {
        return Err(TokenFileError::NotAFile { path: path.to_owned() });
    }
    let access = Access::of(&metadata);
    access.refuse_foreign(path)?;
    access.refuse_exposed(path)?;
    refuse_open_directory(path)?;
    let bytes = read_bounded(&file, MAX).map_err(|e| TokenFileError::files("read", path, &e))?;
    let tokens = Tokens::from_json(&bytes)
        .map_err(|reason| TokenFileError::Malformed { path: path.to_owned(), reason })?;
    Ok(Some((tokens, bytes)))
}

fn make_directory(path: &Path) -> Result<(), TokenFileError> {
    let wanted = directory(path);
    let missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let missing: Vec<_> = wanted.ancestors().take_while(missing).collect();
    if !missing.is_empty() {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(wanted).map_err(|e| TokenFileError::files("create", wanted, &e))?;
    }
    for made in missing.into_iter().map(directory) {
        access::sync_directory(made).map_err(|e| TokenFileError::files("sync", made, &e))?;
    }
    refuse_open_directory(path)
}

/// Where others may put files in the place of one's own, nothing can be relied on.
fn refuse_open_directory(path: &Path) -> Result<(), TokenFileError> {
    let directory = directory(path);
    let metadata =
        fs::metadata(directory).map_err(|e| TokenFileError::files("look at", directory, &e))?;
    Access::of(&metadata).refuse_open_directory(directory)
}

/// Takes the lock. The file is never removed: two processes could hold the lock of two files.
fn lock(path: &Path, patience: u32) -> Result<File, TokenFileError> {
    let path = beside(path, ".lock");
    let mut options = OpenOptions::new();
    let options = private(options.read(true).create(true).truncate(false));
    let file = options.open(&path).map_err(|error| TokenFileError::files("open", &path, &error))?;
    for attempt in 0..patience {
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(TokenFileError::files("lock", &path, &error));
            }
        }
    }
    Err(TokenFileError::Busy { path })
}

/// Puts a new file in the place of the old one, in one step that a crash cannot divide.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), TokenFileError> {
    // One name for all, since only who holds the lock writes: what a crash has left is removed.
    let new = beside(path, ".new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(TokenFileError::files("remove", &new, &error));
        }
        _ => {}
    }
    let written = write_new(&new, bytes).map_err(|e| TokenFileError::files("write", &new, &e));
    let replaced = written.and_then(|()| {
        fs::rename(&new, path).map_err(|e| TokenFileError::files("replace", path, &e))
    });
    if let Err(error) = replaced {
        // It holds secrets. That it could not be written or moved is what counts.
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    access::sync_directory(directory(path))
        .map_err(|error| TokenFileError::files("sync", directory(path), &error))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private(OpenOptions::new().create_new(true)).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    access::no_surprise(options.write(true));
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
