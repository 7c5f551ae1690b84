use std::collections::HashSet;

use super::*;
use crate::{society::tests::acts, world::events::identity};

/// Whatever happens, a filled mould is what making the item and writing it gives.
#[test]
fn a_filled_mould_is_the_body_of_the_item() {
    let mut seen = HashSet::new();
    for (seed, blocked) in [(1, BlockedFlag::Bool), (2, BlockedFlag::Text)] {
        let mut moulds = Moulds::new(blocked);
        // Users whose ids stand in another order as numbers than as text.
        for (n, act) in acts(seed, 120, &[3, 7, 25, 100], 3000).into_iter().enumerate() {
            let millis = 1_763_784_000_123 + i64::try_from(n).unwrap();
            let now = Timestamp::from_millisecond(millis).unwrap();
            let fresh = Fresh {
                now,
                id: 5,
                older_id: 6,
                hex: "a7ba59eab0bfcba386f7acedac279542".to_owned(),
                variety: 0,
                stranger: payload::STRANGER,
                revoked_at: now,
            };
            let values = Values::new(&act, fresh.now, 1_763_784_000_999, fresh.hex.clone());
            let user = |id: u64| UserId::try_from(id).unwrap();
            let mut item = Item::new(act.kind(), user(act.actor), Some(&act.payload()), &fresh);
            item.set_apart(None, |sort| {
                assert_eq!(Some(sort), act.sort());
                1_763_784_000_999
            });
            for relations in [Relations::ByUser, Relations::ByUserOrOfUser] {
                let concerned = item.parties(relations);
                let other = act.other > 0 && concerned.contains(&user(act.other));
                assert_eq!(other, concerns_other(act.what, relations), "{act:?}");
            }
            for for_actor in [true, false] {
                if !for_actor && act.other == 0 {
                    continue;
                }
                let for_user = user(if for_actor { act.actor } else { act.other });
                let has_blocked = n % 2 == 1;
                let body = moulds.body(&act, &values, for_actor, has_blocked);
                let around = Around { flag: blocked, has_blocked, context: None };
                assert_eq!(body, item.body(for_user, around), "{act:?}");
                let told = (act.kind().to_owned(), key(&act, &values, for_user));
                assert_eq!(told, identity(&body));
            }
            seen.insert(act.what);
        }
    }
    assert_eq!(seen.len(), 16, "{seen:?}");
}
