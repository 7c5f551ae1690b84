use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<WebhookUrl, UrlRefusal> {
    text.parse().map_err(|error: WebhookUrlError| error.refusal())
}

fn public(text: &str) -> Result<(), UrlRefusal> {
    parse(text)?.check_public().map_err(|error| error.refusal())
}

#[test]
fn accepted_and_refused() {
    for good in ["https://a.example/x?y=z", "http://127.0.0.1:1/", "https://[::1]:8/x"] {
        assert_eq!(parse(good).unwrap().as_str(), good);
    }
    let long = format!("https://a.example/{}", "x".repeat(183));
    for (bad, refusal) in [
        ("", UrlRefusal::Length),
        (&long, UrlRefusal::Length),
        ("/x", UrlRefusal::NotAbsolute),
        ("https://", UrlRefusal::NotAbsolute),
        ("https:a.example/x", UrlRefusal::NotAbsolute),
        ("https:///a.example/x", UrlRefusal::NotAbsolute),
        ("ftp://a/", UrlRefusal::Scheme),
        ("mailto:a.example", UrlRefusal::Scheme),
        ("https://u:p@a/", UrlRefusal::Credentials),
        ("https://u@a/", UrlRefusal::Credentials),
        ("https://@a.example/", UrlRefusal::Credentials),
        ("https://:@a.example/", UrlRefusal::Credentials),
        ("https://a/#b", UrlRefusal::Fragment),
        ("https://a/ b", UrlRefusal::Characters),
        ("https://a/\nb", UrlRefusal::Characters),
        (r"https:\\a.example:443\x", UrlRefusal::Characters),
    ] {
        assert_eq!(parse(bad).unwrap_err(), refusal, "{bad:?}");
    }
    assert!(parse(&long[..200]).is_ok());
}

#[test]
fn a_password_is_not_repeated() {
    let long = "x".repeat(300);
    for text in [
        "https://me:hush@a.example/".to_owned(),
        "https://me:hush@a.example:port/".to_owned(),
        "me:hush@a.example/".to_owned(),
        format!("https://me:hush@a.example/{long}"),
        "https://me:hush@a.example/ x".to_owned(),
    ] {
        let error = text.parse::<WebhookUrl>().unwrap_err();
        assert_eq!(error.refusal(), UrlRefusal::Credentials, "{text}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
    }
}

#[test]
fn public_rules() {
    for good in [
        "https://a.example/x",
        "HTTPS://A.Example/x",
        "https://a.example./x",
        "https://a.example/x?at=1:2",
        "https://a.example?at=1:2",
        "https://localhost.example/",
        "https://mylocal.com/",
        "https://8.8.8.8/",
        "https://172.15.255.255/",
        "https://172.32.0.1/",
        "https://100.63.255.255/",
        "https://100.128.0.0/",
        "https://223.255.255.255/",
        "https://198.20.0.0/",
        "https://[3fff:ffff::1]/",
        "https://192.0.2.7/",
        "https://[2001:db8::1]/x",
        "https://[2606:4700::1111]/",
        "https://[::ffff:8.8.8.8]/",
        "https://[64:ff9b::8.8.8.8]/",
    ] {
        assert_eq!(public(good), Ok(()), "{good}");
    }
    for (refusal, urls) in [
        (UrlRefusal::NotHttps, &["http://a.example/x", "http://127.0.0.1/"][..]),
        (
            UrlRefusal::Port,
            &[
                "https://a.example:8443/x",
                "https://a.example:443/x",
                "https://a.example:/x",
                "https://a.example:443?x",
                "https://[2001:db8::1]:443/x",
                "https://127.0.0.1:8443/",
            ],
        ),
        (
            UrlRefusal::Loopback,
            &[
                "https://localhost/",
                "https://LOCALHOST./",
                "https://a.localhost/",
                "https://127.0.0.1/",
                "https://127.1/",
                "https://2130706433/",
                "https://0x7f000001/",
                "https://0177.0.0.1/",
                "https://127.0.0.1./",
                "https://%3127.0.0.1/",
                "https://１２７.0.0.1/",
                "https://[::1]/",
                "https://[::ffff:127.0.0.1]/",
            ],
        ),
        (
            UrlRefusal::PrivateAddress,
            &[
                "https://10.0.0.1/",
                "https://172.16.0.1/",
                "https://172.31.255.255/",
                "https://192.168.1.1/",
                "https://100.64.0.0/",
                "https://100.127.255.255/",
                "https://0xa000001/",
                "https://[fd00::1]/",
                "https://[::ffff:10.0.0.1]/",
            ],
        ),
        (
            UrlRefusal::LinkLocal,
            &["https://169.254.169.254/", "https://[fe80::1]/", "https://[febf:ffff::1]/"],
        ),
        (UrlRefusal::Unspecified, &["https://0.0.0.0/", "https://0/", "https://[::]/"]),
        (
            UrlRefusal::Multicast,
            &["https://224.0.0.1/", "https://239.255.255.255/", "https://[ff02::1]/"],
        ),
        (
            UrlRefusal::Reserved,
            &[
                "https://240.0.0.0/",
                "https://255.255.255.255/",
                "https://192.0.0.170/",
                "https://198.19.255.255/",
                "https://198.18.0.1/",
                "https://[::127.0.0.1]/",
                "https://[64:ff9b::127.0.0.1]/",
                "https://[2002:c0a8:101::1]/",
                "https://[4000::1]/",
                "https://[fec0::1]/",
            ],
        ),
        (UrlRefusal::SingleLabel, &["https://intranet/", "https://example./"]),
        (
            UrlRefusal::PrivateName,
            &[
                "https://printer.local/",
                "https://a.INTERNAL./",
                "https://a.test/",
                "https://local/",
                "https://a.home.arpa/",
                "https://a.invalid/",
            ],
        ),
        (UrlRefusal::NotAbsolute, &["https://a..example/"]),
    ] {
        for url in urls {
            assert_eq!(public(url), Err(refusal), "{url}");
        }
    }
}

#[test]
fn what_a_refusal_says() {
    let error = |text: &str| parse(text).unwrap().check_public().unwrap_err();
    insta::assert_snapshot!(error("https://a.example:443/"), @"`https://a.example:443/` cannot be a webhook: X takes no port, not even 443; put a proxy or tunnel at the usual port");
    insta::assert_snapshot!(error("https://printer.local/"), @"`https://printer.local/` cannot be a webhook: its host is a name that only a private network knows; use a public name");
}

#[test]
fn loopback() {
    for (url, expected) in [
        ("http://localhost:1/", true),
        ("http://localhost.:1/", true),
        ("http://127.8.8.8/", true),
        ("http://2130706433/", true),
        ("http://[::1]/", true),
        ("http://[::ffff:127.0.0.1]/", true),
        ("http://10.0.0.1/", false),
        ("http://0.0.0.0/", false),
        ("http://localhost.example/", false),
    ] {
        let url = parse(url).unwrap();
        assert_eq!(url.is_loopback(), expected, "{url}");
        assert_eq!(url.check_registrable(true).is_ok(), expected, "{url}");
        assert!(url.check_registrable(false).is_err(), "{url}");
    }
}

/// Written in another way on purpose: what the standard library calls private, or the like.
fn is_private(ip: Ipv4Addr) -> bool {
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_unspecified()
        || ip.is_multicast()
        || ip.is_broadcast()
}

/// Addresses at the ends of every special range, and any other.
fn v4() -> impl Strategy<Value = Ipv4Addr> {
    let high = prop::sample::select(vec![
        0x0a00, 0x7f00, 0xa9fe, 0xac10, 0xac1f, 0xc0a8, 0xe000, 0xefff, 0x6440, 0,
    ]);
    prop_oneof![
        any::<u32>().prop_map(Ipv4Addr::from),
        (high, any::<u16>()).prop_map(|(high, low)| Ipv4Addr::from((high << 16) | u32::from(low))),
    ]
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in prop_oneof![".*", "https?:[/\\\\]{0,3}[a-z0-9.:@\\[\\]%#?]{0,20}"]) {
        if let Ok(url) = text.parse::<WebhookUrl>() {
            prop_assert_eq!(url.as_str(), &text);
            prop_assert_eq!(url.check_registrable(false), url.check_public());
            prop_assert_eq!(
                url.check_registrable(true).is_ok(),
                url.check_public().is_ok() || url.is_loopback(),
            );
            prop_assert!(!(url.check_public().is_ok() && url.is_loopback()));
        }
    }

    #[test]
    fn no_private_address_passes_in_any_disguise(ip in v4()) {
        let number = u32::from(ip);
        let [a, b, c, d] = ip.octets();
        let forms = [
            ip.to_string(),
            format!("{ip}."),
            number.to_string(),
            format!("{number:#x}"),
            format!("{number:#o}").replace("0o", "0"),
            format!("{a:#x}.{b}.{}", u32::from(c) * 256 + u32::from(d)),
            format!("[::ffff:{ip}]"),
            format!("[{}]", ip.to_ipv6_mapped()),
        ];
        let verdict = public(&format!("https://{ip}/"));
        for host in forms {
            prop_assert_eq!(public(&format!("https://{host}/")), verdict, "{}", host);
        }
        prop_assert!(verdict.is_err() || !is_private(ip), "{}", ip);
        let carried = public(&format!("https://[64:ff9b::{ip}]/"));
        prop_assert_eq!(carried.is_ok(), verdict.is_ok(), "{}", ip);
    }

    #[test]
    fn no_special_v6_address_passes(number: u128, prefix in prop::sample::select(vec![0xfc_u8, 0xfd, 0xfe, 0xff, 0])) {
        let ip = Ipv6Addr::from((number >> 8) | (u128::from(prefix) << 120));
        prop_assume!(ip.to_ipv4_mapped().is_none() && ip.segments()[0] != 0x64);
        prop_assert!(public(&format!("https://[{ip}]/")).is_err(), "{}", ip);
    }

    #[test]
    fn refusals_of_a_public_name_are_about_port_or_scheme(
        scheme in "https?",
        name in "[a-z]{1,9}\\.(com|example|co\\.uk|dev)\\.?",
        port in prop::option::of(1..65_535_u16),
        path in "(/[a-z0-9:@]{0,9}){0,3}",
    ) {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let expected = match (scheme.as_str(), port.as_str()) {
            ("http", _) => Err(UrlRefusal::NotHttps),
            (_, "") => Ok(()),
            _ => Err(UrlRefusal::Port),
        };
        prop_assert_eq!(public(&format!("{scheme}://{name}{port}{path}")), expected);
    }
}
