//! The reference as Markdown.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command};

const BEGINNING: &str = "\
# Reference

Every command of `aaa`, its flags, and what it prints as JSON. `aaa COMMAND --help` says the same;
this file is made from it by `cargo xtask reference`, and a test compares the two.

Data goes to stdout, everything else to stderr. Colours and progress appear on a terminal only, and
no colours where `NO_COLOR` is set. `AAA_LOG` sets what the log on stderr shows: `error`, `warn`,
`info` (default), `debug`.

";

const EXIT_CODES: &str = "\
## Exit codes

| Code | Means |
|---|---|
| 0 | done |
| 1 | failed; `verify` and `doctor`: something is wrong |
| 2 | used wrongly |
| 3 | credentials are missing or refused |
| 4 | the API does not answer |
| 5 | the API refuses |
| 6 | data is lost or cannot be recovered |

";

/// What is printed as JSON, by example. A test runs each command and compares the members.
const JSON: &str = include_str!("json.md");

/// Writes the reference of these commands, the whole program first.
pub(super) fn of(commands: &[Command]) -> String {
    let mut text = BEGINNING.to_owned();
    let Some((program, commands)) = commands.split_first() else { return text };
    text.push_str("## Commands\n\n");
    for command in commands {
        let (name, about) = (name(command), about(command));
        let depth = name.split(' ').count().saturating_sub(2);
        let (indent, anchor) = ("  ".repeat(depth), name.replace(' ', "-"));
        let _ = writeln!(text, "{indent}* [`{name}`](#{anchor}): {about}");
    }
    text.push('\n');
    text.push_str(EXIT_CODES);
    text.push_str("## Credentials\n\nEvery command takes these; a variable, in the environment or \
                   in `.env`, is the better place for a\nsecret, since every user of a machine sees \
                   the flags of all processes.\n\n");
    flags(&mut text, program.get_arguments().filter(|arg| arg.is_global_set()));
    for command in commands {
        section(&mut text, command);
    }
    text.push_str(JSON);
    text
}

fn section(text: &mut String, command: &Command) {
    let _ = write!(text, "## {}\n\n{}.\n\n", name(command), about(command));
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let _ = write!(text, "```text\n{usage}\n```\n\n");
    let is_own = |arg: &&Arg| !is_credential(arg) && !arg.is_hide_set();
    let (positional, named): (Vec<_>, Vec<_>) =
        command.get_arguments().filter(is_own).partition(|arg| arg.is_positional());
    flags(text, positional.into_iter().chain(named));
    if let Some(after) = command.get_after_help() {
        let after = after.to_string();
        let _ = write!(text, "```text\n{}\n```\n\n", after.trim_end());
    }
}

/// The credentials have a section of their own, and help and version need none.
fn is_credential(arg: &Arg) -> bool {
    let heading = arg.get_help_heading().unwrap_or_default();
    heading.starts_with("Credentials") || matches!(arg.get_id().as_str(), "help" | "version")
}

fn flags<'a>(text: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    let rows: Vec<_> = arguments.filter(|arg| arg.get_id() != "help").map(row).collect();
    if !rows.is_empty() {
        let _ = write!(text, "| Flag | Means |\n|---|---|\n{}\n\n", rows.join("\n"));
    }
}

fn row(arg: &Arg) -> String {
    let values: Vec<_> = arg.get_value_names().unwrap_or_default().iter().collect();
    let values: String = values.iter().map(|value| format!(" {value}")).collect();
    let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let flag = match (arg.get_long(), takes) {
        (Some(long), true) if arg.is_require_equals_set() => {
            format!("--{long}[={}]", values.trim_start())
        }
        (Some(long), true) => format!("--{long}{values}"),
        (Some(long), false) => format!("--{long}"),
        (None, _) => values.trim_start().to_owned(),
    };
    let mut means = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let possible: Vec<_> =
        arg.get_possible_values().iter().map(|v| format!("`{}`", v.get_name())).collect();
    if takes && !possible.is_empty() {
        let _ = write!(means, " ({})", possible.join(", "));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
    if takes && !defaults.is_empty() {
        let _ = write!(means, " [default: {}]", defaults.join(", "));
    }
    format!("| `{}` | {} |", flag.replace('|', "\\|"), means.replace('|', "\\|").replace('\n', " "))
}

fn name(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).to_owned()
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}
