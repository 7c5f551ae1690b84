//! Watches the heads of requests as they come off the wire.
//!
//! hyper keeps one of several equal lengths, and drops a length beside `chunked`, before anybody
//! can see it. A server in front may have cut the stream at the other one: what it sent on as the
//! body of one request could then be read here as the head of the next. So the lines are counted
//! here, and such a request is refused.

/// As much of a line as is looked at; no line that matters is longer.
const LINE: usize = 64;

/// Finds requests whose end is unclear, in the bytes of one connection.
///
/// It follows lengths, so that it knows where a head begins. It does not follow chunks: after a
/// request with a transfer encoding the connection has to be closed.
#[derive(Debug, Default)]
pub(super) struct Heads {
    place: Place,
    line: Vec<u8>,
    lengths: u32,
    length: Option<u64>,
    encodings: u32,
    /// How many heads began.
    heads: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first line of a head.
    #[default]
    Start,
    Head,
    /// So many bytes of a body are to come.
    Body(u64),
    /// Nobody reads on from here.
    End,
}

impl Heads {
    /// Looks at what was read. Returns the number of the first request, counted from 1, whose end
    /// is unclear, as soon as its head is whole.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Option<u64> {
        loop {
            if let Place::Body(left) = self.place {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let left = left.saturating_sub(here as u64);
                bytes = bytes.get(here..).unwrap_or_default();
                self.place = if left == 0 { Place::Start } else { Place::Body(left) };
            }
            if self.place == Place::End {
                return None;
            }
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                self.keep(bytes);
                return None;
            };
            let (line, rest) = bytes.split_at_checked(end.saturating_add(1)).unwrap_or_default();
            bytes = rest;
            if self.line_ended(line) {
                return Some(self.heads);
            }
        }
    }

    /// Says whether the first bytes of a head are there and its last ones are not.
    pub(super) fn is_within(&self) -> bool {
        match self.place {
            Place::Head => true,
            Place::Start => !self.line.trim_ascii().is_empty(),
            Place::Body(_) | Place::End => false,
        }
    }

    /// Keeps the beginning of a line of which the end is not there yet.
    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// Says whether the head that ended with the end of this line is unclear.
    fn line_ended(&mut self, end: &[u8]) -> bool {
        if self.line.is_empty() {
            return self.line(end);
        }
        self.keep(end);
        let mut line = std::mem::take(&mut self.line);
        let unclear = self.line(&line);
        line.clear();
        self.line = line;
        unclear
    }

    /// Says whether the head that ended with this line is unclear.
    fn line(&mut self, line: &[u8]) -> bool {
        // Of a longer one only the beginning is here, and half a number is another number.
        let is_whole = line.len() < LINE;
        let line = line.get(..LINE).unwrap_or(line);
        // Nothing but a line end: a line of spaces ends no head, and is refused with it.
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.place {
            // Empty lines before a request mean nothing.
            Place::Start if line.is_empty() => {}
            Place::Start => {
                self.place = Place::Head;
                self.heads = self.heads.saturating_add(1);
                (self.lengths, self.length, self.encodings) = (0, None, 0);
            }
            Place::Head if line.is_empty() => {
                // A length that is longer than a line is looked at could be anything.
                let unread = self.lengths > 0 && self.length.is_none();
                let unclear = unread || self.lengths.saturating_add(self.encodings) > 1;
                self.place = match self.length {
                    _ if unclear || self.encodings > 0 => Place::End,
                    Some(length) => Place::Body(length),
                    None => Place::Start,
                };
                return unclear;
            }
            Place::Head => self.field(line, is_whole),
            Place::Body(_) | Place::End => {}
        }
        false
    }

    fn field(&mut self, line: &[u8], is_whole: bool) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths = self.lengths.saturating_add(1);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            // What is no number is refused here as by hyper.
            let value = std::str::from_utf8(value).ok().filter(|_| is_whole);
            self.length = value.and_then(|value| value.parse().ok());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.encodings = self.encodings.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unclear(bytes: &[u8]) -> Option<u64> {
        Heads::default().read(bytes)
    }

    #[test]
    fn what_is_clear() {
        for clear in [
            "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            "\r\n\r\nPOST / HTTP/1.1\nContent-Length: 0\n\nGET / HTTP/1.1\n\n",
            // A body may say what it likes.
            "POST / HTTP/1.1\r\ncontent-length: 46\r\n\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nx-content-length: 1\r\ncontent-length-x: 1\r\ncontent-length: 0\r\n\r\n",
        ] {
            assert_eq!(unclear(clear.as_bytes()), None, "{clear}");
        }
    }

    /// Else the body would be taken for heads here, and not by whoever reads the request.
    #[test]
    fn a_length_that_is_not_read_is_not_clear() {
        for length in ["x", "", "18446744073709551616"] {
            let head = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n");
            assert_eq!(unclear(head.as_bytes()), Some(1), "{head}");
        }
        for padding in [" ".repeat(LINE), "0".repeat(LINE)] {
            let head = format!("POST / HTTP/1.1\r\ncontent-length:{padding}3\r\n\r\n");
            assert_eq!(unclear(head.as_bytes()), Some(1), "{head}");
        }
    }

    /// A line that fills all that is looked at may go on, and then its number is another one.
    #[test]
    fn half_a_number_is_not_read() {
        let name = "content-length:";
        for (length, rest, found) in [
            // The line end is part of the line.
            (LINE - 3, "\r\n", None),
            (LINE - 2, "\r\n", Some(1)),
            (LINE - 1, "\n", Some(1)),
            (LINE, "0\r\n", Some(1)),
            (LINE, "\r\n", Some(1)),
        ] {
            let zeros = "0".repeat(length - name.len() - 1);
            let begin = format!("POST / HTTP/1.1\r\n{name}{zeros}1");
            let end = format!("{rest}\r\nx");
            let mut pieces = Heads::default();
            let first = pieces.read(begin.as_bytes());
            assert_eq!((first, pieces.read(end.as_bytes())), (None, found), "{length} {rest:?}");
            assert_eq!(unclear(format!("{begin}{end}").as_bytes()), found, "{length} {rest:?}");
        }
    }

    #[test]
    fn what_is_within_a_head() {
        for (bytes, within) in [
            ("", false),
            ("\r\n\r", false),
            ("\r\nG", true),
            ("GET / HTTP/1.1\r\n", true),
            ("GET / HTTP/1.1\r\n \r\n\t\n", true),
            ("GET / HTTP/1.1\r\n\r\r\n", true),
            ("GET / HTTP/1.1\r\n\r\n", false),
            ("GET / HTTP/1.1\n\n", false),
            ("POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\na", false),
            ("POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcG", true),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1", false),
        ] {
            let mut heads = Heads::default();
            heads.read(bytes.as_bytes());
            assert_eq!(heads.is_within(), within, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_not() {
        for (request, head) in [
            (1, "POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\n"),
            (1, "POST / HTTP/1.1\r\ncontent-length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
            (1, "\nPOST / HTTP/1.1\ntransfer-encoding: x\ntransfer-encoding: chunked\n\n"),
            (
                2,
                "GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nCONTENT-LENGTH:1\r\ncontent-length:1\r\n\r\n",
            ),
            (
                2,
                "POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n\n\nGET / HTTP/1.1\r\ncontent-length:1\r\ntransfer-encoding:chunked\r\n\r\n",
            ),
        ] {
            assert_eq!(unclear(head.as_bytes()), Some(request), "{head}");
        }
    }

    proptest! {
        /// However the bytes are cut, the same is found.
        #[test]
        fn pieces_do_not_matter(
            requests in prop::collection::vec(("[a-z]{0,80}", 0..90_usize, prop::bool::ANY), 1..5),
            cuts in prop::collection::vec(1..20_usize, 1..60),
        ) {
            let mut bytes = Vec::new();
            let mut expected = None;
            for (at, (name, length, twice)) in requests.iter().enumerate() {
                let line = format!("content-length: {length}\r\n");
                let lines = line.repeat(1 + usize::from(*twice));
                bytes.extend(format!("POST / HTTP/1.1\r\nx{name}: y\r\n{lines}\r\n").bytes());
                bytes.extend(std::iter::repeat_n(b'\n', *length));
                expected = expected.or(twice.then_some(at as u64 + 1));
            }
            let mut heads = Heads::default();
            let mut found = None;
            let mut rest = bytes.as_slice();
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let cut = (*cuts.next().unwrap()).min(rest.len());
                found = found.or(heads.read(&rest[..cut]));
                rest = &rest[cut..];
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn arbitrary_bytes_never_panic(pieces: Vec<Vec<u8>>) {
            let mut heads = Heads::default();
            for piece in pieces {
                heads.read(&piece);
                prop_assert!(heads.line.len() <= LINE);
            }
        }
    }
}
