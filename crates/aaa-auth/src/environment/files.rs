use std::{
    cell::Cell,
    collections::{BTreeSet, HashMap, hash_map::Entry},
    fmt,
    fs::{File, Metadata},
    io,
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
    warnings: Vec<DotEnvWarning>,
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
        let (bytes, metadata) = match File::open(path) {
            Ok(file) => {
                let bytes = read_bounded(&file, MAX).map_err(unreadable)?;
                (bytes, file.metadata().map_err(unreadable)?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { file: HashMap::new(), warnings: Vec::new() });
            }
            Err(error) => return Err(unreadable(error)),
        };
        // Editors of some systems begin a file with a byte order mark.
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        // PowerShell writes so by itself.
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(unreadable(io::Error::other("it is in UTF-16: save it as UTF-8")));
        }
        let mut file: HashMap<_, Zeroizing<String>> = HashMap::new();
        let mut twice = BTreeSet::new();
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
            let value = Zeroizing::new(value);
            match file.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                Entry::Occupied(entry) if *entry.get() == value => {}
                Entry::Occupied(entry) => {
                    twice.insert(entry.key().clone());
                }
            }
        }
        let path = || path.to_owned();
        let twice = twice.into_iter().map(|name| DotEnvWarning::Twice { path: path(), name });
        let holds_secrets = file.iter().any(|(name, value)| is_secret(name) && !value.is_empty());
        let mode = mode(&metadata).filter(|mode| holds_secrets && mode & READ_BY_OTHERS != 0);
        let exposed = mode.map(|mode| DotEnvWarning::Exposed { path: path(), mode });
        Ok(Self { warnings: twice.chain(exposed).collect(), file })
    }

    /// Returns what is wrong with the file although it could be read.
    pub fn warnings(&self) -> &[DotEnvWarning] {
        &self.warnings
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

/// The rights of a file by which others than its owner can read it.
const READ_BY_OTHERS: u32 = 0o044;

/// Returns the rights of a file, where there are such.
fn mode(metadata: &Metadata) -> Option<u32> {
    #[cfg(unix)]
    let mode = Some(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777);
    #[cfg(not(unix))]
    let mode = {
        let _ = metadata;
        None
    };
    mode
}

/// Says whether a variable holds a secret, by its name: it may be that of another app.
fn is_secret(name: &str) -> bool {
    ["SECRET", "SECRET_PREVIOUS", "TOKEN", "PASSWORD"].iter().any(|end| name.ends_with(end))
}

/// `.env` can be read, and something is wrong with it all the same. No value is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DotEnvWarning {
    /// It holds secrets, and others can read it.
    #[non_exhaustive]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// A variable stands there more than once, with different values. The first counts.
    #[non_exhaustive]
    Twice {
        /// The file.
        path: PathBuf,
        /// The variable.
        name: String,
    },
}

impl fmt::Display for DotEnvWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exposed { path, mode } => {
                let path = path.display();
                write!(
                    f,
                    "`{path}` holds secrets and has mode {mode:04o}, so that others can read it: \
                     `chmod 600 {path}`"
                )
            }
            Self::Twice { path, name } => write!(
                f,
                "`{}` has {name} more than once, with different values: the first counts",
                path.display()
            ),
        }
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

    #[test]
    fn what_is_wrong_with_a_file_that_can_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env");
        let warnings = |text: &str, mode: u32| {
            fs::write(&path, text).unwrap();
            #[cfg(unix)]
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            let variables = Variables::with_file(&path).unwrap();
            let shown = variables
                .warnings()
                .iter()
                .map(|warning| warning.to_string().replace(&path.display().to_string(), ".env"));
            let _ = mode;
            shown.collect::<Vec<_>>().join("\n")
        };
        let twice = "AAA_A=hush\nAAA_B=1\nAAA_A=hush hush\nAAA_B=1\nAAA_A=hush\n";
        let twice = twice.replace("hush hush", "hushhush");
        insta::assert_snapshot!(warnings(&twice, 0o600), @"`.env` has AAA_A more than once, with different values: the first counts");
        for mode in [0o600, 0o700, 0o611] {
            assert_eq!(warnings("X_CONSUMER_SECRET=hush\n", mode), "");
        }
        for public in ["", "X_CONSUMER_KEY=a\nX_API_URL=b\n", "X_CONSUMER_SECRET=\n"] {
            assert_eq!(warnings(public, 0o644), "");
        }
        #[cfg(unix)]
        for (name, mode) in [
            ("X_CONSUMER_SECRET", 0o644),
            ("SHOP_CONSUMER_SECRET_PREVIOUS", 0o640),
            ("X_BEARER_TOKEN", 0o604),
            ("AAA_DASHBOARD_PASSWORD", 0o666),
        ] {
            let shown = warnings(&format!("{name}=hush\n"), mode);
            let expected = format!(
                "`.env` holds secrets and has mode {mode:04o}, so that others can read it: `chmod \
                 600 .env`"
            );
            assert_eq!(shown, expected);
        }
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
