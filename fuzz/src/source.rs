//! Where a request comes from: lists of networks, and the headers in which proxies tell it.

use std::net::IpAddr;

use aaa_webhook::networks::{Networks, ProxyHeader, TrustedProxies};
use http::{HeaderMap, HeaderValue};

/// Checks a list of networks in the first line, and headers in the others.
pub fn check(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let list = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let trusted = match list.parse::<Networks>() {
        Ok(networks) => {
            assert_eq!(networks.to_string().parse(), Ok(networks.clone()), "{list}");
            networks
        }
        Err(error) => {
            assert!(error.to_string().contains("is no network"), "{error}");
            Networks::default()
        }
    };
    let proxy: IpAddr = "127.0.0.1".parse().expect("an address");
    let trusted = trusted.and("127.0.0.1".parse().expect("a network"));
    let lines: Vec<_> = lines.filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    for (header, name, appended) in [
        (ProxyHeader::XForwardedFor, "x-forwarded-for", "192.0.2.1"),
        (ProxyHeader::Forwarded, "forwarded", "for=192.0.2.1"),
    ] {
        let proxies = TrustedProxies::new(trusted.clone(), header);
        let mut headers = HeaderMap::new();
        for line in &lines {
            headers.append(name, line.clone());
        }
        if let Ok(client) = proxies.client(proxy, &headers) {
            assert!(!trusted.contains(client), "{client} is a proxy");
        }
        // What a proxy adds is what counts, whatever stands before it.
        let mut added = HeaderMap::new();
        let value = HeaderValue::from_static(appended);
        added.append(name, value.clone());
        let alone = proxies.client(proxy, &added);
        if alone.is_err() {
            continue;
        }
        if let Some(last) = lines.last() {
            let joined = [last.as_bytes(), b", ", appended.as_bytes()].concat();
            let joined = HeaderValue::from_bytes(&joined).expect("two values and a comma");
            added.insert(name, joined);
            assert_eq!(proxies.client(proxy, &added), alone, "{added:?}");
        }
        headers.append(name, value);
        assert_eq!(proxies.client(proxy, &headers), alone, "{headers:?}");
    }
}
