//! What is found in a body, against what was put into it.

use aaa_types::event::{Body, ItemIdentity};
use proptest::prelude::*;

/// An item, and the `id` that can be read from it.
const ITEMS: [(&str, Option<&str>); 16] = [
    (r#"{"id":"a1"}"#, Some("a1")),
    (r#"{"\u0069d":"a1"}"#, Some("a1")),
    (r#"{"id":"\u0061\/1"}"#, Some("a/1")),
    (r#"{"x":{"id":"no"},"id":"yes","y":[{"id":"no"}]}"#, Some("yes")),
    (r#"{"id":12345678901234567890123}"#, Some("12345678901234567890123")),
    (r#"{"n":1e999,"s":"\ud800","id":-7}"#, Some("-7")),
    (r#"{"id":"a1","id":"b2"}"#, None),
    (r#"{"id":"a1","\u0069d":"a1"}"#, None),
    (r#"{"id":"\ud800"}"#, None),
    (r#"{"id":1e5}"#, None),
    (r#"{"id":""}"#, None),
    (r#"{}"#, None),
    (r#"["a1"]"#, None),
    (r#""a1""#, None),
    ("7", None),
    ("null", None),
];

/// A text, and the identity that goes with it.
type Found = (&'static str, Option<&'static str>);

/// A value of `data`, and what event it is.
const ACTIVITIES: [(&str, Option<Found>); 8] = [
    (r#"{"event_type":"post.create","event_uuid":"-5"}"#, Some(("post.create", Some("-5")))),
    (r#"{"\u0065vent_type":"a.\u0062","event_uuid":7}"#, Some(("a.b", Some("7")))),
    (
        r#"{"event_type":"dm.sent","payload":{"favorite_events":[{"id":"x"}]}}"#,
        Some(("dm.sent", None)),
    ),
    (r#"{"event_type":"dm.sent","event_uuid":"","event_types":1}"#, Some(("dm.sent", None))),
    (r#"{"event_type":"a.b","event_type":"a.b"}"#, None),
    (r#"{"event_type":7,"event_uuid":"1"}"#, None),
    (r#"{"id":"1"}"#, None),
    (r#"["a.b","1"]"#, None),
];

const USERS: [(&str, Option<&str>); 6] = [
    (r#""7""#, Some("7")),
    (r#""\u0037""#, Some("7")),
    ("8", Some("8")),
    (r#""""#, None),
    ("null", None),
    (r#"{"id":"7"}"#, None),
];

/// One member of a body.
#[derive(Debug, Clone)]
enum Made {
    Items(&'static str, Vec<Found>),
    NoItems(&'static str, &'static str),
    Single(&'static str, &'static str),
    Activity(&'static str, Option<Found>),
    User(&'static str, Option<&'static str>),
    Other(&'static str, &'static str),
}

impl Made {
    fn name(&self) -> &'static str {
        match self {
            Self::Items(name, _)
            | Self::NoItems(name, _)
            | Self::Single(name, _)
            | Self::Other(name, _) => name,
            Self::Activity(..) => "data",
            Self::User(..) => "for_user_id",
        }
    }

    fn value(&self, space: &str) -> String {
        match self {
            Self::Items(_, items) => {
                let items: Vec<_> = items.iter().map(|(text, _)| *text).collect();
                format!("[{space}{}{space}]", items.join(&format!("{space},{space}")))
            }
            Self::NoItems(_, text)
            | Self::Single(_, text)
            | Self::Activity(text, _)
            | Self::User(text, _)
            | Self::Other(_, text) => (*text).to_owned(),
        }
    }
}

fn made() -> impl Strategy<Value = Made> {
    use prop::sample::select;
    let arrays = select(&["favorite_events", "direct_message_events", "poke_events", "_events"]);
    let objects = ITEMS.iter().filter(|(text, _)| text.starts_with('{')).map(|(text, _)| *text);
    let objects: Vec<_> = objects.collect();
    prop_oneof![
        (arrays.clone(), prop::collection::vec(select(&ITEMS), 0..4))
            .prop_map(|(name, items)| Made::Items(name, items)),
        (arrays, select(&[r#"{"id":"a1"}"#, "null", "7", r#""[]""#]))
            .prop_map(|(name, text)| Made::NoItems(name, text)),
        (select(&["user_event", "replay_job_status"]), select(objects))
            .prop_map(|(name, text)| Made::Single(name, text)),
        select(&ACTIVITIES).prop_map(|(text, event)| Made::Activity(text, event)),
        select(&USERS).prop_map(|(text, user)| Made::User(text, user)),
        (
            select(&["users", "apps", "user_events_", "Data", "user_has_blocked", "é"]),
            select(&["true", r#"{"favorite_events":[{"id":"x"}]}"#, "[[[[]]]]", r#""\ud800""#]),
        )
            .prop_map(|(name, text)| Made::Other(name, text)),
    ]
}

/// Writes a name, some of its characters as escapes.
fn written(name: &str, escapes: u64) -> String {
    let mut text = String::new();
    for (at, c) in name.chars().enumerate() {
        if escapes >> (at % 64) & 1 == 1 {
            text += &format!("\\u{:04X}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    format!("\"{text}\"")
}

fn hash(text: &str) -> String {
    ItemIdentity::from_bytes(text.as_bytes()).to_string()
}

proptest! {
    #[test]
    fn what_was_put_in_is_found(
        members in prop::collection::vec((made(), prop_oneof![Just(0), any::<u64>()]), 0..6),
        space in "[ \n\t\r]{0,2}",
    ) {
        let pairs = members.iter().map(|(made, escapes)| {
            let (name, value) = (written(made.name(), *escapes), made.value(&space));
            format!("{space}{name}{space}:{space}{value}{space}")
        });
        let text = format!("{{{}{space}}}", pairs.collect::<Vec<_>>().join(","));

        let mut user = None;
        let mut found = Vec::new();
        let mut context = Vec::new();
        for (made, _) in &members {
            match made {
                Made::Items(kind, items) => found.extend(items.iter().map(|(item, id)| {
                    let named = id.filter(|_| !kind.starts_with("poke") && *kind != "_events");
                    let identity = named.map_or_else(|| hash(item), str::to_owned);
                    (format!("{kind}:{identity}"), *item)
                })),
                Made::Single(kind, item) => found.push((format!("{kind}:{}", hash(item)), *item)),
                Made::Activity(item, Some((kind, id))) => {
                    let identity = id.map_or_else(|| hash(&text), str::to_owned);
                    found.push((format!("{kind}:{identity}"), *item));
                }
                Made::User(_, id) => user = *id,
                _ => {}
            }
            let event = matches!(
                made,
                Made::Items(..) | Made::Single(..) | Made::Activity(_, Some(_))
            );
            if !event {
                context.push((made.name(), made.value(&space)));
            }
        }
        if found.is_empty() {
            found.push((format!("unknown:{}", hash(&text)), text.as_str()));
            context.clear();
        }
        if user.is_some() {
            context.retain(|(name, _)| *name != "for_user_id");
        }

        // White space around a body is none of it.
        let body = format!("{space}{text}{space}");
        let body = Body::parse(body.as_bytes()).unwrap();
        prop_assert_eq!(body.for_user_id(), user);
        let events: Vec<_> = body
            .events()
            .iter()
            .map(|event| (event.identity().to_string(), event.payload().to_owned()))
            .collect();
        let user = user.unwrap_or_default();
        let expected: Vec<_> =
            found.iter().map(|(id, item)| (format!("{user}/{id}"), (*item).to_owned())).collect();
        prop_assert_eq!(events, expected);
        let context: Vec<_> =
            context.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        prop_assert_eq!(
            serde_json::to_string(&body.context()).unwrap(),
            format!("{{{}}}", context.join(","))
        );
    }
}

/// Nothing is read by calling itself: a thread with a small stack is enough for any depth.
#[test]
fn depth_costs_nothing() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + "1" + &close.repeat(100_000);
    let nested = [deep("[", "]"), deep(r#"{"favorite_events":"#, "}")];
    let bodies: Vec<_> = nested
        .iter()
        .flat_map(|deep| {
            [
                (
                    format!(r#"{{"favorite_events":[{{"x":{deep},"id":"a"}}]}}"#),
                    "favorite_events:a",
                ),
                (format!(r#"{{"user_event":{{"x":{deep}}}}}"#), "user_event:sha256:"),
                (format!(r#"{{"data":{{"event_type":"a.b","payload":{deep}}}}}"#), "a.b:sha256:"),
                (format!(r#"{{"data":{{"event_type":{deep}}}}}"#), "unknown:sha256:"),
                (format!(r#"{{"for_user_id":{deep}}}"#), "unknown:sha256:"),
                (format!(r#"{{"odd_events":[{deep}]}}"#), "odd_events:sha256:"),
                (
                    format!(r#"{{"users":{deep},"favorite_events":[{{"id":"a"}}]}}"#),
                    "favorite_events:a",
                ),
                (format!(r#"{{"favorite_events":[{{"id":{deep}}}]}}"#), "favorite_events:sha256:"),
            ]
        })
        .collect();
    let small = std::thread::Builder::new().stack_size(128 << 10);
    let thread = small.spawn(move || {
        for (text, identity) in &bodies {
            let body = Body::parse(text.as_bytes()).unwrap();
            let event = body.events().remove(0);
            let found = event.identity().to_string();
            assert!(found.starts_with(&format!("/{identity}")), "{found}, and not {identity}");
        }
    });
    thread.unwrap().join().unwrap();
}
