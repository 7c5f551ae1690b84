//! Lists of more than one page, should X ever make them.

use aaa_client::ApiVersion::V2;

use crate::fake::{FakeX, answer};

fn page(id: usize, next: &str) -> String {
    format!(
        r#"{{"data":[{{"id":"{id}","url":"https://example.com/{id}","valid":true}}],"meta":{{"result_count":1,"next_token":"{next}"}}}}"#
    )
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let x = FakeX::script([
        answer(200, &page(1, "a b&c")),
        answer(200, &page(2, "d")),
        answer(200, &page(3, "")),
    ]);
    let webhooks = x.client(V2).app().list_webhooks().await.unwrap();
    let ids: Vec<_> = webhooks.iter().map(|webhook| webhook.id.to_string()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(
        x.seen(),
        [
            "GET /2/webhooks",
            "GET /2/webhooks?pagination_token=a+b%26c",
            "GET /2/webhooks?pagination_token=d"
        ]
    );
}

#[tokio::test]
async fn pages_of_subscriptions_become_one_list() {
    let part = |user: u64, meta: &str| {
        let data = format!(r#"{{"webhook_id":"12","subscriptions":[{{"user_id":"{user}"}}]}}"#);
        answer(200, &format!(r#"{{"data":{data}{meta}}}"#))
    };
    let x = FakeX::script([part(7, r#","meta":{"next_token":"n"}"#), part(8, "")]);
    let listed = x.client(V2).app().list_subscriptions("12".parse().unwrap()).await.unwrap();
    let users: Vec<_> = listed.subscriptions.iter().map(|one| one.user_id.as_u64()).collect();
    assert_eq!(users, [7, 8]);
}

#[tokio::test]
async fn a_list_without_end_is_an_error_and_not_half_a_list() {
    let x = FakeX::new(|number, _| answer(200, &page(number, &number.to_string())));
    let error = x.client(V2).app().list_webhooks().await.unwrap_err();
    insta::assert_snapshot!(error, @"could not list the webhooks: the answer is not understood: the list has more than 100 pages");
    assert_eq!(x.seen().len(), 100);
}

#[tokio::test]
async fn a_page_that_leads_to_itself_is_an_error() {
    let x = FakeX::new(|number, _| answer(200, &page(number, "again")));
    let error = x.client(V2).app().list_webhooks().await.unwrap_err();
    insta::assert_snapshot!(error, @"could not list the webhooks: the answer is not understood: a page of the list names itself as the next one");
    assert_eq!(x.seen().len(), 2);
}

#[tokio::test]
async fn a_failure_on_the_way_is_a_failure() {
    let x = FakeX::script([answer(200, &page(1, "n")), answer(403, "")]);
    assert!(x.client(V2).app().list_webhooks().await.unwrap_err().api().is_some());
}
