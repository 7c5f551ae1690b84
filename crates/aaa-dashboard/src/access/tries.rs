//! How often a wrong password may be tried.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};

/// So many wrong passwords are looked at in so much time from one sender: enough for whoever
/// mistypes, and too few to guess with. Those who are signed in notice nothing of it.
const FROM_ONE: u32 = 10;

/// So many from everybody together. It is what bounds somebody with many addresses, and far enough
/// above the other that nobody with a few of them keeps the right password from being looked at.
const FROM_ALL: u32 = 500;

const PER: Duration = Duration::from_secs(60);

/// From where a password comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Sender(IpAddr);

impl From<IpAddr> for Sender {
    fn from(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            // Whoever has one address of IPv6 has as many as they like, in a network of this size.
            IpAddr::V6(v6) => {
                let network = u128::from(v6) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(network))
            }
            v4 => v4,
        })
    }
}

impl Sender {
    /// Finds out who sends a request, where the server tells the other side's address.
    ///
    /// On loopback that is a proxy or somebody on this machine. What a proxy has added at the right
    /// end of `X-Forwarded-For` tells its senders apart; somebody on this machine can write there
    /// what they like, and the limit for everybody together holds for them all the same.
    pub(crate) fn of(extensions: &Extensions, headers: &HeaderMap) -> Option<Self> {
        let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        let forwarded = || {
            let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            last.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
        };
        let ip = if peer.ip().to_canonical().is_loopback() {
            forwarded().unwrap_or(peer.ip())
        } else {
            peer.ip()
        };
        Some(Self::from(ip))
    }
}

/// The wrong passwords of this minute. No more senders are kept than wrong passwords are looked at.
#[derive(Debug, Default)]
pub(super) struct Tries {
    since: Duration,
    all: u32,
    /// Whoever is not known shares one count.
    of: HashMap<Option<Sender>, u32>,
}

impl Tries {
    /// Says how long a sender has to wait, if at all.
    pub(super) fn wait(&mut self, sender: Option<Sender>, now: Duration) -> Option<Duration> {
        if now.saturating_sub(self.since) >= PER {
            *self = Self { since: now, ..Self::default() };
        }
        let own = self.of.get(&sender).copied().unwrap_or(0);
        let is_over = own >= FROM_ONE || self.all >= FROM_ALL;
        is_over.then(|| (self.since + PER).saturating_sub(now))
    }

    /// Notes a wrong password.
    pub(super) fn note(&mut self, sender: Option<Sender>, now: Duration) {
        debug_assert!(now.saturating_sub(self.since) < PER, "`wait` comes first");
        self.all += 1;
        *self.of.entry(sender).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: &str) -> Option<Sender> {
        Some(Sender::from(ip.parse::<IpAddr>().unwrap()))
    }

    /// Tries until it has to wait, and returns how often that went well.
    fn tried(tries: &mut Tries, sender: Option<Sender>, now: Duration) -> u32 {
        let mut count = 0;
        while tries.wait(sender, now).is_none() {
            tries.note(sender, now);
            count += 1;
        }
        count
    }

    #[test]
    fn each_sender_and_all_together() {
        let mut tries = Tries::default();
        let now = Duration::from_secs(3);
        for n in 0..FROM_ALL / FROM_ONE {
            assert!(tries.wait(at("203.0.113.9"), now).is_none(), "locked out by {n}");
            assert_eq!(tried(&mut tries, at(&format!("192.0.2.{n}")), now), FROM_ONE);
        }
        assert_eq!(tries.wait(at("203.0.113.9"), now), Some(Duration::from_secs(57)));
        assert_eq!(tries.of.len() as u32, FROM_ALL / FROM_ONE);
        // A minute later it begins again, and nothing is kept.
        assert_eq!(tries.wait(at("192.0.2.0"), Duration::from_secs(60)), None);
        assert!(tries.of.is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_sender() {
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }

    #[test]
    fn who_sends_is_told_by_the_connection_or_the_proxy_on_this_machine() {
        let sender = |peer: &str, forwarded: &[&str]| {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
            let mut headers = HeaderMap::new();
            for one in forwarded {
                headers.append("x-forwarded-for", one.parse().unwrap());
            }
            Sender::of(&extensions, &headers)
        };
        assert_eq!(sender("192.0.2.1:5", &[]), at("192.0.2.1"));
        assert_eq!(sender("127.0.0.1:5", &[]), at("127.0.0.1"));
        // The right end is what the proxy has seen; the rest anybody can write.
        assert_eq!(sender("127.0.0.1:5", &["10.9.9.9, 192.0.2.7"]), at("192.0.2.7"));
        assert_eq!(sender("[::1]:5", &["10.9.9.9", "192.0.2.7"]), at("192.0.2.7"));
        assert_eq!(sender("127.0.0.1:5", &["no address"]), at("127.0.0.1"));
        // Who comes from elsewhere is who they are.
        assert_eq!(sender("192.0.2.1:5", &["192.0.2.7"]), at("192.0.2.1"));
        assert_eq!(Sender::of(&Extensions::new(), &HeaderMap::new()), None);
    }
}
