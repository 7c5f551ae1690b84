//! Colours, where somebody can see them and has not said no.

use std::{env, ffi::OsStr, io::IsTerminal};

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Green,
    Yellow,
    Red,
    /// Beside the matter.
    Dim,
    /// A heading.
    Bold,
}

impl Colour {
    fn code(self) -> u8 {
        match self {
            Self::Red => 31,
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Dim => 2,
            Self::Bold => 1,
        }
    }

    /// Puts the codes of the terminal around a text.
    pub(super) fn around(self, text: &str) -> String {
        format!("\u{1b}[{}m{text}\u{1b}[0m", self.code())
    }
}

/// Says whether colours belong on a stream: it is a terminal that has them, and `NO_COLOR`
/// (<https://no-color.org>) is not set to anything.
pub(super) fn belongs_on(stream: &impl IsTerminal) -> bool {
    stream.is_terminal()
        && wanted(env::var_os("NO_COLOR").as_deref(), env::var_os("TERM").as_deref())
}

fn wanted(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_colours() {
        let wanted = |no_color: Option<&str>, term: Option<&str>| {
            wanted(no_color.map(OsStr::new), term.map(OsStr::new))
        };
        assert!(wanted(None, None) && wanted(Some(""), Some("xterm-256color")));
        assert!(!wanted(Some("1"), None) && !wanted(None, Some("dumb")));
    }

    #[test]
    fn the_codes() {
        assert_eq!(Colour::Red.around("no"), "\u{1b}[31mno\u{1b}[0m");
    }
}
