use aaa_types::event::Body;
use proptest::prelude::*;

use super::*;

/// A body with events of one user, and its rows.
fn stored(body: &str) -> Vec<Stored> {
    let parsed = Body::parse(body.as_bytes()).unwrap();
    let row = |(n, event): (usize, &aaa_types::event::RawEvent<'_>)| {
        let start = event.payload().as_ptr().addr() - body.as_ptr().addr();
        Stored {
            seq: n as i64,
            user: parsed.for_user_id().map(str::to_owned),
            kind: event.kind().to_owned(),
            item: event.identity().item().to_string(),
            start,
            length: event.payload().len(),
        }
    };
    parsed.events().iter().enumerate().map(row).collect()
}

fn bodies() -> impl Strategy<Value = String> {
    let item = (0..50_u32, "[a-zä\\\\\"]{0,9}").prop_map(|(id, text)| {
        let text = serde_json::to_string(&format!("secret {text}")).unwrap();
        format!(r#"{{"id_str":"{id}" , "id":"{id}","text":{text}}}"#)
    });
    let kind = prop::sample::select(vec!["tweet_create_events", "favorite_events", "x_events"]);
    let member =
        (kind, prop::collection::vec(item, 1..4), "[ \n]{0,2}").prop_map(|(kind, items, space)| {
            format!("{space}\"{kind}\":[{}]{space}", items.join(&space))
        });
    // Items stand apart by commas only.
    let member = member.prop_map(|member| member.replace("}{", "},{").replace("} {", "} ,{"));
    prop::collection::vec(member, 1..3).prop_filter_map("JSON", |members| {
        let body = format!(r#"{{"for_user_id":"7",{},"users":"secret"}}"#, members.join(","));
        Body::parse(body.as_bytes()).is_ok().then_some(body)
    })
}

proptest! {
    /// What is chosen is gone, what is not is as it was, and the rows fit the new body.
    #[test]
    fn only_what_is_chosen_goes(body in bodies(), mask: u8) {
        let events = stored(&body);
        let chosen = |event: &Stored| mask >> (event.seq % 8) & 1 == 1;
        let rewritten = rewrite(body.as_bytes(), &events, Reason::PostDeleted, chosen).unwrap();
        let text = &rewritten.body;
        prop_assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
        prop_assert_eq!(rewritten.places.len(), events.len());
        for (event, (seq, start, length)) in events.iter().zip(&rewritten.places) {
            prop_assert_eq!(event.seq, *seq);
            let payload = &text[*start..start + length];
            if chosen(event) {
                prop_assert_eq!(payload, placeholder(event, Reason::PostDeleted));
            } else {
                prop_assert_eq!(payload, event.payload(&body).unwrap());
            }
        }
        let left = events.iter().filter(|event| !chosen(event)).count();
        prop_assert_eq!(rewritten.changed, events.len() - left);
        prop_assert_eq!(text.contains("secret"), left > 0);
        if left == events.len() {
            prop_assert_eq!(text, &body);
        }
        // Once more changes nothing.
        let places: Vec<_> = events.iter().zip(&rewritten.places).map(|(event, place)| Stored {
            start: place.1, length: place.2, ..event.clone()
        }).collect();
        let again = rewrite(text.as_bytes(), &places, Reason::PostDeleted, chosen).unwrap();
        prop_assert_eq!(again.changed, 0);
        prop_assert_eq!(&again.body, text);
    }
}

#[test]
fn rows_that_do_not_fit_change_nothing() {
    let body = r#"{"x_events":[{"id":"ä"}]}"#;
    let event = stored(body).remove(0);
    // Behind the end, over the end, beyond any number, and inside a character.
    for (start, length) in [(900, 1), (0, 900), (usize::MAX, 2), (20, 1)] {
        let event = Stored { start, length, ..event.clone() };
        assert!(rewrite(body.as_bytes(), &[event], Reason::PostDeleted, |_| true).is_none());
    }
}

#[test]
fn an_unknown_body_is_its_only_event() {
    let body = r#"{"for_user_id":"7","odd":"secret"}"#;
    let rewritten =
        rewrite(body.as_bytes(), &stored(body), Reason::AccessRevoked, |_| true).unwrap();
    assert!(rewritten.body.starts_with(r#"{"redacted":"access revoked","identity":"sha256:"#));
    assert_eq!(rewritten.places, [(0, 0, rewritten.body.len())]);
}

#[test]
fn who_an_event_without_a_user_is_about() {
    let revoke = r#"{"revoke":{"date_time":"x","target":{"app_id":"1"},"source":{"user_id":"7"}}}"#;
    let activity = r#"{"event_type":"dm.received","filter":{"user_id":"7"}}"#;
    for (kind, payload, expected) in [
        ("user_event", revoke, true),
        ("dm.received", activity, true),
        ("dm.received", r#"{"event_type":"dm.received","filter":{}}"#, false),
        ("replay_job_status", r#"{"job_id":"7","job_state":"Complete"}"#, false),
        ("unknown", r#"{"user_id":"7"}"#, false),
    ] {
        assert_eq!(is_about("7", kind, payload), expected, "{payload}");
        assert!(!is_about("8", kind, payload));
    }
}
