use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Why a URL cannot be a webhook, and what to do instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum UrlRefusal {
    /// It is empty, or longer than X takes.
    #[error("it must have 1 to 200 characters")]
    Length,
    /// It contains what no URL contains.
    #[error("it contains white space, control characters or a backslash")]
    Characters,
    /// It is not a URL, or a relative one.
    #[error("it is not an absolute URL, such as https://example.com/webhooks/twitter")]
    NotAbsolute,
    /// It is of another scheme.
    #[error("only `https` (and `http` on loopback) can be a webhook")]
    Scheme,
    /// It contains a user or a password.
    #[error("it must not contain a user or a password")]
    Credentials,
    /// It contains a fragment.
    #[error("it must not contain a fragment, which is never sent")]
    Fragment,
    /// It is `http`, which X refuses.
    #[error("X only takes `https`; put a proxy or tunnel with a certificate before the receiver")]
    NotHttps,
    /// It names a port, be it the one of `https`.
    #[error("X takes no port, not even 443; put a proxy or tunnel at the usual port")]
    Port,
    /// Its host is this machine, as seen from X's: a loopback address or `localhost`.
    #[error("its host is the machine itself; X needs a public name, that of a tunnel for instance")]
    Loopback,
    /// Its host is an address of a private network.
    #[error("its host is an address of a private network, which X cannot reach; use a public name")]
    PrivateAddress,
    /// Its host is an address of a single network segment.
    #[error("its host is a link-local address, which X cannot reach; use a public name")]
    LinkLocal,
    /// Its host is no address, but the wish to listen on all of them.
    #[error("its host is an unspecified address, good for listening only; use a public name")]
    Unspecified,
    /// Its host is an address of a group.
    #[error("its host is a multicast address; use a public name")]
    Multicast,
    /// Its host is an address that is reserved for something else.
    #[error("its host is a reserved address, which X cannot reach; use a public name")]
    Reserved,
    /// Its host is a name without a dot.
    #[error("its host is a name without a domain, which X cannot find; use the full public name")]
    SingleLabel,
    /// Its host is a name that only private networks know.
    #[error("its host is a name that only a private network knows; use a public name")]
    PrivateName,
}

/// Ends of names that no public server answers for (RFC 2606, 6761, 6762, 7686, 8375 and the
/// `.internal` of ICANN, and two that routers hand out). Those of the documentation are left out.
const PRIVATE_SUFFIXES: [&str; 8] =
    ["local", "internal", "test", "invalid", "onion", "lan", "home", "home.arpa"];

/// Says why X cannot reach the host. The parser has brought decimal, octal and hexadecimal
/// addresses into the usual form and decoded names.
pub(super) fn of_host(url: &Url) -> Option<UrlRefusal> {
    match url.host() {
        Some(Host::Domain(name)) => of_name(name),
        Some(Host::Ipv4(ip)) => of_v4(ip),
        Some(Host::Ipv6(ip)) => of_v6(ip),
        None => Some(UrlRefusal::NotAbsolute),
    }
}

fn of_name(name: &str) -> Option<UrlRefusal> {
    // A dot at the end only says that the name is complete.
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let ends_with = |suffix: &&str| {
        let before = name.strip_suffix(*suffix);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    if ends_with(&"localhost") {
        Some(UrlRefusal::Loopback)
    } else if PRIVATE_SUFFIXES.iter().any(ends_with) {
        Some(UrlRefusal::PrivateName)
    } else if !name.contains('.') {
        Some(UrlRefusal::SingleLabel)
    } else if name.split('.').any(str::is_empty) {
        Some(UrlRefusal::NotAbsolute)
    } else {
        None
    }
}

fn of_v4(ip: Ipv4Addr) -> Option<UrlRefusal> {
    match ip.octets() {
        [0, ..] => Some(UrlRefusal::Unspecified),
        [127, ..] => Some(UrlRefusal::Loopback),
        [169, 254, ..] => Some(UrlRefusal::LinkLocal),
        // Besides the three of RFC 1918, what providers share among customers.
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => {
            Some(UrlRefusal::PrivateAddress)
        }
        [224..=239, ..] => Some(UrlRefusal::Multicast),
        // Protocol assignments, benchmarks, and what was never given out.
        [192, 0, 0, _] | [198, 18 | 19, ..] | [240..=255, ..] => Some(UrlRefusal::Reserved),
        _ => None,
    }
}

fn of_v6(ip: Ipv6Addr) -> Option<UrlRefusal> {
    if let Some(v4) = ip.to_ipv4_mapped() {
        return of_v4(v4);
    }
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(UrlRefusal::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(UrlRefusal::Loopback),
        // Two ways to carry an IPv4 address through IPv6 networks: as reachable as that is.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            let v4 = Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
            of_v4(v4).map(|_| UrlRefusal::Reserved)
        }
        [0xfc00..=0xfdff, ..] => Some(UrlRefusal::PrivateAddress),
        [0xfe80..=0xfebf, ..] => Some(UrlRefusal::LinkLocal),
        [0xff00..=0xffff, ..] => Some(UrlRefusal::Multicast),
        // Only this eighth of all addresses is given out.
        [0x2000..=0x3fff, ..] => None,
        _ => Some(UrlRefusal::Reserved),
    }
}
