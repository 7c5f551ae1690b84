//! The body of a delivery: taken apart, keyed, decoded and written again.

use aaa_types::event::{Body, BodyError, Event, RawEvent};
use serde::Serialize;
use serde_json::{Value, value::RawValue};

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let text = serde_json::from_slice::<&RawValue>(bytes).map(RawValue::get);
    let body = match (Body::parse(bytes), text) {
        (Ok(body), Ok(text)) => {
            assert!(text.starts_with('{'), "a body that is no object");
            body
        }
        (Err(BodyError::NotAnObject), Ok(text)) => {
            assert!(!text.starts_with('{'), "an object was refused");
            return;
        }
        (Err(BodyError::NotJson { line, column }), Err(error)) => {
            assert_eq!((line, column), (error.line(), error.column()));
            return;
        }
        (body, text) => panic!("{body:?}, and not {text:?}"),
    };

    let events = body.events();
    assert!(!events.is_empty(), "a body without an event");
    let again = Body::parse(bytes).expect("the same bytes");
    for (event, same) in events.iter().zip(again.events()) {
        assert_eq!(key(event), key(&same));
        is_in_the_body(event, bytes);
        is_the_same_alone(event, body.for_user_id());
        comes_back(event);
    }

    let context = serde_json::to_string(&body.context()).expect("raw members");
    assert!(context.starts_with('{'));
    if let Some(context) = body.context().decode() {
        let _ = context.user_has_blocked();
    }
}

fn key(event: &RawEvent<'_>) -> (String, String) {
    let key = event.identity().key("app", event.occurred_at());
    assert_eq!(key.to_string().parse(), Ok(key));
    (event.identity().to_string(), key.to_string())
}

/// The payload is a piece of the body, not a copy, and JSON by itself.
fn is_in_the_body(event: &RawEvent<'_>, bytes: &[u8]) {
    let payload = event.payload().as_bytes().as_ptr_range();
    let whole = bytes.as_ptr_range();
    assert!(whole.start <= payload.start && payload.end <= whole.end, "a payload from elsewhere");
    let raw: &RawValue = serde_json::from_str(event.payload()).expect("a payload");
    assert_eq!(raw.get(), event.payload(), "white space around a payload");
}

/// The key does not depend on what else was in the delivery.
fn is_the_same_alone(event: &RawEvent<'_>, user: Option<&str>) {
    if !event.kind().ends_with("_events") {
        return;
    }
    let (kind, user) = (Value::from(event.kind()), user.map(Value::from));
    let user = user.map(|user| format!(r#","for_user_id":{user}"#)).unwrap_or_default();
    let alone = format!("{{{kind}:\n[ {} ] {user}}}", event.payload());
    let alone = Body::parse(alone.as_bytes()).expect("made of its parts");
    let alone = alone.events();
    assert_eq!(alone.iter().map(key).collect::<Vec<_>>(), [key(event)]);
}

/// What fits its model is written again with the same members, the rest is kept as it is.
fn comes_back(event: &RawEvent<'_>) {
    let decoded = event.decode();
    let by = decoded.involvement("7").is_some();
    assert!(by || decoded.actor_id().as_deref() != Some("7"));
    let written = match &decoded {
        Event::Post(post) => written(post),
        Event::PostDelete(delete) => written(delete),
        Event::Favorite(favorite) => written(favorite),
        Event::Follow(relation) | Event::Block(relation) | Event::Mute(relation) => {
            written(relation)
        }
        Event::DirectMessage(message) => written(message),
        Event::Typing(typing) => written(typing),
        Event::MarkRead(read) => written(read),
        Event::Revoke(revoke) => written(revoke),
        Event::Activity(activity) => written(activity),
        // An identifier that came as a number is written as a text.
        Event::ReplayJobStatus(_) => return,
        Event::Unknown { kind, payload } => {
            assert_eq!((kind.as_str(), payload.as_str()), (event.kind(), event.payload()));
            return;
        }
        _ => panic!("a kind that nobody checks"),
    };
    // These names mean something to serde_json itself, which takes such an object for a number or
    // a text.
    if !event.payload().contains("$serde_json") && !event.payload().contains("\\u") {
        let value: Value = serde_json::from_str(event.payload()).expect("it was decoded");
        assert_eq!(written, value);
    }
}

fn written(model: &impl Serialize) -> Value {
    serde_json::to_value(model).expect("a model")
}
