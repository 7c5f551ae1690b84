//! `aaa completions` and `aaa man`, and their flags.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

pub(super) const COMPLETIONS_HELP: &str = "Examples:
  aaa completions bash > ~/.local/share/bash-completion/completions/aaa
  aaa completions zsh > ~/.zfunc/_aaa
  aaa completions fish > ~/.config/fish/completions/aaa.fish";

pub(super) const MAN_HELP: &str = "Examples:
  aaa man ~/.local/share/man/man1
  aaa man --markdown > REFERENCE.md";

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
    /// Print the script within a JSON value
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where the pages go, one for each command; made when it is not there
    #[arg(required_unless_present = "markdown")]
    pub(crate) dir: Option<PathBuf>,
    /// Print one text instead, with what each command prints as JSON, by example
    #[arg(long, conflicts_with_all = ["dir", "json"])]
    pub(crate) markdown: bool,
    /// Print the paths of the pages as one JSON value
    #[arg(long)]
    pub(crate) json: bool,
}
