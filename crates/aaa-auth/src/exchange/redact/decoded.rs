//! A text as it is after decoding, with the way back to the text as it was.

use std::ops::Range;

/// A text in which every escape was replaced by what it stands for.
pub(super) struct Decoded {
    text: String,
    escapes: Vec<Escape>,
}

/// One escape: where it stood, and what has become of it.
struct Escape {
    before: Range<usize>,
    after: Range<usize>,
}

impl Decoded {
    /// Decodes JSON's escapes, percent signs before two hex digits, and the entities of XML, once.
    /// Only what stands for ASCII is decoded, as all of a secret is. `None` when there is nothing
    /// to decode.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut decoded = Self { text: String::new(), escapes: Vec::new() };
        let mut done = 0;
        while let Some(found) = text.get(done..).and_then(|rest| rest.find(['\\', '%', '&'])) {
            let start = done + found;
            let rest = text.get(start..).unwrap_or_default();
            let (length, char) = match escape(rest) {
                Some((length, char)) => (length, Some(char)),
                None => (1, None),
            };
            decoded.text.push_str(text.get(done..start).unwrap_or_default());
            done = start + length;
            let after = decoded.text.len();
            match char {
                Some(char) => {
                    decoded.text.push(char);
                    let after = after..decoded.text.len();
                    decoded.escapes.push(Escape { before: start..done, after });
                }
                None => decoded.text.push_str(text.get(start..done).unwrap_or_default()),
            }
        }
        decoded.text.push_str(text.get(done..).unwrap_or_default());
        if decoded.escapes.is_empty() { None } else { Some(decoded) }
    }

    /// Returns the decoded text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the place in the text as it was; an escape is never divided.
    pub(super) fn origin(&self, place: &Range<usize>) -> Range<usize> {
        let last = self.origin_of(place.end.saturating_sub(1));
        self.origin_of(place.start).start..last.end
    }

    /// Returns what has become the byte at some place.
    fn origin_of(&self, at: usize) -> Range<usize> {
        let next = self.escapes.partition_point(|escape| escape.after.start <= at);
        match next.checked_sub(1).and_then(|last| self.escapes.get(last)) {
            Some(escape) if at < escape.after.end => escape.before.clone(),
            Some(escape) => {
                let start = escape.before.end + (at - escape.after.end);
                start..start + 1
            }
            None => at..at + 1,
        }
    }
}

/// Reads the escape at the beginning of a text: its length, and what it stands for.
fn escape(text: &str) -> Option<(usize, char)> {
    let ascii = |code: u32| char::from_u32(code).filter(char::is_ascii);
    let hex = |at: Range<usize>| {
        let digits = text.get(at).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    match text.as_bytes() {
        [b'%', ..] => Some((3, ascii(hex(1..3)?)?)),
        [b'\\', b'u', ..] => Some((6, ascii(hex(2..6)?)?)),
        [b'\\', b'n', ..] => Some((2, '\n')),
        [b'\\', b'r', ..] => Some((2, '\r')),
        [b'\\', b't', ..] => Some((2, '\t')),
        [b'\\', byte @ (b'"' | b'\'' | b'\\' | b'/'), ..] => Some((2, char::from(*byte))),
        [b'&', ..] => entity(text),
        _ => None,
    }
}

fn entity(text: &str) -> Option<(usize, char)> {
    // The longest that counts is `&#x0000007e;`.
    let end = text.bytes().take(12).position(|byte| byte == b';')?;
    let name = text.get(1..end)?;
    let char = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(digits) => u8::from_str_radix(digits, 16),
                None => digits.parse(),
            };
            char::from(code.ok().filter(u8::is_ascii)?)
        }
    };
    Some((end + 1, char))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_escape() {
        for (text, decoded) in [
            (r#"a\u0041\n\"\/\\x"#, "aA\n\"/\\x"),
            ("%41%2f%2F%", "A//%"),
            ("&amp;&#65;&#x41;&quot;&apos;&lt;&gt;", "&AA\"'<>"),
            ("%2541", "%41"),
        ] {
            assert_eq!(Decoded::of(text).unwrap().text(), decoded, "{text}");
        }
        // Nothing, or nothing of a secret's.
        for text in [
            "", "plain", "%4", "%4g", "%c3%a4", r"\u00e4", r"\u004", r"\x", "&auml;", "&#xe4;",
            "&;",
        ] {
            assert!(Decoded::of(text).is_none_or(|decoded| decoded.text() == text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_place_has_its_origin(text in r#"([a-zä]|%4[1-9]|\\u004[1-9]|\\\\|&amp;|&#65;){0,20}"#) {
            if let Some(decoded) = Decoded::of(&text) {
                let mut back = String::new();
                for (at, c) in decoded.text().char_indices() {
                    let origin = decoded.origin(&(at..at + c.len_utf8()));
                    let origin = text.get(origin).unwrap();
                    let once = Decoded::of(origin);
                    prop_assert_eq!(once.as_ref().map_or(origin, Decoded::text), c.to_string());
                    back += origin;
                }
                prop_assert_eq!(back, text);
            }
        }
    }
}
