//! Runs cargo, and says what was run and how long it took.

use std::{
    env, fmt,
    process::Command,
    time::{Duration, Instant},
};

use crate::{outcome::Failure, workspace::Workspace};

/// A call of cargo, printed as somebody would type it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cargo {
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Cargo {
    /// Takes the arguments as a line of words.
    pub(crate) fn new(words: &str) -> Self {
        Self {
            arguments: words.split_whitespace().map(str::to_owned).collect(),
            variables: Vec::new(),
        }
    }

    /// Adds arguments.
    pub(crate) fn args<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Returns the process to start, in the directory of the root manifest.
    pub(crate) fn command(&self, workspace: &Workspace) -> Command {
        // The cargo that runs this, so that `cargo +nightly xtask` stays on one toolchain.
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&workspace.root).args(&self.arguments);
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    /// Runs it as a step.
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<(), Failure> {
        step(self, || {
            let status = self
                .command(workspace)
                .status()
                .map_err(|error| Failure::Failed(format!("cannot start cargo: {error}")))?;
            if status.success() {
                Ok(())
            } else {
                Err(Failure::Failed(format!("`{self}` failed ({status})")))
            }
        })
    }

    /// Runs it silently and returns what it printed.
    pub(crate) fn output(&self, workspace: &Workspace) -> Result<String, Failure> {
        let output = self
            .command(workspace)
            .output()
            .map_err(|error| Failure::Failed(format!("cannot start cargo: {error}")))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::Failed(format!("`{self}` failed: {}", words.trim())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl fmt::Display for Cargo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str("cargo")?;
        for argument in &self.arguments {
            write!(f, " {}", quoted(argument))?;
        }
        Ok(())
    }
}

/// Prints a step's command line before it, and its duration after it.
pub(crate) fn step<T>(
    line: &impl fmt::Display,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    println!("==> {line}");
    let (result, took) = measured(work);
    let word = if result.is_ok() { "done" } else { "failed" };
    println!("    {word} after {:.1} s", took.as_secs_f64());
    result
}

#[expect(clippy::disallowed_methods, reason = "an edge: a person wants to know how long it took")]
fn measured<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("\"{word}\"") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_typed() {
        let cargo =
            Cargo::new("doc --workspace").args(["-p", "x"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(cargo.to_string(), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --workspace -p x");
    }

    #[test]
    fn failure_is_told_with_the_words_of_cargo() {
        let workspace = Workspace::load().unwrap();
        let version = Cargo::new("--version").output(&workspace).unwrap();
        assert!(version.starts_with("cargo "), "{version}");
        match Cargo::new("no-such-command").output(&workspace) {
            Err(Failure::Failed(message)) => {
                assert!(message.contains("cargo no-such-command"), "{message}");
                assert!(message.contains("no such command"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}
