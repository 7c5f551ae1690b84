use proptest::prelude::*;

use super::*;
use crate::signature;

fn app(name: &str) -> App {
    App::new(name, format!("{name}-secret").parse().unwrap())
}

/// Half a second after four.
const ARRIVED: &str = "2025-11-22T04:00:00.5Z";

fn verify(body: &[u8], signer: &App, apps: &[App]) -> Result<VerifiedDelivery, Rejection> {
    let mut headers = HeaderMap::new();
    let value = Signature::of(signer.active(), body).to_string();
    headers.insert(signature::HEADER, value.parse().unwrap());
    let body = Bytes::copy_from_slice(body);
    Received::new(body, ARRIVED.parse().unwrap()).verify(&headers, apps)
}

#[test]
fn the_secret_names_the_app() {
    let apps = [app("one"), app("two")];
    let body = br#"{"for_user_id":"7","favorite_events":[{"id":"a"}]}"#;
    let one = verify(body, &apps[0], &apps).unwrap();
    let two = verify(body, &apps[1], &apps).unwrap();
    assert_eq!((one.app(), two.app()), ("one", "two"));
    assert_ne!(one.events()[0].key(), two.events()[0].key());
    assert_eq!(verify(body, &app("three"), &apps).unwrap_err(), Rejection::WrongSignature);
}

#[test]
fn a_signed_token_is_no_delivery() {
    let app = app("one");
    let error = verify(b"OWY4ODQ2ZjgtNDljMC00NDY2", &app, std::slice::from_ref(&app));
    assert!(matches!(error.unwrap_err(), Rejection::Body(_)));
}

#[test]
fn nothing_private_in_debug() {
    let app = app("one");
    let body = br#"{"direct_message_events":[{"id":"1","text":"private"}]}"#;
    let delivery = verify(body, &app, std::slice::from_ref(&app)).unwrap();
    let shown = format!("{delivery:?} {app:?}");
    assert!(!shown.contains("private") && !shown.contains("sha256") && !shown.contains("-secret"));
    // What helps to find a delivery is.
    insta::assert_snapshot!(format!("{delivery:?}"), @r#"VerifiedDelivery { app: "one", slot: Active, arrived_at: 2025-11-22T04:00:00.5Z, events: 1, bytes: 55, .. }"#);
}

/// Whoever hands a delivery on sends what came, and the other side verifies it again.
#[test]
fn a_delivery_is_handed_on_as_it_came() {
    let apps = [app("one")];
    let body = br#"{"for_user_id":"7","favorite_events":[{"id":"a"}]}"#;
    let delivery = verify(body, &apps[0], &apps).unwrap();
    assert_eq!(delivery.signature(), Signature::of(apps[0].active(), body).to_string());
    assert_eq!(delivery.body(), body.as_slice());
    assert_eq!(delivery.arrived_at(), ARRIVED.parse::<Timestamp>().unwrap());
}

/// Which is not when it arrived.
#[test]
fn an_event_has_the_time_that_x_gives_it_or_none() {
    let app = app("one");
    let body = br#"{"for_user_id":"7","favorite_events":[{"id":"a","timestamp_ms":1522082006140},{"id":"b"}]}"#;
    let delivery = verify(body, &app, std::slice::from_ref(&app)).unwrap();
    let times: Vec<_> = delivery.events().iter().map(KeyedEvent::occurred_at).collect();
    assert_eq!(times, [Some("2018-03-26T16:33:26.14Z".parse().unwrap()), None]);
}

proptest! {
    #[test]
    fn payload_ranges_are_the_items(ids in prop::collection::vec("[a-z]{1,9}", 1..5)) {
        let items = ids.iter().map(|id| format!(r#"{{"id":"{id}"}}"#)).collect::<Vec<_>>();
        let body = format!(r#" {{"favorite_events":[ {} ]}}"#, items.join(" , "));
        let app = app("one");
        let delivery = verify(body.as_bytes(), &app, std::slice::from_ref(&app)).unwrap();
        for (event, item) in delivery.events().iter().zip(items) {
            prop_assert_eq!(&body[event.payload()], item);
        }
    }
}
