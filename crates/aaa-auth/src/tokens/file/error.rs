use std::{
    io,
    path::{Path, PathBuf},
};

use crate::tokens::TokensError;

/// A file with tokens cannot be read or written. Nothing that is in it is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// The operating system refused.
    #[error("cannot {action} `{}`: {reason}", path.display())]
    #[non_exhaustive]
    Files {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// Other users of the machine can get at the file.
    #[error(
        "`{path}` is open to other users (mode {mode:03o}), and it holds tokens: close it with \
         `chmod go-rwx '{path}'`, and consider its tokens known",
        path = path.display()
    )]
    #[non_exhaustive]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Everybody may put files into the directory, and take others away.
    #[error(
        "everybody may write to the directory `{path}` (mode {mode:03o}), so the tokens in it can \
         be replaced: close it with `chmod go-w '{path}'`",
        path = path.display()
    )]
    #[non_exhaustive]
    OpenDirectory {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file belongs to another user of the machine.
    #[error(
        "`{}` belongs to the user {owner} of this machine, and this process runs as {user}: \
         run it as that user, or choose another file",
        path.display()
    )]
    #[non_exhaustive]
    Foreign {
        /// The file or link.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
        /// The number of the user that this process runs as.
        user: u32,
    },
    /// A directory, a device, or a link that leads nowhere.
    #[error("`{}` is not a file, nor a link to one: choose another", path.display())]
    #[non_exhaustive]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// What is in the file is not understood. It is left as it is.
    #[error(
        "`{}` is not understood: {reason}; mend it, or move it away and let the users sign in \
         again",
        path.display()
    )]
    #[non_exhaustive]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where it is wrong.
        reason: TokensError,
    },
    /// Another process holds the lock and does not let go of it.
    #[error("another process is changing the tokens and holds `{}`: try again", path.display())]
    #[non_exhaustive]
    Busy {
        /// The file whose lock is held.
        path: PathBuf,
    },
}

impl TokenFileError {
    pub(super) fn files(action: &'static str, path: &Path, error: &io::Error) -> Self {
        Self::Files { action, path: path.to_owned(), reason: error.to_string() }
    }

    /// Says whether the same may succeed later, with nothing changed by hand.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }
}
