//! The URL, its name, port and TLS.

use std::net::{IpAddr, SocketAddr};

use aaa_types::WebhookUrl;
use jiff::Timestamp;
use url::Url;

use super::super::{
    connection::{Connected, Tls, TlsFailure, TlsTrouble},
    report::{Check, Finding},
};

/// A certificate that ends sooner should have been renewed by now.
const RENEWED_BY_NOW: i64 = 14;

pub(in super::super) fn url(url: &WebhookUrl, api_is_loopback: bool) -> Finding {
    match (url.check_registrable(api_is_loopback), url.check_public()) {
        (Ok(()), Ok(())) => Finding::ok(Check::Url, "X takes it"),
        (Ok(()), Err(public)) => Finding::warning(
            Check::Url,
            "an emulator on this machine takes it, X does not",
            advice(&public.refusal().to_string()),
        ),
        (Err(error), _) => {
            let words = error.refusal().to_string();
            Finding::wrong(Check::Url, first(&words), advice(&words))
        }
    }
}

/// A refusal says what is wrong and, after a semicolon, what to do.
fn first(words: &str) -> &str {
    words.split_once("; ").map_or(words, |(first, _)| first)
}

fn advice(words: &str) -> String {
    let advice = words.split_once("; ").map_or(words, |(_, advice)| advice);
    format!("{advice}: X takes `https` without a port, on a public name")
}

pub(in super::super) fn dns(
    addresses: &Result<Vec<SocketAddr>, String>,
    api_is_loopback: bool,
) -> Finding {
    let addresses = match addresses {
        Ok(addresses) => addresses,
        Err(words) => {
            return Finding::wrong(
                Check::Dns,
                format!("the name is not found: {words}"),
                "set an A or AAAA record for it that everybody can ask for, or correct the URL",
            );
        }
    };
    let list: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let list = list.join(", ");
    match addresses.iter().find(|address| !is_public(address.ip())) {
        Some(private) if !api_is_loopback => Finding::wrong(
            Check::Dns,
            format!("{list}: X cannot reach {}", private.ip()),
            "have the name lead to a public address: that of a proxy or a tunnel",
        ),
        _ => Finding::ok(Check::Dns, list),
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified())
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => {
                !(v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local())
            }
        },
    }
}

pub(in super::super) fn connection(
    connected: &Connected,
    url: &Url,
    api_is_loopback: bool,
    now: Timestamp,
) -> Vec<Finding> {
    let port = url.port_or_known_default().unwrap_or(443);
    let took = match &connected.tcp {
        Ok(took) => took,
        Err(words) => {
            return vec![Finding::wrong(
                Check::Connection,
                format!("port {port} takes no connection: {words}"),
                "start the receiver and whatever stands before it, and let connections from \
                 outside through",
            )];
        }
    };
    let mut findings = vec![Finding::ok(
        Check::Connection,
        format!("port {port}, after {:.0} ms", took.as_secs_f64() * 1000.0),
    )];
    match &connected.tls {
        Some(Ok(tls)) => {
            let certificates = if tls.chain == 1 { "certificate" } else { "certificates" };
            let words = format!("{}, {} {certificates}", tls.version, tls.chain);
            findings.push(Finding::ok(Check::Tls, words));
            findings.extend(certificate(tls, now));
        }
        Some(Err(failure)) => findings.push(handshake(failure)),
        None if api_is_loopback => findings.push(Finding::warning(
            Check::Tls,
            "none: what is delivered can be read on the way",
            "X delivers to `https` only; on this machine it does not matter",
        )),
        None => findings.push(Finding::wrong(
            Check::Tls,
            "none: X delivers to `https` only",
            "put a proxy or tunnel with a certificate before the receiver, or give it one with \
             `aaa listen --tls-cert FILE --tls-key FILE`",
        )),
    }
    findings
}

fn certificate(tls: &Tls, now: Timestamp) -> Option<Finding> {
    let validity = tls.validity?;
    let left = validity.until.duration_since(now);
    Some(days(left.as_hours().div_euclid(24), &format!("{:.0}", validity.until)))
}

fn days(days: i64, until: &str) -> Finding {
    let found = match days {
        1 => format!("valid for one more day, until {until}"),
        days => format!("valid for {days} more days, until {until}"),
    };
    if days >= RENEWED_BY_NOW {
        return Finding::ok(Check::Certificate, found);
    }
    Finding::warning(
        Check::Certificate,
        found,
        "see that its renewal runs: with an expired one X takes the webhook as broken at once",
    )
}

fn handshake(failure: &TlsFailure) -> Finding {
    let fix = match failure.kind {
        TlsTrouble::Expired => "renew the certificate, and have the server read it again",
        TlsTrouble::NotYetValid => "set the clock of this machine, or of who made the certificate",
        TlsTrouble::UnknownIssuer => {
            "have the server send the whole chain (`fullchain.pem`: its own certificate and the \
             intermediate ones), from an authority that everybody trusts; X takes no self-signed \
             certificate"
        }
        TlsTrouble::OtherName => "get a certificate for the name in the URL",
        TlsTrouble::NoCertificates => {
            "install the CA certificates of this machine (mostly a package `ca-certificates`)"
        }
        TlsTrouble::Other => {
            "see that the port speaks TLS 1.2 or 1.3, and what the server's log says"
        }
    };
    Finding::wrong(Check::Tls, format!("no handshake: {}", failure.words), fix)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn told(findings: impl IntoIterator<Item = Finding>) -> String {
        findings.into_iter().map(|finding| finding.line()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn urls() {
        let urls = [
            ("https://example.com/hook", true),
            ("https://example.com/hook", false),
            ("http://127.0.0.1:8080/hook", true),
            ("http://127.0.0.1:8080/hook", false),
            ("https://example.com:8443/hook", true),
            ("https://10.0.0.1/hook", false),
        ];
        let found = urls.map(|(text, loopback)| url(&text.parse().unwrap(), loopback));
        insta::assert_snapshot!(told(found), @"
        ok URL: X takes it
        ok URL: X takes it
        warning URL: an emulator on this machine takes it, X does not | put a proxy or tunnel with a certificate before the receiver: X takes `https` without a port, on a public name
        wrong URL: X only takes `https` | put a proxy or tunnel with a certificate before the receiver: X takes `https` without a port, on a public name
        wrong URL: X takes no port, not even 443 | put a proxy or tunnel at the usual port: X takes `https` without a port, on a public name
        wrong URL: its host is an address of a private network, which X cannot reach | use a public name: X takes `https` without a port, on a public name
        ");
    }

    #[test]
    fn names() {
        let found = |addresses: &[&str]| -> Result<Vec<SocketAddr>, String> {
            Ok(addresses.iter().map(|a| SocketAddr::new(a.parse().unwrap(), 443)).collect())
        };
        let judged = [
            dns(&found(&["203.0.113.7", "2001:db8::7"]), false),
            dns(&found(&["203.0.113.7", "10.0.0.7"]), false),
            dns(&found(&["fe80::1"]), false),
            dns(&found(&["::ffff:192.168.0.1"]), false),
            dns(&found(&["127.0.0.1"]), true),
            dns(&Err("no such name".to_owned()), true),
        ];
        insta::assert_snapshot!(told(judged), @"
        ok DNS: 203.0.113.7, 2001:db8::7
        wrong DNS: 203.0.113.7, 10.0.0.7: X cannot reach 10.0.0.7 | have the name lead to a public address: that of a proxy or a tunnel
        wrong DNS: fe80::1: X cannot reach fe80::1 | have the name lead to a public address: that of a proxy or a tunnel
        wrong DNS: ::ffff:192.168.0.1: X cannot reach ::ffff:192.168.0.1 | have the name lead to a public address: that of a proxy or a tunnel
        ok DNS: 127.0.0.1
        wrong DNS: the name is not found: no such name | set an A or AAAA record for it that everybody can ask for, or correct the URL
        ");
    }

    #[test]
    fn connections() {
        let https = Url::parse("https://example.com/hook").unwrap();
        let http = Url::parse("http://127.0.0.1:8080/hook").unwrap();
        let tcp = || Ok(Duration::from_millis(12));
        let failed = |kind| Some(Err(TlsFailure { kind, words: "its words".to_owned() }));
        let good = Tls { version: "TLS 1.3".to_owned(), chain: 2, validity: None };
        let mut judged = vec![
            connection(&Connected { tcp: tcp(), tls: Some(Ok(good)) }, &https, false, NOW),
            connection(&Connected { tcp: tcp(), tls: None }, &http, true, NOW),
            connection(&Connected { tcp: tcp(), tls: None }, &http, false, NOW),
            connection(&Connected { tcp: Err("refused".to_owned()), tls: None }, &http, true, NOW),
        ];
        for kind in [
            TlsTrouble::Expired,
            TlsTrouble::NotYetValid,
            TlsTrouble::UnknownIssuer,
            TlsTrouble::OtherName,
            TlsTrouble::Other,
            TlsTrouble::NoCertificates,
        ] {
            let mut found =
                connection(&Connected { tcp: tcp(), tls: failed(kind) }, &https, false, NOW);
            judged.push(vec![found.pop().unwrap()]);
        }
        insta::assert_snapshot!(told(judged.into_iter().flatten()), @"
        ok connection: port 443, after 12 ms
        ok TLS: TLS 1.3, 2 certificates
        ok connection: port 8080, after 12 ms
        warning TLS: none: what is delivered can be read on the way | X delivers to `https` only; on this machine it does not matter
        ok connection: port 8080, after 12 ms
        wrong TLS: none: X delivers to `https` only | put a proxy or tunnel with a certificate before the receiver, or give it one with `aaa listen --tls-cert FILE --tls-key FILE`
        wrong connection: port 8080 takes no connection: refused | start the receiver and whatever stands before it, and let connections from outside through
        wrong TLS: no handshake: its words | renew the certificate, and have the server read it again
        wrong TLS: no handshake: its words | set the clock of this machine, or of who made the certificate
        wrong TLS: no handshake: its words | have the server send the whole chain (`fullchain.pem`: its own certificate and the intermediate ones), from an authority that everybody trusts; X takes no self-signed certificate
        wrong TLS: no handshake: its words | get a certificate for the name in the URL
        wrong TLS: no handshake: its words | see that the port speaks TLS 1.2 or 1.3, and what the server's log says
        wrong TLS: no handshake: its words | install the CA certificates of this machine (mostly a package `ca-certificates`)
        ");
    }

    #[test]
    fn certificates_that_end() {
        let judged = [90, 14, 13, 1, 0].map(|left| days(left, "2025-11-22T04:13:00Z"));
        insta::assert_snapshot!(told(judged), @"
        ok certificate: valid for 90 more days, until 2025-11-22T04:13:00Z
        ok certificate: valid for 14 more days, until 2025-11-22T04:13:00Z
        warning certificate: valid for 13 more days, until 2025-11-22T04:13:00Z | see that its renewal runs: with an expired one X takes the webhook as broken at once
        warning certificate: valid for one more day, until 2025-11-22T04:13:00Z | see that its renewal runs: with an expired one X takes the webhook as broken at once
        warning certificate: valid for 0 more days, until 2025-11-22T04:13:00Z | see that its renewal runs: with an expired one X takes the webhook as broken at once
        ");
    }
}
