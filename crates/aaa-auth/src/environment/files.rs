use std::{
    cell::Cell,
    collections::HashMap,
    fmt, io,
    path::{Path, PathBuf},
};

use secrecy::zeroize::Zeroizing;

use super::{Environment, EnvironmentError};
use crate::files::read_bounded;

/// More than anybody writes into `.env`.
const MAX: u64 = 1 << 20;

/// Reads the app's credentials from the variables of the process, and from `.env` in the working
/// directory where the process has none.
///
/// # Errors
///
/// Fails when `.env` is there and cannot be read, and when a value cannot be what its name says.
pub fn load() -> Result<Environment, LoadError> {
    let variables = Variables::load()?;
    Ok(Environment::from_lookup(|name| variables.get(name))?)
}

/// The variables of the process, and those of a file for what the process does not have.
///
/// The file is read into memory only: no variable of the process is set or changed.
///
/// # Examples
///
/// ```
/// use aaa_auth::environment::{Environment, Variables};
///
/// let variables = Variables::load()?;
/// // A flag goes before a variable.
/// let flag = Some("AAAA%2Fbb".to_owned());
/// let found = Environment::from_lookup(|name| match name {
///     "X_BEARER_TOKEN" => flag.clone().or_else(|| variables.get(name)),
///     _ => variables.get(name),
/// })?;
/// assert_eq!(found.require_bearer()?.expose(), "AAAA%2Fbb");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Variables {
    file: HashMap<String, Zeroizing<String>>,
}

impl Variables {
    /// Reads `.env` in the working directory.
    ///
    /// # Errors
    ///
    /// Fails when the file is there and cannot be read. That there is none is no error.
    pub fn load() -> Result<Self, DotEnvError> {
        Self::with_file(Path::new(".env"))
    }

    /// Reads a file of the form of `.env`: lines `NAME=value`.
    ///
    /// # Errors
    ///
    /// As [`Variables::load`].
    pub fn with_file(path: &Path) -> Result<Self, DotEnvError> {
        let unreadable = |error: io::Error| DotEnvError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let bytes = match std::fs::File::open(path) {
            Ok(file) => read_bounded(&file, MAX).map_err(unreadable)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { file: HashMap::new() });
            }
            Err(error) => return Err(unreadable(error)),
        };
        // Editors of some systems begin a file with a byte order mark.
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        // PowerShell writes so by itself.
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(unreadable(io::Error::other("it is in UTF-16: save it as UTF-8")));
        }
        let mut file = HashMap::new();
        let taken = Cell::new(0);
        for line in dotenvy::from_read_iter(LineByLine { rest: bytes, taken: &taken }) {
            let (name, value) = line.map_err(|error| match error {
                dotenvy::Error::LineParse(refused, _) => {
                    // Quotes that are not closed make one line of all that follow.
                    let lines = Zeroizing::new(refused).lines().count().max(1);
                    let line = taken.get().saturating_sub(lines).saturating_add(1);
                    DotEnvError::Line { path: path.to_owned(), line }
                }
                dotenvy::Error::Io(error) => unreadable(error),
                _ => unreadable(io::Error::other("a variable that it refers to is not Unicode")),
            })?;
            // The first wins, as in every program that loads such a file into its environment.
            file.entry(name).or_insert(Zeroizing::new(value));
        }
        Ok(Self { file })
    }

    /// Returns the value of a variable. One that the process has, even an empty one, hides that
    /// of the file.
    pub fn get(&self, name: &str) -> Option<String> {
        match std::env::var_os(name) {
            // What is not Unicode is no credential, and is refused by name later.
            Some(value) => Some(value.to_string_lossy().into_owned()),
            None => self.file.get(name).map(|value| value.to_string()),
        }
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables").finish_non_exhaustive()
    }
}

/// `.env` is there and cannot be read. No line of it is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DotEnvError {
    /// The file as a whole.
    #[error("could not read `{}`: {reason}", path.display())]
    #[non_exhaustive]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// A line of it.
    #[error(
        "could not read `{}`: line {line} is not `NAME=value`; put a value with white space or \
         `#` into quotes, and close them",
        path.display()
    )]
    #[non_exhaustive]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
    },
}

/// The app's credentials cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// `.env` cannot be read.
    #[error("{0}")]
    DotEnv(DotEnvError),
    /// A value cannot be what its name says.
    #[error("{0}")]
    Value(EnvironmentError),
}

impl From<DotEnvError> for LoadError {
    fn from(error: DotEnvError) -> Self {
        Self::DotEnv(error)
    }
}

impl From<EnvironmentError> for LoadError {
    fn from(error: EnvironmentError) -> Self {
        Self::Value(error)
    }
}

/// Hands out a text line by line and counts: dotenvy repeats what it refuses, which nobody may
/// see, and does not say where it stands.
struct LineByLine<'a> {
    rest: &'a [u8],
    taken: &'a Cell<usize>,
}

impl io::Read for LineByLine<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let line = self.rest.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        let length = line.len().min(to.len());
        for (to, from) in to.iter_mut().zip(line) {
            *to = *from;
        }
        if length > 0 && length == line.len() {
            self.taken.set(self.taken.get().saturating_add(1));
        }
        self.rest = self.rest.get(length..).unwrap_or_default();
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &[u8]) -> Result<Variables, DotEnvError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env");
        fs::write(&path, text).unwrap();
        Variables::with_file(&path).map_err(|error| match error {
            DotEnvError::Unreadable { reason, .. } => {
                DotEnvError::Unreadable { path: ".env".into(), reason }
            }
            DotEnvError::Line { line, .. } => DotEnvError::Line { path: ".env".into(), line },
        })
    }

    #[test]
    fn what_a_file_says() {
        let text = "\u{feff}# mine\r\nAAA_A=one\r\nexport AAA_B='t w#o'\n\nAAA_C=\"th\\\"ree\" # x\n\
                    AAA_A=again\nAAA_D=\nAAA_E=AAAA%2Fb%3D";
        let variables = read(text.as_bytes()).unwrap();
        let get = |name| variables.get(name);
        assert_eq!(get("AAA_A").as_deref(), Some("one"));
        assert_eq!(get("AAA_B").as_deref(), Some("t w#o"));
        assert_eq!(get("AAA_C").as_deref(), Some("th\"ree"));
        assert_eq!(get("AAA_D").as_deref(), Some(""));
        assert_eq!(get("AAA_E").as_deref(), Some("AAAA%2Fb%3D"));
        assert_eq!(get("AAA_F"), None);
        assert_eq!(format!("{variables:?}"), "Variables { .. }");
    }

    /// What some shells write by themselves is named, since nobody sees it in an editor.
    #[test]
    fn other_encodings_are_named() {
        let text = "\u{feff}X_BEARER_TOKEN=hush\r\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [little, big] {
            let error = read(&bytes).unwrap_err();
            insta::allow_duplicates! {
                insta::assert_snapshot!(error, @"could not read `.env`: it is in UTF-16: save it as UTF-8");
            }
        }
    }

    #[test]
    fn the_process_goes_first() {
        // Cargo sets it for every test.
        let variables = read(b"CARGO_PKG_NAME=other\n").unwrap();
        assert_eq!(variables.get("CARGO_PKG_NAME").as_deref(), Some("aaa-auth"));
    }

    #[test]
    fn no_file_is_no_error_but_an_unreadable_one_is() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Variables::with_file(&directory.path().join(".env")).is_ok());
        let error = Variables::with_file(directory.path()).unwrap_err();
        assert!(matches!(error, DotEnvError::Unreadable { .. }), "{error}");
        let large = vec![b'#'; usize::try_from(MAX).unwrap() + 1];
        insta::assert_snapshot!(read(&large).unwrap_err(), @"could not read `.env`: it is larger than 1048576 bytes");
        insta::assert_snapshot!(read(b"A=\xff\n").unwrap_err(), @"could not read `.env`: stream did not contain valid UTF-8");
    }

    #[test]
    fn a_line_is_named_and_not_shown() {
        for (text, line) in [
            ("hush", 1),
            ("A=1\n\n# hush hush\nhush hush\n", 4),
            ("A=1\nB=hush hush\r\nC=1\n", 2),
            ("A=1\nB=\"hush\nC=1\n", 2),
            ("A=1\n  B='hush", 2),
            ("A=hush hush\nA=hush hush\n", 1),
            ("A='1\n2'\nB=hush hush\nC=1", 3),
            ("A='1\n2' hush hush\nB=1\n", 1),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert_eq!(error, DotEnvError::Line { path: ".env".into(), line }, "{text}");
            assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
        }
        insta::assert_snapshot!(read(b"hush").unwrap_err(), @"could not read `.env`: line 1 is not `NAME=value`; put a value with white space or `#` into quotes, and close them");
    }
}
