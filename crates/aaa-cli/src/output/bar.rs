//! A line on a terminal that the next one takes the place of.

use std::{
    io::{self, IsTerminal},
    sync::{Mutex, PoisonError},
};

/// What is assumed where a terminal does not tell.
const WIDTH: usize = 80;

/// What is shown.
static SHOWN: Mutex<String> = Mutex::new(String::new());

/// Shows a text in the place of the last; an empty one clears the line. Only a person at a terminal
/// sees it, and what is as it was is not drawn again.
pub(crate) fn bar(text: &str) {
    if !io::stderr().is_terminal() {
        return;
    }
    let text = cut(text, width());
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if *shown != text {
        super::stderr::push(format!("\r\u{1b}[2K{text}").into_bytes());
        *shown = text;
    }
}

/// Cuts a text so that it stays in one line: one that goes on in the next cannot be taken back.
fn cut(text: &str, width: usize) -> String {
    let room = width.saturating_sub(1);
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(room.saturating_sub(1)).collect();
    if room > 0 {
        cut.push('…');
    }
    cut
}

#[cfg(unix)]
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    size.ok().map(|size| usize::from(size.ws_col)).filter(|width| *width > 0).unwrap_or(WIDTH)
}

#[cfg(not(unix))]
fn width() -> usize {
    WIDTH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_never_longer_than_the_terminal() {
        assert_eq!(cut("[##--] 2 of 4", 80), "[##--] 2 of 4");
        assert_eq!(cut("[##--] 2 of 4", 14), "[##--] 2 of 4");
        assert_eq!(cut("[##--] 2 of 4", 13), "[##--] 2 of…");
        assert_eq!(cut("äöü", 3), "ä…");
        assert_eq!((cut("x", 1), cut("x", 0)), (String::new(), String::new()));
    }
}
