//! Events in columns, for a person at a terminal. The widths do not depend on what is in them,
//! since there is no end to the events.

use aaa_webhook::inbox::StoredEvent;

use crate::output::{self, Colour};

/// Returns the names of the columns.
pub(super) fn header() -> String {
    columns("SEQ", "RECEIVED (UTC)", "FOR", "KIND", "ITEM")
}

/// Returns the line of an event.
pub(super) fn line(event: &StoredEvent, paint: impl Fn(Colour, &str) -> String) -> String {
    // Kinds and ids are texts of others, and reach a terminal here.
    let kind = output::printable(&event.kind);
    let user = output::printable(event.for_user_id.as_deref().unwrap_or("-"));
    let received = event.received_at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let item = output::printable(item(event));
    let line = columns(&event.seq.to_string(), &received, &user, &kind, &item);
    if event.stale { paint(Colour::Dim, &format!("{line}  (stale: not handled)")) } else { line }
}

/// What is left of the key beside the user and the kind.
pub(super) fn item(event: &StoredEvent) -> &str {
    let user = event.for_user_id.as_deref().unwrap_or_default();
    let item = event.key.strip_prefix(user).and_then(|rest| rest.strip_prefix('/'));
    let item = item.and_then(|rest| rest.strip_prefix(event.kind.as_str()));
    item.and_then(|rest| rest.strip_prefix(':')).unwrap_or(&event.key)
}

fn columns(seq: &str, received: &str, user: &str, kind: &str, item: &str) -> String {
    format!("{seq:>8}  {received:<19}  {user:<19}  {kind:<28}  {item}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn for_a_person() {
        let event = StoredEvent {
            seq: 12,
            kind: "favorite_events".to_owned(),
            for_user_id: Some("7".to_owned()),
            key: "7/favorite_events:a:b".to_owned(),
            app: "main".to_owned(),
            received_at: "2025-11-22T04:13:00.5Z".parse().unwrap(),
            stale: false,
            payload: RawValue::NULL.to_owned(),
            context: RawValue::NULL.to_owned(),
            body: Default::default(),
            origin: Default::default(),
        };
        let stale = StoredEvent { stale: true, ..event.clone() };
        let nobodys = StoredEvent {
            seq: 13,
            kind: "user\u{1b}[2J_event".to_owned(),
            for_user_id: None,
            key: "/user\u{1b}[2J_event:revoke".to_owned(),
            ..event.clone()
        };
        let odd = StoredEvent { key: "of another form".to_owned(), ..event.clone() };
        let paint = |colour: Colour, text: &str| format!("<{colour:?}>{text}</>");
        let lines = [event, stale, nobodys, odd].map(|event| line(&event, paint));
        insta::assert_snapshot!(format!("{}\n{}", header(), lines.join("\n")), @"
             SEQ  RECEIVED (UTC)       FOR                  KIND                          ITEM
              12  2025-11-22 04:13:00  7                    favorite_events               a:b
        <Dim>      12  2025-11-22 04:13:00  7                    favorite_events               a:b  (stale: not handled)</>
              13  2025-11-22 04:13:00  -                    user [2J_event                revoke
              12  2025-11-22 04:13:00  7                    favorite_events               of another form
        ");
    }
}
