//! `cargo xtask peers [--spec FILE]`: the emulator as programs of other people see it.
//!
//! X's own Python SDK has to work with it unchanged, and schemathesis, which makes up requests from
//! X's description of its API, must find no answer that says the server failed. Both come from the
//! Python package index into an environment under `target`, and so only when a person asks for them:
//! this is no part of the gate. What cannot be had is skipped, and said to be.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{
    cargo::{Cargo, step},
    outcome::Failure,
    workspace::Workspace,
};

/// With what schemathesis says who it is: the app, and a user.
const TOKENS: [(&str, &str); 2] = [("app", "emulator-bearer"), ("user", "1-emulator-oauth2")];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let spec = spec(arguments)?;
    let workspace = Workspace::load()?;
    Cargo::new("build --quiet --package aaa-cli").run(&workspace)?;
    let python = Python::new(&workspace.target.join("peers"))?;
    let Some(python) = python else {
        println!("skipped: both checks need python3 with its module venv");
        return Ok(());
    };
    let emulator = Emulator::start(&workspace.target.join("debug").join("aaa"))?;
    let mut lines = Vec::new();
    lines.push(if python.has("xdk") {
        let script = workspace.root.join("xtask/peers/sdk.py");
        let ran = python.run(Path::new("python"), [script.as_os_str(), emulator.url.as_ref()])?;
        ran.map_err(|output| Failure::Failed(format!("X's SDK does not work:\n{output}")))?
    } else {
        "skipped: xdk cannot be installed".to_owned()
    });
    match spec {
        None => lines.push("skipped: schemathesis needs X's description, `--spec FILE`".to_owned()),
        Some(_) if !python.has("schemathesis") => {
            lines.push("skipped: schemathesis cannot be installed".to_owned());
        }
        Some(spec) => {
            for (who, token) in TOKENS {
                emulator.reset()?;
                lines.push(fuzz(&python, &spec, &emulator.url, who, token)?);
            }
        }
    }
    lines.iter().for_each(|line| println!("{}", line.trim()));
    Ok(())
}

fn spec(arguments: &[String]) -> Result<Option<PathBuf>, Failure> {
    match arguments {
        [] => Ok(None),
        [option, file] if option == "--spec" => std::path::absolute(file)
            .map(Some)
            .map_err(|error| Failure::Usage(format!("`{file}`: {error}"))),
        _ => Err(Failure::Usage("peers wants `--spec FILE`, or nothing".to_owned())),
    }
}

/// Has requests made up, and returns a line about them.
fn fuzz(
    python: &Python,
    spec: &Path,
    url: &str,
    who: &str,
    token: &str,
) -> Result<String, Failure> {
    let header = format!("authorization:Bearer {token}");
    let arguments = [
        "run",
        "--url",
        url,
        "--checks",
        "not_a_server_error",
        "--header",
        &header,
        "--max-examples",
        "50",
        "--seed",
        "1",
        "--warnings",
        "off",
        "--no-color",
    ];
    let arguments = arguments.iter().map(AsRef::as_ref).chain([spec.as_os_str()]);
    match python.run(Path::new("schemathesis"), arguments)? {
        Ok(output) => {
            let cases = generated(&output)
                .ok_or_else(|| Failure::Failed(format!("schemathesis says:\n{output}")))?;
            Ok(format!("schemathesis as the {who}: {cases}, no 5xx"))
        }
        Err(output) => Err(Failure::Failed(format!("schemathesis as the {who}:\n{output}"))),
    }
}

/// Finds how many requests were made up.
fn generated(output: &str) -> Option<String> {
    let line = output.lines().find(|line| line.contains(" generated"))?;
    Some(line.trim().to_owned())
}

/// An environment with what could be installed.
struct Python {
    directory: PathBuf,
    bin: PathBuf,
}

impl Python {
    /// Makes the environment, if there is a Python, and installs both packages.
    fn new(directory: &Path) -> Result<Option<Self>, Failure> {
        let bin = directory.join("bin");
        if !bin.join("python").exists() {
            let mut command = Command::new("python3");
            command.args(["-m", "venv"]).arg(directory);
            if !quietly("python3 -m venv", command)? {
                return Ok(None);
            }
        }
        let python = Self { directory: directory.to_owned(), bin };
        for package in ["xdk", "schemathesis"] {
            if !python.has(package) {
                let mut command = Command::new(python.bin.join("python"));
                command.args(["-m", "pip", "install", "--quiet", package]);
                // What is not there is noticed where it is needed.
                quietly(&format!("pip install {package}"), command)?;
            }
        }
        Ok(Some(python))
    }

    fn has(&self, package: &str) -> bool {
        let mut command = Command::new(self.bin.join("python"));
        command.args(["-c", &format!("import {package}")]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Runs a program of the environment. What it printed is returned as an error when it failed.
    fn run<S: AsRef<std::ffi::OsStr>>(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Result<String, String>, Failure> {
        let output = step(&program.display(), || {
            let mut command = Command::new(self.bin.join(program));
            // What it remembers of its findings stays with it.
            command.current_dir(&self.directory);
            let output = command.args(arguments).stdin(Stdio::null()).output();
            output.map_err(|error| failed(&program.display(), &error))
        })?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            Ok(Ok(text))
        } else {
            Ok(Err(text + &String::from_utf8_lossy(&output.stderr)))
        }
    }
}

/// Runs a command, and says whether it is there and did what it should.
fn quietly(name: &str, mut command: Command) -> Result<bool, Failure> {
    step(&name, || match command.stdout(Stdio::null()).status() {
        Ok(status) => Ok(status.success()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(&name, &error)),
    })
}

/// An emulator of its own, killed when this is dropped.
struct Emulator {
    child: Child,
    url: String,
}

impl Emulator {
    fn start(program: &Path) -> Result<Self, Failure> {
        let mut child = Command::new(program)
            .args(["emulate", "--bind", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&program.display(), &error))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let read = BufReader::new(stdout).read_line(&mut line);
            read.map_err(|error| failed(&program.display(), &error))?;
        }
        let url = line.trim().strip_prefix("listening on ").unwrap_or_default().to_owned();
        let emulator = Self { child, url };
        if emulator.url.is_empty() {
            return Err(Failure::Failed("the emulator does not say where it listens".to_owned()));
        }
        Ok(emulator)
    }

    fn reset(&self) -> Result<(), Failure> {
        let address = self.url.trim_start_matches("http://");
        let request = format!(
            "POST /_emulator/reset HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        let exchange = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = exchange().map_err(|error| failed(&"the emulator", &error))?;
        if answer.starts_with("HTTP/1.1 200") {
            Ok(())
        } else {
            Err(Failure::Failed(format!("the emulator does not begin anew: {answer}")))
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn failed(what: &dyn std::fmt::Display, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(spec(&[]).unwrap(), None);
        assert!(spec(&words("--spec x.json")).unwrap().unwrap().is_absolute());
        for bad in ["--spec", "x.json", "--spec a b"] {
            assert!(matches!(spec(&words(bad)), Err(Failure::Usage(_))), "{bad}");
        }
    }

    #[test]
    fn cases_are_counted() {
        let output = "Test cases:\n  1,234 generated, 1,234 passed\n";
        assert_eq!(generated(output).as_deref(), Some("1,234 generated, 1,234 passed"));
        assert_eq!(generated("No operations"), None);
    }
}
