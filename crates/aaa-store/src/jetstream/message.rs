//! A message for an event: its subject, its headers, and the way back. Pure.

use std::fmt::Write;

use aaa_types::{EventKey, event::Body};
use aaa_webhook::{
    delivery::VerifiedDelivery,
    inbox::{EventQuery, Origin, StoredEvent},
};
use async_nats::HeaderMap;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::value::{RawValue, to_raw_value};

use super::settings::Keys;

/// The longest token of a subject; a longer name is cut, and what is read is looked at again.
const TOKEN: usize = 96;

const KEY: &str = "Aaa-Key";
const KIND: &str = "Aaa-Kind";
const USER: &str = "Aaa-User";
const INDEX: &str = "Aaa-Index";
const APP: &str = "Aaa-App";
const SIGNATURE: &str = "Aaa-Signature";
const ARRIVED: &str = "Aaa-Arrived";
const OCCURRED: &str = "Aaa-Occurred";
const STALE: &str = "Aaa-Stale";
/// By this the server knows a copy.
const ID: &str = "Nats-Msg-Id";

/// The subjects of a stream.
pub(super) struct Subjects;

impl Subjects {
    /// Everything the stream takes.
    pub(super) fn all(stream: &str) -> String {
        format!("{stream}.>")
    }

    /// An event's own.
    fn of(stream: &str, keys: Keys, kind: &str, user: Option<&str>, key: EventKey) -> String {
        let (kind, user) = (token(Some(kind)), token(user));
        match keys {
            Keys::Window => format!("{stream}.event.{kind}.{user}"),
            Keys::Subjects => format!("{stream}.event.{kind}.{user}.{key}"),
        }
    }

    /// Those of the events that a query asks for; `None` for all.
    pub(super) fn filter(stream: &str, keys: Keys, query: &EventQuery) -> Option<String> {
        if query.kind.is_none() && query.user.is_none() {
            return None;
        }
        let any = || "*".to_owned();
        let kind = query.kind.as_deref().map_or_else(any, |kind| token(Some(kind)));
        let user = query.user.as_deref().map_or_else(any, |user| token(Some(user)));
        Some(match keys {
            Keys::Window => format!("{stream}.event.{kind}.{user}"),
            Keys::Subjects => format!("{stream}.event.{kind}.{user}.*"),
        })
    }

    /// All events.
    pub(super) fn events(stream: &str) -> String {
        format!("{stream}.event.>")
    }

    /// A node's heartbeats; with subjects as keys each has its own.
    pub(super) fn heartbeat(stream: &str, keys: Keys, node: &str, unique: &str) -> String {
        match keys {
            Keys::Window => format!("{stream}.heartbeat.{node}"),
            Keys::Subjects => format!("{stream}.heartbeat.{node}.{unique}"),
        }
    }

    /// Says whether a subject is that of an event.
    pub(super) fn is_event(stream: &str, subject: &str) -> bool {
        let rest = subject.strip_prefix(stream).and_then(|rest| rest.strip_prefix('.'));
        rest.is_some_and(|rest| rest.starts_with("event."))
    }
}

/// A text as one token of a subject: letters, digits, `-` and `_` stay, any other byte is `=` and
/// two hex digits. No text at all is `=`, an empty one `==`.
fn token(text: Option<&str>) -> String {
    let Some(text) = text else { return "=".to_owned() };
    let mut token = escaped(text);
    if token.is_empty() {
        "==".clone_into(&mut token);
    }
    token.truncate(TOKEN);
    token
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(escaped, "={byte:02x}");
        }
    }
    escaped
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        match rest {
            [] => return String::from_utf8(bytes).ok(),
            [b'=', high, low, after @ ..] => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let byte = digit(*high)?.checked_mul(16)?.checked_add(digit(*low)?)?;
                bytes.push(u8::try_from(byte).ok()?);
                rest = after;
            }
            [byte, after @ ..] => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
}

/// An event on its way to the server.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) key: EventKey,
    pub(super) subject: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Outgoing {
    /// Says whether the event is stale.
    pub(super) fn is_stale(&self) -> bool {
        self.headers.get(STALE).is_some()
    }
}

/// Makes a message of each event of a delivery, each of them once.
pub(super) fn of_delivery(
    stream: &str,
    keys: Keys,
    key_retention: SignedDuration,
    delivery: &VerifiedDelivery,
) -> Vec<Outgoing> {
    let mut messages: Vec<Outgoing> = Vec::new();
    let count = delivery.events().len();
    let mut seen = std::collections::HashSet::new();
    for (index, event) in delivery.events().iter().enumerate() {
        let key = event.key();
        if !seen.insert(key) {
            continue;
        }
        let identity = event.identity();
        let age = |time| delivery.arrived_at().duration_since(time);
        let stale = event.occurred_at().is_some_and(|time| age(time) > key_retention);
        let mut headers = HeaderMap::new();
        if keys == Keys::Window {
            headers.insert(ID, key.to_string());
        }
        headers.insert(KEY, key.to_string());
        headers.insert(KIND, token(Some(identity.kind())));
        headers.insert(USER, token(identity.for_user_id()));
        headers.insert(INDEX, format!("{index}/{count}"));
        headers.insert(APP, escaped(delivery.app()));
        headers.insert(SIGNATURE, delivery.signature());
        headers.insert(ARRIVED, delivery.arrived_at().to_string());
        if let Some(time) = event.occurred_at() {
            headers.insert(OCCURRED, time.to_string());
        }
        if stale {
            headers.insert(STALE, "true");
        }
        let (kind, user) = (identity.kind(), identity.for_user_id());
        let subject = Subjects::of(stream, keys, kind, user, key);
        messages.push(Outgoing { key, subject, headers, body: delivery.body().clone() });
    }
    messages
}

/// Reads an event from its message.
///
/// # Errors
///
/// Fails with what is wrong when somebody else wrote it.
pub(super) fn read(seq: u64, headers: &HeaderMap, body: &Bytes) -> Result<StoredEvent, String> {
    let text = |name: &'static str| headers.get(name).map(|value| value.as_str());
    let needed = |name: &'static str| text(name).ok_or_else(|| format!("it has no `{name}`"));
    let (index, _) = needed(INDEX)?.split_once('/').ok_or("its index is not one of a count")?;
    let index: usize = index.parse().map_err(|_| "its index is no number")?;
    let received_at = needed(ARRIVED)?.parse().map_err(|_| "its arrival is no time")?;
    let app = unescaped(needed(APP)?).ok_or("its app is no text")?;
    let signature = needed(SIGNATURE)?.to_owned();
    let parsed = Body::parse(body).map_err(|error| error.to_string())?;
    let event = parsed.events().into_iter().nth(index).ok_or("its body has no such event")?;
    let identity = event.identity();
    let raw = |text: String| RawValue::from_string(text).map_err(|error| error.to_string());
    Ok(StoredEvent {
        seq,
        kind: identity.kind().to_owned(),
        for_user_id: identity.for_user_id().map(str::to_owned),
        key: identity.to_string(),
        app,
        received_at,
        stale: text(STALE).is_some(),
        payload: raw(event.payload().to_owned())?,
        context: to_raw_value(&parsed.context()).map_err(|error| error.to_string())?,
        body: body.clone(),
        origin: Origin { delivery: number(&signature), signature },
    })
}

/// Reads when an event happened, if it says so.
pub(super) fn occurred_at(headers: &HeaderMap) -> Option<Timestamp> {
    headers.get(OCCURRED)?.as_str().parse().ok()
}

/// A number for a delivery: a signature is that of one body. Numbers of JSON keep 53 bits.
fn number(signature: &str) -> u64 {
    // FNV-1a over what is a MAC already.
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    signature.bytes().fold(0xcbf2_9ce4_8422_2325, mix) >> 11
}

#[cfg(test)]
mod tests {
    use aaa_webhook::{app::App, delivery::Received, signature};
    use proptest::prelude::*;

    use super::*;

    fn delivery(app: &str, body: &str) -> VerifiedDelivery {
        let app = App::new(app, "secret".parse().unwrap());
        let mut headers = http::HeaderMap::new();
        let signed = signature::Signature::of(app.active(), body.as_bytes()).to_string();
        headers.insert(signature::HEADER, signed.parse().unwrap());
        let at = "2025-11-22T04:13:00.25Z".parse().unwrap();
        let received = Received::new(body.as_bytes().to_vec().into(), at);
        received.verify(&headers, &[app]).unwrap()
    }

    fn week() -> SignedDuration {
        SignedDuration::from_hours(24 * 7)
    }

    #[test]
    fn a_message() {
        let body = r#"{"for_user_id":"7","tweet_delete_events":[{"status":{"id":"8"},
            "timestamp_ms":"1763784780000"},{"status":{"id":"9"},"timestamp_ms":"1432228155593"}]}"#;
        let delivery = delivery("main shop", body);
        let messages = of_delivery("aaa", Keys::Window, week(), &delivery);
        let shown = |message: &Outgoing| {
            let mut lines: Vec<_> = message
                .headers
                .iter()
                .map(|(name, values)| format!("{name}: {}", values[0].as_str()))
                .collect();
            lines.sort();
            format!("{}\n{}", message.subject, lines.join("\n"))
        };
        insta::assert_snapshot!(shown(&messages[1]), @"
        aaa.event.tweet_delete_events.7
        Aaa-App: main=20shop
        Aaa-Arrived: 2025-11-22T04:13:00.25Z
        Aaa-Index: 1/2
        Aaa-Key: 555e113baaee9b05e2faa26dce7a5891
        Aaa-Kind: tweet_delete_events
        Aaa-Occurred: 2015-05-21T17:09:15.593Z
        Aaa-Signature: sha256=Hgzo36xGxHrR9i5nzXaAbY/jhNYsZiJBw9abU379SVM=
        Aaa-Stale: true
        Aaa-User: 7
        Nats-Msg-Id: 555e113baaee9b05e2faa26dce7a5891
        ");
        let keyed = of_delivery("aaa", Keys::Subjects, week(), &delivery);
        insta::assert_snapshot!(keyed[1].subject, @"aaa.event.tweet_delete_events.7.555e113baaee9b05e2faa26dce7a5891");
        assert!(keyed[1].headers.get(ID).is_none());
    }

    #[test]
    fn an_event_twice_in_a_body_is_one_message() {
        let body = r#"{"for_user_id":"7","favorite_events":[{"id":"a"},{"id":"b"},{"id":"a"}]}"#;
        let messages = of_delivery("aaa", Keys::Window, week(), &delivery("main", body));
        assert_eq!(messages.len(), 2);
    }

    #[test]
    fn filters() {
        let query = |kind: Option<&str>, user: Option<&str>| EventQuery {
            kind: kind.map(str::to_owned),
            user: user.map(str::to_owned),
            ..EventQuery::after(0, 1)
        };
        let filter = |keys, kind, user| Subjects::filter("aaa", keys, &query(kind, user));
        assert_eq!(filter(Keys::Window, None, None), None);
        let filters = [
            filter(Keys::Window, Some("favorite_events"), None),
            filter(Keys::Window, None, Some("7")),
            filter(Keys::Window, Some("a.b*>"), Some("")),
            filter(Keys::Subjects, None, Some("7")),
        ];
        let filters: Vec<_> = filters.into_iter().flatten().collect();
        insta::assert_snapshot!(filters.join("\n"), @"
        aaa.event.favorite_events.*
        aaa.event.*.7
        aaa.event.a=2eb=2a=3e.==
        aaa.event.*.7.*
        ");
    }

    #[test]
    fn what_somebody_else_wrote_is_no_event() {
        let body = Bytes::from_static(b"{}");
        assert!(read(1, &HeaderMap::new(), &body).unwrap_err().contains("Aaa-Index"));
        let mut messages = of_delivery("aaa", Keys::Window, week(), &delivery("main", "{}"));
        let Outgoing { headers, .. } = messages.remove(0);
        assert!(read(1, &headers, &body).is_ok());
        for (name, value) in [(INDEX, "7/9"), (INDEX, "x/1"), (ARRIVED, "now"), (APP, "=zz")] {
            let mut headers = headers.clone();
            headers.insert(name, value);
            assert!(read(1, &headers, &body).is_err(), "{name}: {value}");
        }
        assert!(read(1, &headers, &Bytes::from_static(b"[]")).is_err());
    }

    proptest! {
        #[test]
        fn texts_come_back(text in any::<String>()) {
            prop_assert_eq!(unescaped(&escaped(&text)), Some(text.clone()));
            let token = token(Some(&text));
            prop_assert!((1..=TOKEN).contains(&token.len()));
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_=".contains(&b);
            prop_assert!(token.bytes().all(plain));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = unescaped(&text);
        }

        /// Whatever X may sign comes back as it was.
        #[test]
        fn events_come_back(
            app in "[a-z ÄÖ%=]{1,9}",
            kind in "[a-z.*> ]{1,20}",
            ids in prop::collection::vec("[a-z.*>]{1,9}", 1..5),
        ) {
            let items: Vec<_> = ids.iter().map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
            let items = items.join(",");
            let body = format!(r#"{{"for_user_id":"7","{kind}_events":[{items}],"x":1}}"#);
            let delivery = delivery(&app, &body);
            for keys in [Keys::Window, Keys::Subjects] {
                for (n, message) in (1..).zip(of_delivery("aaa", keys, week(), &delivery)) {
                    prop_assert!(Subjects::is_event("aaa", &message.subject));
                    let event = read(n, &message.headers, &message.body).unwrap();
                    let origin = delivery
                        .events()
                        .iter()
                        .find(|event| event.key() == message.key)
                        .unwrap();
                    prop_assert_eq!(event.key, origin.identity().to_string());
                    prop_assert_eq!(event.payload.get(), &body[origin.payload()]);
                    prop_assert_eq!(&event.app, &app);
                    prop_assert_eq!(event.received_at, delivery.arrived_at());
                    prop_assert_eq!(event.origin.signature, delivery.signature());
                }
            }
        }
    }
}
