//! JSON as somebody else wrote it, set out in lines: every word stays as it came.

use maud::{Markup, html};

/// More than this is not set out; the whole body can still be had.
const LONGEST: usize = 256 * 1024;

/// Deeper than this lines are not indented any further.
const DEEPEST: usize = 32;

/// A piece of the text, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    class: &'static str,
    text: String,
}

/// Sets JSON out.
pub(super) fn pretty(json: &str) -> Markup {
    let (pieces, whole) = pieces(json);
    html! {
        pre.json tabindex="0" {
            @for piece in &pieces {
                @if piece.class.is_empty() { (piece.text) } @else { span class=(piece.class) { (piece.text) } }
            }
        }
        @if !whole {
            p.note { "Only the beginning is shown." }
        }
    }
}

/// Takes a text apart; says whether that was all of it. What is no JSON is shown all the same.
fn pieces(json: &str) -> (Vec<Piece>, bool) {
    let (mut pieces, mut depth, mut length) = (Vec::new(), 0_usize, 0_usize);
    let mut rest = json.trim_start();
    while let Some(first) = rest.chars().next() {
        if length > LONGEST {
            return (pieces, false);
        }
        let end = match first {
            '"' => string_end(rest),
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            _ => rest
                .find(|c: char| c.is_ascii_whitespace() || "\"{}[],:".contains(c))
                .unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(end);
        let next = after.trim_start();
        let (class, text) = match first {
            '"' if next.starts_with(':') => ("key", visible(word)),
            '"' => ("string", visible(word)),
            '{' | '[' => {
                let close = if first == '{' { '}' } else { ']' };
                if let Some(behind) = next.strip_prefix(close) {
                    pieces.push(Piece { class: "", text: format!("{first}{close}") });
                    rest = behind.trim_start();
                    continue;
                }
                depth += 1;
                ("", format!("{first}{}", line(depth)))
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                ("", format!("{}{first}", line(depth)))
            }
            ',' => ("", format!(",{}", line(depth))),
            ':' => ("", ": ".to_owned()),
            _ => ("literal", visible(word)),
        };
        length += text.len();
        pieces.push(Piece { class, text });
        rest = next;
    }
    (pieces, true)
}

fn line(depth: usize) -> String {
    format!("\n{}", "  ".repeat(depth.min(DEEPEST)))
}

/// Returns where a string ends, its closing quote included.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Writes characters that cannot be seen, or that turn a line around, as JSON would escape them.
fn visible(text: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if is_hidden(char) {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            shown.push(char);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(json: &str) -> String {
        pieces(json).0.into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn it_is_set_out() {
        let json =
            r#"{"a":[1e400,{"b":"x \" y"},[],{ }],"c":null , "d":"","e":12345678901234567890123}"#;
        insta::assert_snapshot!(text(json), @r#"
        {
          "a": [
            1e400,
            {
              "b": "x \" y"
            },
            [],
            {}
          ],
          "c": null,
          "d": "",
          "e": 12345678901234567890123
        }
        "#);
        insta::assert_snapshot!(pretty(r#"{"<b>":"</pre><script>","n":1}"#).into_string(), @r#"
        <pre class="json" tabindex="0">{
          <span class="key">&quot;&lt;b&gt;&quot;</span>: <span class="string">&quot;&lt;/pre&gt;&lt;script&gt;&quot;</span>,
          <span class="key">&quot;n&quot;</span>: <span class="literal">1</span>
        }</pre>
        "#);
    }

    #[test]
    fn nothing_hides() {
        let json = "\"a\u{202e}b\u{0085}c\u{feff}\"";
        assert_eq!(text(json), r#""a\u202eb\u0085c\ufeff""#);
    }

    #[test]
    fn it_ends() {
        let (deep, long) = ("[".repeat(1_000_000), format!("[{}]", "1,".repeat(400_000)));
        for json in [deep, long] {
            let (pieces, whole) = pieces(&json);
            let length: usize = pieces.iter().map(|piece| piece.text.len()).sum();
            assert!(!whole && length < LONGEST + 1000, "{length}");
        }
    }

    proptest! {
        /// What was there is there, in its order, and nothing else but white space.
        #[test]
        fn no_word_changes(json in "[ \"\\\\{}\\[\\],:a-z0-9<>&é]{0,80}") {
            let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(bare(&text(&json)), bare(&json));
        }
    }
}
