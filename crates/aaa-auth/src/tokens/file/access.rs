//! Who may do what with a file, as far as the system says.

use std::{
    fs::{Metadata, OpenOptions},
    io,
    path::Path,
};

use super::TokenFileError;

/// Whose a file is, who may get at it, and who asks. `None` where the system knows no such thing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access(Option<Unix>);

#[derive(Debug, Clone, Copy)]
pub(super) struct Unix {
    pub(super) owner: u32,
    pub(super) mode: u32,
    pub(super) user: u32,
}

impl Access {
    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(Some(Unix {
            owner: metadata.uid(),
            mode: metadata.mode() & 0o7777,
            user: rustix::process::geteuid().as_raw(),
        }))
    }

    #[cfg(not(unix))]
    pub(super) fn of(_: &Metadata) -> Self {
        Self(None)
    }

    /// Whoever owns a file can open it to others at any time.
    pub(super) fn refuse_foreign(self, path: &Path) -> Result<(), TokenFileError> {
        match self.0 {
            Some(Unix { owner, user, .. }) if owner != user => {
                Err(TokenFileError::Foreign { path: path.to_owned(), owner, user })
            }
            _ => Ok(()),
        }
    }

    /// The system's own links are as good as one's own.
    pub(super) fn refuse_foreign_link(self, path: &Path) -> Result<(), TokenFileError> {
        match self.0 {
            Some(Unix { owner: 0, .. }) => Ok(()),
            _ => self.refuse_foreign(path),
        }
    }

    pub(super) fn refuse_exposed(self, path: &Path) -> Result<(), TokenFileError> {
        match self.0 {
            Some(Unix { mode, .. }) if mode & 0o077 != 0 => {
                Err(TokenFileError::Exposed { path: path.to_owned(), mode: mode & 0o777 })
            }
            _ => Ok(()),
        }
    }

    /// A directory that everybody may write to is fit only if nobody may take away what is
    /// another's, as in `/tmp`. A group that may is mostly the user's own.
    pub(super) fn refuse_open_directory(self, path: &Path) -> Result<(), TokenFileError> {
        match self.0 {
            Some(Unix { mode, .. }) if mode & 0o1002 == 0o002 => {
                Err(TokenFileError::OpenDirectory { path: path.to_owned(), mode: mode & 0o777 })
            }
            _ => Ok(()),
        }
    }
}

/// Opens no link, and does not wait for the other end of a pipe.
#[cfg(unix)]
pub(super) fn no_surprise(options: &mut OpenOptions) -> &mut OpenOptions {
    use rustix::fs::OFlags;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.bits().cast_signed())
}

#[cfg(not(unix))]
pub(super) fn no_surprise(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Makes the new entry of a directory survive a power loss, where the system can.
#[cfg(unix)]
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    let synced = std::fs::File::open(directory).and_then(|file| file.sync_all());
    match synced {
        // Some file systems have no such thing.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
        {
            Ok(())
        }
        other => other,
    }
}

#[cfg(not(unix))]
pub(super) fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(owner: u32, mode: u32) -> Access {
        Access(Some(Unix { owner, mode, user: 1000 }))
    }

    #[test]
    fn whose_it_is() {
        let path = Path::new("tokens.json");
        assert!(access(1000, 0o600).refuse_foreign(path).is_ok());
        let error = access(1001, 0o600).refuse_foreign(path).unwrap_err();
        insta::assert_snapshot!(error, @"`tokens.json` belongs to the user 1001 of this machine, and this process runs as 1000: run it as that user, or choose another file");
        assert!(access(0, 0o600).refuse_foreign(path).is_err());
        assert!(access(0, 0o777).refuse_foreign_link(path).is_ok());
        assert!(access(1000, 0o777).refuse_foreign_link(path).is_ok());
        assert!(access(1001, 0o777).refuse_foreign_link(path).is_err());
    }

    #[test]
    fn who_may_get_at_it() {
        let path = Path::new("tokens.json");
        for mode in [0o600, 0o400, 0o700, 0o1600] {
            assert!(access(1000, mode).refuse_exposed(path).is_ok(), "{mode:o}");
        }
        for mode in [0o644, 0o640, 0o604, 0o610, 0o602, 0o620] {
            assert!(access(1000, mode).refuse_exposed(path).is_err(), "{mode:o}");
        }
        insta::assert_snapshot!(access(1000, 0o644).refuse_exposed(path).unwrap_err(), @"`tokens.json` is open to other users (mode 644), and it holds tokens: close it with `chmod go-rwx 'tokens.json'`, and consider its tokens known");
        for mode in [0o700, 0o755, 0o775, 0o1777] {
            assert!(access(0, mode).refuse_open_directory(path).is_ok(), "{mode:o}");
        }
        insta::assert_snapshot!(access(0, 0o777).refuse_open_directory(path).unwrap_err(), @"everybody may write to the directory `tokens.json` (mode 777), so the tokens in it can be replaced: close it with `chmod go-w 'tokens.json'`");
    }
}
