//! What is known to happen to bodies, and how it is undone.

use super::json::{self, Rewriting, Slashes, Spaces, Unicode};

/// Something that was done to a body after X had signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Change {
    /// A line end at its end, as editors write it.
    #[error("a line end was put at its end")]
    LineEnd,
    /// White space around it.
    #[error("white space was put around it")]
    Around,
    /// White space at its end that was taken away.
    #[error("a line end at its end was taken away")]
    NoLineEnd,
    /// A byte order mark at its start.
    #[error("a byte order mark was put before it")]
    ByteOrderMark,
    /// Line feeds became pairs of carriage return and line feed.
    #[error("its line ends were changed")]
    LineEnds,
    /// UTF-8 was taken for Latin-1 and written as UTF-8.
    #[error("it was taken for Latin-1 and encoded again")]
    EncodedTwice,
    /// UTF-8 was written as Latin-1.
    #[error("it was written as Latin-1")]
    Latin1,
    /// White space between the words of the JSON.
    #[error("white space was put between the words of the JSON")]
    Spaces,
    /// `\/` became `/`, or the other way round.
    #[error("`\\/` became `/` or the other way round")]
    Slashes,
    /// `\u00e4` became `ä`, or the other way round.
    #[error("characters became escapes (`\\u00e4`) or the other way round")]
    Escapes,
}

/// Looks for changes that, undone, lead to bytes that fit; few of them before many.
pub(super) fn undo<T>(body: &[u8], fits: impl Fn(&[u8]) -> Option<T>) -> Option<(Vec<Change>, T)> {
    let bases = bases(body);
    let changed = bases.iter().filter(|(_, changes)| !changes.is_empty());
    let mut plain = changed.filter_map(|(bytes, changes)| Some((changes.clone(), fits(bytes)?)));
    if let Some(found) = plain.next() {
        return Some(found);
    }
    let mut found: Vec<_> = rewritings()
        .into_iter()
        .filter_map(|(rewriting, of_json)| {
            bases.iter().find_map(|(bytes, changes)| {
                let text = std::str::from_utf8(bytes).ok()?;
                let fit = fits(json::rewrite(text, rewriting).as_bytes())?;
                Some(([changes.as_slice(), of_json.as_slice()].concat(), fit))
            })
        })
        .collect();
    found.sort_by_key(|(changes, _)| changes.len());
    found.into_iter().next()
}

/// The body, and what it may have been before something was done to its bytes.
fn bases(body: &[u8]) -> Vec<(Vec<u8>, Vec<Change>)> {
    let mut bases = vec![(body.to_vec(), Vec::new())];
    let mut add = |bytes: Option<Vec<u8>>, changes: &[Change]| {
        if let Some(bytes) = bytes.filter(|bytes| bytes != body) {
            bases.push((bytes, changes.to_vec()));
        }
    };
    let marked = body.strip_prefix("\u{feff}".as_bytes());
    let ended = |bytes: &[u8]| {
        let bytes = bytes.strip_suffix(b"\n")?;
        Some(bytes.strip_suffix(b"\r").unwrap_or(bytes).to_vec())
    };
    add(ended(body), &[Change::LineEnd]);
    add(marked.map(<[u8]>::to_vec), &[Change::ByteOrderMark]);
    add(marked.and_then(ended), &[Change::ByteOrderMark, Change::LineEnd]);
    add(Some(body.trim_ascii().to_vec()), &[Change::Around]);
    add(Some([body, b"\n"].concat()), &[Change::NoLineEnd]);
    add(Some([body, b"\r\n"].concat()), &[Change::NoLineEnd]);
    add(Some(without_carriage_returns(body)), &[Change::LineEnds]);
    add(Some(with_carriage_returns(body)), &[Change::LineEnds]);
    let trimmed = body.trim_ascii();
    add(single_bytes(body), &[Change::EncodedTwice]);
    add(single_bytes(trimmed), &[Change::EncodedTwice, Change::LineEnd]);
    add(utf8(body), &[Change::Latin1]);
    add(utf8(trimmed), &[Change::Latin1, Change::LineEnd]);
    bases
}

fn without_carriage_returns(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len());
    for (at, byte) in body.iter().enumerate() {
        let pair = *byte == b'\r' && body.get(at.saturating_add(1)) == Some(&b'\n');
        if !pair {
            bytes.push(*byte);
        }
    }
    bytes
}

fn with_carriage_returns(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len());
    for byte in body {
        if *byte == b'\n' && bytes.last() != Some(&b'\r') {
            bytes.push(b'\r');
        }
        bytes.push(*byte);
    }
    bytes
}

/// Takes each character for one byte.
fn single_bytes(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok().filter(|text| !text.is_ascii())?;
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

/// Takes each byte for one character.
fn utf8(body: &[u8]) -> Option<Vec<u8>> {
    let latin1 = std::str::from_utf8(body).is_err();
    latin1.then(|| body.iter().copied().map(char::from).collect::<String>().into_bytes())
}

/// Every way in which the JSON may have been written before, with what was changed.
fn rewritings() -> Vec<(Rewriting, Vec<Change>)> {
    let mut all = Vec::new();
    for spaces in [Spaces::Keep, Spaces::Drop] {
        for slashes in [Slashes::Keep, Slashes::Escape, Slashes::Plain] {
            for unicode in
                [Unicode::Keep, Unicode::EscapeLower, Unicode::EscapeUpper, Unicode::Plain]
            {
                let changes = [
                    (spaces != Spaces::Keep).then_some(Change::Spaces),
                    (slashes != Slashes::Keep).then_some(Change::Slashes),
                    (unicode != Unicode::Keep).then_some(Change::Escapes),
                ];
                let changes: Vec<_> = changes.into_iter().flatten().collect();
                if !changes.is_empty() {
                    all.push((Rewriting { spaces, slashes, unicode }, changes));
                }
            }
        }
    }
    all
}
