//! Reads the elements of the headers in which proxies say whom they speak for.
//!
//! From the right, since only what stands at the right was written by somebody who is trusted.
//! What stands before it may hold half a quotation, and must not change how the rest is read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{ClientError, ProxyHeader};

/// Returns the elements of a line, the last one first, without the white space around them.
pub(super) fn elements(line: &[u8], header: ProxyHeader) -> impl Iterator<Item = &[u8]> {
    let quotes = header == ProxyHeader::Forwarded;
    split(line, b',', quotes).map(<[u8]>::trim_ascii)
}

/// Returns the address that an element names.
pub(super) fn address(element: &[u8], header: ProxyHeader) -> Result<IpAddr, ClientError> {
    match header {
        ProxyHeader::XForwardedFor => {
            let text = std::str::from_utf8(element).map_err(|_| ClientError::Malformed)?;
            // Some write IPv6 addresses without brackets here, which leaves no room for a port.
            text.parse::<Ipv6Addr>().map(IpAddr::V6).or_else(|_| node(text))
        }
        ProxyHeader::Forwarded => node(value_of_for(element)?),
    }
}

/// Splits from the right, at bytes that are not within a quoted string.
fn split(line: &[u8], separator: u8, quotes: bool) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let Some(at) = last(line, separator, quotes) else { return rest.take() };
        rest = line.get(..at);
        line.get(at.saturating_add(1)..)
    })
}

/// A quotation mark behind an odd number of backslashes is part of what is quoted; one that opens
/// or closes never stands there.
fn last(line: &[u8], separator: u8, quotes: bool) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in line.iter().enumerate().rev() {
        if *byte == b'"' && quotes {
            let before = line.get(..at).unwrap_or_default();
            let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
            quoted ^= backslashes % 2 == 0;
        } else if *byte == separator && !quoted {
            return Some(at);
        }
    }
    None
}

/// Takes the value of `for`, which has to be there once, out of `for=…;by=…;proto=…`. The grammar
/// allows for nothing between two semicolons.
fn value_of_for(element: &[u8]) -> Result<&str, ClientError> {
    let mut found = None;
    for pair in split(element, b';', true).map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()) {
        let pair = std::str::from_utf8(pair).map_err(|_| ClientError::Malformed)?;
        let (name, value) = pair.split_once('=').ok_or(ClientError::Malformed)?;
        if name.eq_ignore_ascii_case("for") && found.replace(unquoted(value)?).is_some() {
            return Err(ClientError::Malformed);
        }
    }
    found.ok_or(ClientError::Malformed)
}

/// Takes quotation marks off. Nothing that is a node needs an escape.
fn unquoted(value: &str) -> Result<&str, ClientError> {
    let inner = match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').ok_or(ClientError::Malformed)?,
        None => value,
    };
    if inner.contains(['"', '\\']) { Err(ClientError::Malformed) } else { Ok(inner) }
}

/// Reads a node of RFC 7239: an address, maybe with a port, IPv6 in brackets.
fn node(text: &str) -> Result<IpAddr, ClientError> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(ClientError::Malformed)?;
            let address: Ipv6Addr = address.parse().map_err(|_| ClientError::Malformed)?;
            let port = if port.is_empty() { None } else { Some(port) };
            let port = port.map(|port| port.strip_prefix(':').ok_or(ClientError::Malformed));
            (Ok(address.into()), port.transpose()?)
        }
        None => {
            let (name, port) = match text.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (text, None),
            };
            (named(name), port)
        }
    };
    if port.is_some_and(|port| !is_port(port)) {
        return Err(ClientError::Malformed);
    }
    name
}

fn named(name: &str) -> Result<IpAddr, ClientError> {
    if name.eq_ignore_ascii_case("unknown") || name.strip_prefix('_').is_some_and(is_obscure) {
        return Err(ClientError::Untold);
    }
    name.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| ClientError::Malformed)
}

fn is_port(port: &str) -> bool {
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    digits || port.strip_prefix('_').is_some_and(is_obscure)
}

/// What may stand behind the underscore of a name that hides an address.
fn is_obscure(rest: &str) -> bool {
    !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
