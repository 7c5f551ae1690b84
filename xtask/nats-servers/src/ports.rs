//! Ports that nobody else takes while a server is about to.
//!
//! A server of a cluster has to know the ports of the others before they run, and keeps its own when
//! it is started anew, so the system cannot give them out at that moment. A port that was free just
//! now may be given to any connection of any test, if it is one of those that the system gives out;
//! so these are others, and no two processes or threads begin at the same one.

use std::{
    io,
    net::TcpListener,
    process,
    sync::atomic::{AtomicU16, Ordering::Relaxed},
};

/// Below what systems give out to connections (from 32768 on Linux, from 49152 elsewhere).
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// How far apart two processes begin: more than one needs.
const APART: u32 = 200;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Returns so many.
///
/// # Errors
///
/// Fails when none is free.
pub(crate) fn free(count: usize) -> io::Result<Vec<u16>> {
    let begin = u16::try_from(process::id().wrapping_mul(APART) % u32::from(COUNT)).unwrap_or(0);
    let ports = (0..COUNT).map(|_| FIRST + begin.wrapping_add(NEXT.fetch_add(1, Relaxed)) % COUNT);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let ports: Vec<_> = ports.filter(is_free).take(count).collect();
    if ports.len() == count { Ok(ports) } else { Err(io::ErrorKind::AddrInUse.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_given_out_twice() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ports = [free(3).unwrap(), free(3).unwrap()].concat();
        ports.push(taken.local_addr().unwrap().port());
        assert!(ports.iter().all(|port| *port >= FIRST));
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 7);
        // One that somebody listens on is passed over.
        let next = FIRST + (ports[2] - FIRST + 100) % COUNT;
        let listener = TcpListener::bind(("127.0.0.1", next));
        assert!(listener.is_err() || !free(200).unwrap().contains(&next));
    }
}
