//! Writes a JSON text in another way, without reading it: what is no JSON stays what it is.

use std::fmt::Write;

/// How a text is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rewriting {
    pub(super) spaces: Spaces,
    pub(super) slashes: Slashes,
    pub(super) unicode: Unicode,
}

/// White space outside strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spaces {
    Keep,
    Drop,
}

/// `/` in strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slashes {
    Keep,
    Escape,
    Plain,
}

/// Characters that may be written as `\u` and four digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unicode {
    Keep,
    /// All beyond ASCII, `\u00e4`.
    EscapeLower,
    /// All beyond ASCII, `\u00E4`.
    EscapeUpper,
    /// None but what must be.
    Plain,
}

/// Writes a text anew.
pub(super) fn rewrite(text: &str, how: Rewriting) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    let mut string = false;
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                string = !string;
                out.push(c);
            }
            '\\' if string => escaped(&mut out, &mut rest, how),
            '/' if string && how.slashes == Slashes::Escape => out.push_str("\\/"),
            ' ' | '\t' | '\r' | '\n' if !string && how.spaces == Spaces::Drop => {}
            c if string && !c.is_ascii() => character(&mut out, c, how.unicode),
            c => out.push(c),
        }
    }
    out
}

/// Writes what stands behind a backslash.
fn escaped(out: &mut String, rest: &mut std::str::Chars<'_>, how: Rewriting) {
    match rest.next() {
        Some('/') if how.slashes == Slashes::Plain => out.push('/'),
        Some('u') => {
            let before = rest.clone();
            match unit(rest) {
                Some(character) if may_be_plain(character) && how.unicode != Unicode::Keep => {
                    self::character(out, character, how.unicode);
                }
                _ => {
                    // Kept as it came: half a pair, what must be escaped, or no escape at all.
                    *rest = before;
                    out.push_str("\\u");
                }
            }
        }
        Some(c) => out.extend(['\\', c]),
        None => out.push('\\'),
    }
}

fn may_be_plain(c: char) -> bool {
    !c.is_control() && c != '"' && c != '\\'
}

/// Reads four digits, and those of the other half of a pair.
fn unit(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let first = four(rest)?;
    if let Some(c) = char::from_u32(u32::from(first)) {
        return Some(c);
    }
    (rest.next() == Some('\\') && rest.next() == Some('u')).then_some(())?;
    let second = four(rest)?;
    char::decode_utf16([first, second]).next()?.ok()
}

fn four(rest: &mut std::str::Chars<'_>) -> Option<u16> {
    let digits = rest.as_str().get(..4)?;
    let value = u16::from_str_radix(digits, 16).ok()?;
    rest.nth(3)?;
    Some(value)
}

fn character(out: &mut String, c: char, how: Unicode) {
    let units = |out: &mut String, upper: bool| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing into memory does not fail.
            let _ = if upper { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
        }
    };
    match how {
        Unicode::EscapeLower if !c.is_ascii() => units(out, false),
        Unicode::EscapeUpper if !c.is_ascii() => units(out, true),
        _ => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEEP: Rewriting =
        Rewriting { spaces: Spaces::Keep, slashes: Slashes::Keep, unicode: Unicode::Keep };

    fn check(text: &str, how: Rewriting, expected: &str) {
        assert_eq!(rewrite(text, how), expected, "{text}");
    }

    #[test]
    fn each_way() {
        let text = r#"{ "a" : "x\/y/ \" \\", "ä": "\u00e4\u00FC \ud83d\ude00 😀 \u0022 \u0026" }"#;
        check(text, KEEP, text);
        check(r#"{ "a b" : 1 }"#, Rewriting { spaces: Spaces::Drop, ..KEEP }, r#"{"a b":1}"#);
        let slashes = |slashes| Rewriting { slashes, ..KEEP };
        check(r#""\/ / \\/""#, slashes(Slashes::Escape), r#""\/ \/ \\\/""#);
        check(r#""\/ / \\/""#, slashes(Slashes::Plain), r#""/ / \\/""#);
        let unicode = |unicode| Rewriting { unicode, ..KEEP };
        let mixed = r#""ä \u00FC 😀 \ud83d\ude00 \ud83d \u0022 \u0026 \u00""#;
        check(mixed, unicode(Unicode::Plain), r#""ä ü 😀 😀 \ud83d \u0022 & \u00""#);
        check(
            mixed,
            unicode(Unicode::EscapeLower),
            r#""\u00e4 \u00fc \ud83d\ude00 \ud83d\ude00 \ud83d \u0022 & \u00""#,
        );
        check(r#""ü\/""#, unicode(Unicode::EscapeUpper), r#""\u00FC\/""#);
        check(r#""ü \u0026""#, unicode(Unicode::EscapeUpper), r#""\u00FC &""#);
        // Outside strings nothing is escaped, and a backslash there is no escape.
        check("ä/ \"", slashes(Slashes::Escape), "ä/ \"");
        check(r#"\/ "\/""#, slashes(Slashes::Plain), r#"\/ "/""#);
        check(r#"ä \u00e4 "ä""#, unicode(Unicode::EscapeUpper), r#"ä \u00e4 "\u00E4""#);
        check(r#"\"ä""#, unicode(Unicode::EscapeLower), r#"\"\u00e4""#);
    }

    proptest! {
        /// Another way to write it is the same value.
        #[test]
        fn the_value_stays(text: String, spaces: bool, slashes in 0..3, unicode in 0..4) {
            let json = serde_json::json!({ "text": text, "x": [text, { "y": 1 }] });
            let how = Rewriting {
                spaces: if spaces { Spaces::Drop } else { Spaces::Keep },
                slashes: [Slashes::Keep, Slashes::Escape, Slashes::Plain][slashes as usize],
                unicode: [Unicode::Keep, Unicode::EscapeLower, Unicode::EscapeUpper, Unicode::Plain]
                    [unicode as usize],
            };
            let written = rewrite(&serde_json::to_string_pretty(&json).unwrap(), how);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), json);
            let again = rewrite(&rewrite(&written, KEEP), how);
            prop_assert_eq!(again, written);
        }

        #[test]
        fn arbitrary_text_never_panics(text in r#"([\\u"/a-f0-9 ä😀]|\PC){0,60}"#) {
            for unicode in [Unicode::EscapeLower, Unicode::Plain] {
                rewrite(&text, Rewriting { spaces: Spaces::Drop, slashes: Slashes::Plain, unicode });
            }
        }
    }
}
