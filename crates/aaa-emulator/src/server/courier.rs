//! Deliveries over connections that are kept: one buffer out, one in, nothing in between.
//!
//! An emulator that loads a receiver spends its time here. So an ordinary delivery over plain HTTP
//! goes no further than this; whatever is special (TLS, faults of the wire) is left to hyper.

use std::{
    collections::HashMap,
    io::{self, ErrorKind},
    sync::{Mutex, PoisonError},
};

use aaa_webhook::signature;
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::world::{Answer, Post, Wire};

/// How much of an answer is kept; what is beyond ends the connection.
const MAX_BODY: usize = 64 * 1024;

/// How long the head of an answer may be, and a line between its chunks.
const MAX_HEAD: usize = 32 * 1024;

/// How many connections to one webhook wait for their next delivery.
const MAX_IDLE: usize = 256;

/// Keeps connections.
#[derive(Debug, Default)]
pub(super) struct Courier {
    idle: Mutex<HashMap<String, Vec<Connection>>>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    read: BytesMut,
}

/// Where an ordinary delivery goes: whom to connect to, and what to ask for there. Whatever would
/// not stand in a request as it is has no such place.
pub(super) fn place_of(post: &Post) -> Option<(&str, &str)> {
    let is_value = |text: &str| text.bytes().all(|b| b == b'\t' || (b >= b' ' && b != 0x7f));
    let is_ordinary = post.wire == Wire::Whole
        && is_value(&post.signature)
        && post.headers.iter().all(|(_, value)| is_value(value));
    place(&post.uri).filter(|_| is_ordinary)
}

fn place(uri: &str) -> Option<(&str, &str)> {
    let rest =
        uri.strip_prefix("http://").filter(|rest| rest.bytes().all(|b| b.is_ascii_graphic()))?;
    let (authority, target) = rest.split_at(rest.find(['/', '?', '#'])?);
    let is_plain = target.starts_with('/') && !target.contains('#') && !authority.contains('@');
    is_plain.then_some((authority, target))
}

impl Courier {
    /// Sends a delivery.
    ///
    /// # Errors
    ///
    /// Fails when there is no connection, or it ends before the answer does.
    pub(super) async fn post(
        &self,
        (authority, target): (&str, &str),
        post: &Post,
    ) -> io::Result<Answer> {
        let mut connection = match self.take(authority) {
            Some(connection) => connection,
            None => Connection::open(authority).await?,
        };
        connection.write_request(authority, target, post);
        let (answer, is_kept) = connection.exchange().await?;
        if is_kept {
            self.put_back(authority, connection);
        }
        Ok(answer)
    }

    /// Returns a connection that the other side has not ended.
    fn take(&self, authority: &str) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = idle.get_mut(authority)?;
        while let Some(connection) = idle.pop() {
            if connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    fn put_back(&self, authority: &str, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.get_mut(authority) {
            if idle.len() < MAX_IDLE {
                idle.push(connection);
            }
        } else {
            idle.insert(authority.to_owned(), vec![connection]);
        }
    }
}

impl Connection {
    async fn open(authority: &str) -> io::Result<Self> {
        let port = authority.rsplit_once(':').map(|(_, port)| port.bytes());
        let has_port = port.is_some_and(|mut port| port.all(|b| b.is_ascii_digit()));
        let stream = if has_port {
            TcpStream::connect(authority).await?
        } else {
            TcpStream::connect(format!("{authority}:80")).await?
        };
        stream.set_nodelay(true)?;
        Ok(Self { stream, out: Vec::new(), read: BytesMut::new() })
    }

    /// Says whether nothing came since the last answer, not even an end.
    fn is_quiet(&self) -> bool {
        let nothing = self.stream.try_read(&mut [0]);
        self.read.is_empty() && nothing.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    fn write_request(&mut self, authority: &str, target: &str, post: &Post) {
        let length = post.body.len().to_string();
        let signature_header = signature::HEADER;
        self.out.clear();
        let own = [
            ["POST ", target, " HTTP/1.1\r\nhost: "],
            [authority, "\r\ncontent-type: application/json\r\n", signature_header.as_str()],
            [": ", &post.signature, "\r\n"],
        ];
        let more = post.headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]);
        let end = ["content-length: ", &length, "\r\n\r\n"];
        for part in own.into_iter().flatten().chain(more).chain(end) {
            self.out.extend_from_slice(part.as_bytes());
        }
        self.out.extend_from_slice(&post.body);
    }

    /// Sends what was written; returns the answer, and whether another may follow.
    async fn exchange(&mut self) -> io::Result<(Answer, bool)> {
        let sent = self.stream.write_all(&self.out).await;
        // Who refuses may answer before the end, and not read the rest.
        let answer = self.answer().await;
        match (sent, answer) {
            (Ok(()), answer) => answer,
            (Err(_), Ok((answer, _))) => Ok((answer, false)),
            (Err(error), Err(_)) => Err(error),
        }
    }

    async fn answer(&mut self) -> io::Result<(Answer, bool)> {
        let head = loop {
            match head(&self.read)? {
                // Something else follows.
                Some((length, head)) if (100..200).contains(&head.status) => {
                    self.read.advance(length);
                }
                Some((length, head)) => {
                    self.read.advance(length);
                    break head;
                }
                None if self.read.len() > MAX_HEAD => return Err(invalid("its head is too long")),
                None => self.more().await?,
            }
        };
        let (body, is_whole) = match head.body {
            Framing::None => (Bytes::new(), true),
            Framing::Length(length) => self.sized(length).await?,
            Framing::Chunked => self.chunked().await?,
            Framing::UntilEnd => (self.until_end().await?, false),
        };
        let Head { status, content_type, content_encoding, is_kept, .. } = head;
        Ok((Answer { status, body, content_type, content_encoding }, is_kept && is_whole))
    }

    async fn sized(&mut self, length: usize) -> io::Result<(Bytes, bool)> {
        let kept = length.min(MAX_BODY);
        while self.read.len() < kept {
            self.more().await?;
        }
        Ok((self.read.split_to(kept).freeze(), kept == length))
    }

    async fn chunked(&mut self) -> io::Result<(Bytes, bool)> {
        let mut body = BytesMut::new();
        loop {
            let line = self.line().await?;
            let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            let size = std::str::from_utf8(size).ok().filter(|size| !size.starts_with('+'));
            let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
            let size = size.ok_or_else(|| invalid("a chunk has no size"))?;
            if size == 0 {
                while !self.line().await?.is_empty() {}
                return Ok((body.freeze(), true));
            }
            let (chunk, is_whole) = self.sized(size.min(MAX_BODY - body.len())).await?;
            let is_cut = chunk.len() < size;
            body.extend_from_slice(&chunk);
            if is_cut || !is_whole {
                return Ok((body.freeze(), false));
            }
            if !self.line().await?.is_empty() {
                return Err(invalid("a chunk is longer than it says"));
            }
        }
    }

    async fn until_end(&mut self) -> io::Result<Bytes> {
        while self.read.len() < MAX_BODY && self.stream.read_buf(&mut self.read).await? > 0 {}
        let kept = self.read.len().min(MAX_BODY);
        Ok(self.read.split_to(kept).freeze())
    }

    /// Takes a line, without its end.
    async fn line(&mut self) -> io::Result<Bytes> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line = self.read.split_to(end).freeze();
                self.read.advance(2);
                return Ok(line);
            }
            if self.read.len() > MAX_HEAD {
                return Err(invalid("a line of it is too long"));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            let words = "it ended before the answer did";
            return Err(io::Error::new(ErrorKind::UnexpectedEof, words));
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    content_type: Option<String>,
    content_encoding: Option<String>,
    body: Framing,
    is_kept: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilEnd,
}

/// Reads a head, once all of it is there, and how long it is.
fn head(bytes: &[u8]) -> io::Result<Option<(usize, Head)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut headers);
    let length = match answer.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(invalid(&error.to_string())),
    };
    let find = |name: &str| answer.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
    let text = |name: &str| find(name).map(|h| String::from_utf8_lossy(h.value).into_owned());
    let status = answer.code.unwrap_or_default();
    let body = if matches!(status, 204 | 304) {
        Framing::None
    } else if let Some(coding) = find("transfer-encoding") {
        let is_chunked = coding.value.to_ascii_lowercase().ends_with(b"chunked");
        if is_chunked { Framing::Chunked } else { Framing::UntilEnd }
    } else if let Some(length) = find("content-length") {
        let length = std::str::from_utf8(length.value).ok().map(str::trim);
        let length = length.filter(|length| length.bytes().all(|b| b.is_ascii_digit()));
        let length = length.and_then(|length| length.parse().ok());
        Framing::Length(length.ok_or_else(|| invalid("its length is no number"))?)
    } else {
        Framing::UntilEnd
    };
    let connection = find("connection").map(|h| h.value.to_ascii_lowercase());
    let is_kept = answer.version == Some(1)
        && connection.is_none_or(|value| !value.windows(5).any(|five| five == b"close"));
    let head = Head {
        status,
        content_type: text("content-type"),
        content_encoding: text("content-encoding"),
        body,
        is_kept,
    };
    Ok(Some((length, head)))
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the answer is not HTTP: {why}"))
}

#[cfg(test)]
mod tests;
