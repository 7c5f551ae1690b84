//! Reading sentences that were written for people.

/// Returns the words in lower case, one space between them and no punctuation.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.extend(word.chars().map(|c| c.to_ascii_lowercase()));
    }
    plain
}

/// Returns the beginning, fit for a terminal and a log line, and a sign if there is more.
pub(super) fn excerpt(text: &str, most: usize) -> String {
    let mut characters = text.chars();
    let printable = |c: char| if c.is_control() || turns(c) { ' ' } else { c };
    let mut excerpt: String = characters.by_ref().take(most).map(printable).collect();
    if characters.next().is_some() {
        excerpt.push('…');
    }
    excerpt
}

/// Says whether a character makes a terminal show what is around it in another order.
fn turns(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words() {
        assert_eq!(plain(" Non-200 response\tcode (i.e. 404)."), "non 200 response code i e 404");
        assert_eq!(plain("..."), "");
    }

    #[test]
    fn beginnings() {
        assert_eq!(excerpt("a\nb\u{1b}[1m", 10), "a b [1m");
        assert_eq!(excerpt("a\u{202e}b\u{2066}c", 10), "a b c");
        assert_eq!(excerpt("äöü", 3), "äöü");
        assert_eq!(excerpt("äöü", 2), "äö…");
    }
}
