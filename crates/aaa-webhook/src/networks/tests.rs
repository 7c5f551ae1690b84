use std::net::{Ipv4Addr, Ipv6Addr};

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn networks(text: &str) -> Networks {
    text.parse().unwrap()
}

fn headers(name: &'static str, lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    headers
}

/// Asks a proxy at 10.0.0.1, which is trusted as all of 10.0.0.0/8 and fd00::/8 are.
fn client(header: ProxyHeader, lines: &[&str]) -> Result<IpAddr, ClientError> {
    let proxies = TrustedProxies::new(networks("10.0.0.0/8,fd00::/8"), header);
    proxies.client(address("10.0.0.1"), &headers(header_name(header), lines))
}

#[test]
fn what_is_in_a_network() {
    for (list, inside, outside) in [
        ("203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
        ("203.0.113.7", "203.0.113.7", "203.0.113.6"),
        ("203.0.113.7/32", "::ffff:203.0.113.7", "::203.0.113.7"),
        ("0.0.0.0/0", "255.255.255.255", "::1"),
        ("::/0", "2001:db8::1", "1.2.3.4"),
        ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
        // Written as IPv6, meant as IPv4.
        ("::ffff:203.0.113.0/120", "203.0.113.9", "203.0.112.9"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.8"),
        ("::ffff:0.0.0.0/96", "8.8.8.8", "::1"),
        (" 192.0.2.1 ,\t203.0.113.0/31", "203.0.113.1", "203.0.113.2"),
    ] {
        let networks = networks(list);
        assert!(networks.contains(address(inside)), "{list} {inside}");
        assert!(!networks.contains(address(outside)), "{list} {outside}");
    }
    assert!(!Networks::default().contains(address("127.0.0.1")));
    let both = networks("192.0.2.1").and(networks("192.0.2.3"));
    assert_eq!(both.to_string(), "192.0.2.1/32,192.0.2.3/32");
}

#[test]
fn what_is_no_network() {
    let mut errors = Vec::new();
    for bad in [
        "",
        "192.0.2.1,",
        "x",
        "example.com",
        "192.0.2.1/33",
        "192.0.2.0/",
        "192.0.2.0/+24",
        "192.0.2.0/024x",
        "192.0.2.0/255.255.255.0",
        "2001:db8::/129",
        "192.0.2.1/24",
        "2001:db8::1/64",
        "::ffff:192.0.2.1/120",
        "192.0.2",
        "192.0.02.1",
        "[2001:db8::1]",
        "fe80::1%eth0",
        "192.0.2.1:80",
    ] {
        errors.push(bad.parse::<Networks>().unwrap_err().to_string());
    }
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn the_networks_of_x_are_nine() {
    assert_eq!(Networks::of_x().to_string(), OF_X);
    assert!(Networks::of_x().contains(address("199.59.151.255")));
    assert!(!Networks::of_x().contains(address("192.133.77.64")));
}

#[test]
fn x_forwarded_for() {
    let client = |lines: &[&str]| client(ProxyHeader::XForwardedFor, lines);
    for (lines, expected) in [
        (&["192.0.2.1"][..], "192.0.2.1"),
        (&["  192.0.2.1\t"], "192.0.2.1"),
        (&["198.51.100.1, 192.0.2.1"], "192.0.2.1"),
        (&["198.51.100.1,192.0.2.1,10.0.0.2, 10.9.9.9"], "192.0.2.1"),
        (&["198.51.100.1", "192.0.2.1"], "192.0.2.1"),
        (&["198.51.100.1, 192.0.2.1", "10.0.0.2"], "192.0.2.1"),
        (&["192.0.2.1:4711"], "192.0.2.1"),
        (&["2001:db8::1"], "2001:db8::1"),
        (&["[2001:db8::1]"], "2001:db8::1"),
        (&["[2001:db8::1]:4711, fd00::2"], "2001:db8::1"),
        (&["::ffff:192.0.2.1, ::ffff:10.0.0.2"], "192.0.2.1"),
        // What the client says of itself is not even read.
        (&["no address, \", unknown,,192.0.2.1"], "192.0.2.1"),
        (&["\u{e4}", "192.0.2.1"], "192.0.2.1"),
    ] {
        assert_eq!(client(lines), Ok(address(expected)), "{lines:?}");
    }
    for (lines, expected) in [
        (&[][..], ClientError::Missing),
        (&[""], ClientError::Malformed),
        (&["192.0.2.1,"], ClientError::Malformed),
        (&["192.0.2.1", ""], ClientError::Malformed),
        (&["192.0.2.1, x"], ClientError::Malformed),
        (&["192.0.2.1, x, 10.0.0.2"], ClientError::Malformed),
        (&["192.0.2.1 10.0.0.2"], ClientError::Malformed),
        (&["192.0.2.1:"], ClientError::Malformed),
        (&["192.0.2.1:123456"], ClientError::Malformed),
        (&["192.0.2.1:x"], ClientError::Malformed),
        (&["192.0.2.01"], ClientError::Malformed),
        (&["[192.0.2.1]"], ClientError::Malformed),
        (&["[2001:db8::1"], ClientError::Malformed),
        (&["[2001:db8::1]4711"], ClientError::Malformed),
        (&["fe80::1%eth0"], ClientError::Malformed),
        (&["\"192.0.2.1\""], ClientError::Malformed),
        (&["192.0.2.1", "\u{e4}"], ClientError::Malformed),
        (&["192.0.2.1, unknown"], ClientError::Untold),
        (&["10.0.0.3, 10.0.0.2"], ClientError::OnlyProxies),
    ] {
        assert_eq!(client(lines), Err(expected), "{lines:?}");
    }
}

#[test]
fn forwarded() {
    let client = |lines: &[&str]| client(ProxyHeader::Forwarded, lines);
    for (lines, expected) in [
        (&["for=192.0.2.1"][..], "192.0.2.1"),
        (&["For=\"192.0.2.1\""], "192.0.2.1"),
        (&["for=192.0.2.60;proto=http;by=203.0.113.43"], "192.0.2.60"),
        (&["by=203.0.113.43; host=\"a;b,c\\\"d\\\\\" ;for=192.0.2.1"], "192.0.2.1"),
        (&["for=192.0.2.43, for=198.51.100.17"], "198.51.100.17"),
        (&["for=192.0.2.43;", "for=10.0.0.2, ;for=10.0.0.3"], "192.0.2.43"),
        (&["For=\"[2001:db8:cafe::17]:4711\""], "2001:db8:cafe::17"),
        (&["for=\"[2001:db8:cafe::17]\""], "2001:db8:cafe::17"),
        (&["for=\"192.0.2.1:_port\""], "192.0.2.1"),
        (&["for=\"[::ffff:192.0.2.1]\", for=10.0.0.2"], "192.0.2.1"),
        // Half a quotation of the client's does not swallow what the proxy adds.
        (&["for=\"198.51.100.1, for=192.0.2.1"], "192.0.2.1"),
        (&["for=\"\\", "for=192.0.2.1"], "192.0.2.1"),
        (&["for=198.51.100.1;x=\", for=\"192.0.2.1\""], "192.0.2.1"),
        // What parts elements and pairs does not do so within a quotation, and a quotation ends at
        // a mark that is not escaped itself.
        (&["for=192.0.2.1;host=\"a;b,c\""], "192.0.2.1"),
        (&["for=192.0.2.1;host=\"a\\\"b;c,d\""], "192.0.2.1"),
        (&["for=192.0.2.1;host=\"a;b,c\\\\\""], "192.0.2.1"),
        (&["for=192.0.2.1;host=\"a;b,c\\\\\\\"\""], "192.0.2.1"),
    ] {
        assert_eq!(client(lines), Ok(address(expected)), "{lines:?}");
    }
    for (lines, expected) in [
        (&[][..], ClientError::Missing),
        (&[""], ClientError::Malformed),
        (&[";"], ClientError::Malformed),
        (&["proto=https"], ClientError::Malformed),
        (&["192.0.2.1"], ClientError::Malformed),
        (&["for=192.0.2.1;for=192.0.2.1"], ClientError::Malformed),
        (&["for=192.0.2.1;x"], ClientError::Malformed),
        (&["for=2001:db8::1"], ClientError::Malformed),
        (&["for=\"2001:db8::1\""], ClientError::Malformed),
        (&["for=\"192.0.2.1"], ClientError::Malformed),
        (&["for=192.0.2.1\""], ClientError::Malformed),
        (&["for=\"192.0.2\\.1\""], ClientError::Malformed),
        (&["for= 192.0.2.1"], ClientError::Malformed),
        (&["for=192.0.2.1, for=_"], ClientError::Malformed),
        (&["for=192.0.2.1, for=_a b"], ClientError::Malformed),
        (&["for=192.0.2.1, for=unknown"], ClientError::Untold),
        (&["for=192.0.2.1, for=\"_SEVKISEK:80\""], ClientError::Untold),
        (&["for=10.0.0.2"], ClientError::OnlyProxies),
    ] {
        assert_eq!(client(lines), Err(expected), "{lines:?}");
    }
}

#[test]
fn who_is_no_proxy_is_not_asked() {
    let headers = headers("x-forwarded-for", &["203.0.113.7"]);
    let trusted = TrustedProxies::new(networks("10.0.0.0/8"), ProxyHeader::XForwardedFor);
    for (proxies, peer, expected) in [
        (&trusted, "192.0.2.1", "192.0.2.1"),
        (&trusted, "::ffff:10.0.0.1", "203.0.113.7"),
        (&TrustedProxies::none(), "10.0.0.1", "10.0.0.1"),
        (&TrustedProxies::none(), "::ffff:10.0.0.1", "10.0.0.1"),
    ] {
        assert_eq!(proxies.client(address(peer), &headers), Ok(address(expected)), "{peer}");
    }
    // The header that is not written by the proxy was written by the client.
    let other = TrustedProxies::new(networks("10.0.0.0/8"), ProxyHeader::Forwarded);
    assert_eq!(other.client(address("10.0.0.1"), &headers), Err(ClientError::Missing));
}

#[test]
fn the_name_of_the_header() {
    assert_eq!("X-Forwarded-For".parse(), Ok(ProxyHeader::XForwardedFor));
    assert_eq!("forwarded".parse(), Ok(ProxyHeader::Forwarded));
    assert!("x-real-ip".parse::<ProxyHeader>().is_err());
    assert!("".parse::<ProxyHeader>().is_err());
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
        // Some that are trusted.
        any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits >> 8 | 10 << 24).into()),
        any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).into()),
        any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).to_ipv6_mapped().into()),
    ]
}

fn any_header() -> impl Strategy<Value = ProxyHeader> {
    prop_oneof![Just(ProxyHeader::XForwardedFor), Just(ProxyHeader::Forwarded)]
}

/// An element as a proxy would write it.
fn element(address: IpAddr, port: Option<u16>, header: ProxyHeader) -> String {
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let node = match address {
        IpAddr::V4(address) => format!("{address}{port}"),
        IpAddr::V6(address) => format!("[{address}]{port}"),
    };
    match header {
        ProxyHeader::XForwardedFor => node,
        ProxyHeader::Forwarded => format!("proto=https;for=\"{node}\";by=_proxy"),
    }
}

proptest! {
    #[test]
    fn networks_are_written_as_they_are_read(
        list in prop::collection::vec((any_address(), 0..=128_u8), 1..6),
    ) {
        let cut = |(address, length): (IpAddr, u8)| {
            let longest = if address.is_ipv4() { 32 } else { 128 };
            IpNet::new(address, length.min(longest)).unwrap().trunc().to_string()
        };
        let text = list.iter().copied().map(cut).collect::<Vec<_>>().join(", ");
        let read: Networks = text.parse().unwrap();
        prop_assert_eq!(&read, &read.to_string().parse().unwrap());
        let cut: Networks = cut(list[0]).parse().unwrap();
        // The network of an address that stays IPv6 has it, unless it is cut so short that IPv4
        // addresses written as IPv6 ones would be in it.
        let mapped = list[0].0.is_ipv6() && list[0].0.to_canonical().is_ipv4();
        if !mapped || list[0].1 >= 96 {
            prop_assert!(cut.contains(list[0].0));
        }
    }

    #[test]
    fn what_proxies_write_is_read(
        client_address in any_address(),
        port: Option<u16>,
        proxies in prop::collection::vec((0..1_u32 << 24, any::<Option<u16>>()), 0..4),
        header in any_header(),
        apart: bool,
    ) {
        let mut elements = vec![element(client_address, port, header)];
        for (bits, port) in proxies {
            let proxy = Ipv4Addr::from_bits(bits | 10 << 24);
            elements.push(element(proxy.into(), port, header));
        }
        let joined = elements.join(", ");
        let lines: Vec<_> =
            if apart { elements.iter().map(String::as_str).collect() } else { vec![&joined] };
        let expected = client_address.to_canonical();
        let told = client(header, &lines);
        if networks("10.0.0.0/8,fd00::/8").contains(expected) {
            prop_assert_eq!(told, Err(ClientError::OnlyProxies));
        } else {
            prop_assert_eq!(told, Ok(expected));
        }
    }

    /// Whatever a client sends, and however the proxy adds to it, changes nothing.
    #[test]
    fn what_a_client_prepends_does_not_matter(
        before in prop::collection::vec("[ -~]{0,40}|[\",;\\\\=for10. ]{0,20}", 0..4),
        address in any_address(),
        header in any_header(),
        apart: bool,
    ) {
        let last = element(address, None, header);
        let alone = client(header, &[&last]);
        prop_assume!(alone.is_ok());
        let mut lines: Vec<_> = before.iter().map(String::as_str).collect();
        let joined = format!("{}, {last}", lines.pop().unwrap_or_default());
        if apart {
            lines.extend(before.last().map(String::as_str));
            lines.push(&last);
        } else {
            lines.push(&joined);
        }
        prop_assert_eq!(client(header, &lines), alone);
    }

    #[test]
    fn a_proxy_is_never_the_client(
        lines in prop::collection::vec(
            "([ -~]{0,20}|(for=)?\"?\\[?(10\\.0\\.0\\.[0-9]|fd00::1|192\\.0\\.2\\.1)\\]?\"?[,;]? ?){0,4}",
            0..4,
        ),
        peer in any_address(),
        header in any_header(),
    ) {
        let trusted = networks("10.0.0.0/8,fd00::/8");
        let proxies = TrustedProxies::new(trusted.clone(), header);
        let name = header_name(header);
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        if let Ok(client) = proxies.client(peer, &headers(name, &lines)) {
            prop_assert!(!trusted.contains(client));
        }
        if let Ok(client) = client(header, &lines) {
            prop_assert!(!trusted.contains(client));
        }
    }
}

fn header_name(header: ProxyHeader) -> &'static str {
    match header {
        ProxyHeader::XForwardedFor => "x-forwarded-for",
        ProxyHeader::Forwarded => "forwarded",
    }
}
