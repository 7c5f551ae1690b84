//! What is written about the commands: completions, manual pages and the reference, all of it made
//! from what the parser of the command line knows.

mod markdown;

use std::{
    fs,
    io::{self, Write},
};

use clap::{Command, CommandFactory};
use serde_json::json;

use crate::{
    cli::{Cli, CompletionsArgs, ManArgs},
    exit::{Exit, Failure},
    output,
};

/// Prints the completions of a shell.
///
/// # Errors
///
/// Fails when stdout cannot be written.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut public(), "aaa", &mut script);
    if args.json {
        let script = String::from_utf8_lossy(&script);
        return output::json(&json!({ "shell": args.shell.to_string(), "script": script }));
    }
    print(&script)
}

/// Writes a manual page for each command, or prints the reference, `docs/REFERENCE.md`.
///
/// # Errors
///
/// Fails when the directory cannot be made or written.
pub(crate) fn man(args: &ManArgs) -> Result<(), Failure> {
    let Some(directory) = &args.dir else {
        return print(markdown::of(&commands(public())).as_bytes());
    };
    let failed = |what: &std::path::Path, error: io::Error| {
        let tried = format!("could not write the manual pages to `{}`", what.display());
        Exit::Failed.of(&tried, error).advise("name a directory that you may write to")
    };
    fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    let mut pages = Vec::new();
    for command in commands(public()) {
        let man = clap_mangen::Man::new(command).source(concat!("aaa ", env!("CARGO_PKG_VERSION")));
        let path = directory.join(man.get_filename());
        let mut page = Vec::new();
        man.render(&mut page).map_err(|error| failed(&path, error))?;
        fs::write(&path, page).map_err(|error| failed(&path, error))?;
        pages.push(path.display().to_string());
    }
    if args.json {
        return output::json(&json!({ "pages": pages }));
    }
    output::line(format_args!("{} pages in {}", pages.len(), directory.display())).map(drop)
}

/// The whole definition, without what is hidden.
fn public() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// A command and all below it, in the order of the help, each by its full name. What is hidden,
/// and `help`, is left out.
fn commands(command: Command) -> Vec<Command> {
    let name = command.get_bin_name().unwrap_or(command.get_name()).replace(' ', "-");
    let shown = |below: &&Command| !below.is_hide_set() && below.get_name() != "help";
    let below: Vec<_> = command.get_subcommands().filter(shown).cloned().collect();
    let mut all = vec![command.display_name(name)];
    all.extend(below.into_iter().flat_map(commands));
    all
}

/// Writes bytes as data. Nobody reading any more is no failure.
fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Exit::Failed.of("could not write to stdout", error))
        }
        _ => Ok(()),
    }
}
