use aaa_types::event::{Body, Event};
use benches::{fixtures, payload};

#[test]
fn every_fixture_is_a_delivery_that_fits_its_model() {
    for (bytes, identity) in [
        (fixtures::POST, "3001969357/tweet_create_events:1050118621198921728"),
        (fixtures::FAVORITE, "3001969357/favorite_events:a7ba59eab0bfcba386f7acedac279542"),
        (fixtures::MESSAGE, "3001969357/direct_message_events:954491830116155396"),
    ] {
        let body = Body::parse(bytes).unwrap();
        let events = body.events();
        let identities: Vec<_> = events.iter().map(|e| e.identity().to_string()).collect();
        assert_eq!(identities, [identity]);
        assert_eq!(payload::keys(bytes).unwrap().len(), 1);
        let events = payload::decode(bytes).unwrap();
        assert!(!matches!(events[0], Event::Unknown { .. }), "{identity}");
    }
    assert!((2300..2500).contains(&fixtures::POST.len()));
}
