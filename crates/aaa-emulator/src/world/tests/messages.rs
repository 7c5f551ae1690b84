use serde_json::Value;

use super::*;

fn message(sender: u64, recipient: u64) -> NewMessage {
    let (sender, recipient) = (user(sender), user(recipient));
    NewMessage { sender, recipient, text: Some("Grüße".to_owned()), media_ids: Vec::new() }
}

#[test]
fn both_hear_of_it_through_every_webhook() {
    let (mut sim, first) = Sim::subscribed(still());
    sim.world.register("http://127.0.0.1:1/other", Generation::V1_1, sim.now).unwrap();
    sim.answer_checks(None);
    let second = sim.world.webhooks()[1].id;
    sim.world.subscribe(second, user(8), sim.now).unwrap();

    let sent = sim.world.send_message(&message(7, 8), sim.now).unwrap();
    assert_eq!(sent.conversation_id, "7-8");
    let posts = sim.answer_posts(200);
    assert_eq!(posts.len(), 3);
    let ledger = sim.world.ledger(sim.now);
    let heard: Vec<_> = ledger.events.iter().map(|e| (e.webhook_id, e.key.clone())).collect();
    let key = |user| format!("{user}/direct_message_events:{}", sent.event_id);
    assert_eq!(heard, [(first, key(7)), (first, key(8)), (second, key(8))]);
    for post in &posts {
        assert!(verifies(post));
        let body: Value = serde_json::from_slice(&post.body).unwrap();
        let item = &body["direct_message_events"][0];
        assert_eq!(item["id"], *sent.event_id);
        assert_eq!(item["type"], "message_create");
        assert_eq!(item["message_create"]["sender_id"], "7");
        assert_eq!(item["message_create"]["target"]["recipient_id"], "8");
        assert_eq!(item["message_create"]["message_data"]["text"], "Grüße");
        let users: Vec<_> = body["users"].as_object().unwrap().keys().collect();
        assert_eq!(users, ["7", "8"]);
        let app = item["message_create"]["source_app_id"].as_str().unwrap();
        assert_eq!(app, credentials::APP_ID.to_string());
        assert!(body["apps"][app]["name"].is_string());
    }
}

#[test]
fn pictures_and_who_is_first() {
    let (mut sim, _) = Sim::subscribed(still());
    let picture = NewMessage { text: None, media_ids: vec![1_234, 5], ..message(8, 7) };
    let sent = sim.world.send_message(&picture, sim.now).unwrap();
    assert_eq!(sent.conversation_id, "7-8", "whoever writes");
    let body: Value = serde_json::from_slice(&sim.answer_posts(200)[0].body).unwrap();
    let data = &body["direct_message_events"][0]["message_create"]["message_data"];
    assert_eq!(data["attachment"]["media"]["id_str"], "1234");
    assert_eq!(data["text"], data["attachment"]["media"]["url"]);
    // Numbers, not texts, are compared.
    let sent = sim.world.send_message(&message(12, 9), sim.now).unwrap();
    assert_eq!(sent.conversation_id, "9-12");
}

#[test]
fn nobody_writes_to_himself_or_to_nobody() {
    let (mut sim, _) = Sim::subscribed(still());
    for recipient in [7, 10_000_000] {
        let refused = sim.world.send_message(&message(7, recipient), sim.now);
        assert_eq!(refused, Err(MessageError::Recipient));
    }
    assert!(sim.world.ledger(sim.now).events.is_empty());
}

#[test]
fn limits_by_user_and_by_day_of_the_app() {
    use crate::control::Operation::SendMessage;
    let mut sim = Sim::new(still());
    let count = |sim: &mut Sim, id| {
        sim.world.count_call(SendMessage, Generation::V2, Some(user(id)), sim.now)
    };
    for left in (0..15).rev() {
        let limit = count(&mut sim, 7);
        assert_eq!((limit.limit, limit.remaining, limit.exceeded), (15, left, false));
    }
    assert!(count(&mut sim, 7).exceeded);
    assert!(!count(&mut sim, 8).exceeded, "each user alone");
    // 16 were sent. The rest of the app's day, by many.
    for id in 100..100 + 1440 - 16 {
        assert!(!count(&mut sim, id).exceeded, "{id}");
    }
    let full = count(&mut sim, 9);
    assert_eq!((full.limit, full.remaining, full.exceeded), (1440, 0, true));
    assert_eq!(full.reset, start() + SignedDuration::from_hours(24));
    sim.pass(SignedDuration::from_mins(15));
    assert!(count(&mut sim, 7).exceeded, "the day is not over");
    sim.pass(SignedDuration::from_hours(24));
    assert!(!count(&mut sim, 7).exceeded);
}
