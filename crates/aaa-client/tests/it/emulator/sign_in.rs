//! Tokens, as an emulator hands them out.

use aaa_auth::{
    UserCredential,
    flow::{Callback, Verifier},
};
use aaa_client::{
    ApiVersion::{self, V1_1, V2},
    ReqwestTransport, Timeouts, Transport,
};
use bytes::Bytes;
use http::Request;
use url::{Url, form_urlencoded};

use super::Stage;

/// Opens the page that a user sees, agrees for a user, and returns the page that follows.
async fn agree(stage: &Stage, page: &Url, user: &str) -> String {
    let browser = ReqwestTransport::new(stage.client.api_url(), Timeouts::default()).unwrap();
    let look = async |request: Request<Bytes>| {
        let page = browser.send(request).await.unwrap().into_body();
        String::from_utf8(page.into()).unwrap()
    };
    let shown = look(Request::get(page.as_str()).body(Bytes::new()).unwrap()).await;
    let (_, rest) = shown.split_once(r#"name="authenticity_token" value=""#).unwrap();
    let authenticity = rest.split('"').next().unwrap();
    let token = page.query_pairs().find(|(name, _)| name == "oauth_token").unwrap().1.into_owned();
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("oauth_token", &token)
        .append_pair("authenticity_token", authenticity)
        .append_pair("user_id", user)
        .append_pair("decision", "approve")
        .finish();
    let mut target = page.clone();
    target.set_query(None);
    let request = Request::post(target.as_str())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(form))
        .unwrap();
    look(request).await
}

/// Finds the number that the page shows.
fn pin(page: &str) -> &str {
    let digits = page.split(|c: char| !c.is_ascii_digit()).find(|digits| digits.len() == 7);
    digits.unwrap_or_else(|| unreachable!("no PIN in {page}"))
}

#[tokio::test]
async fn a_user_signs_in_and_subscribes() {
    for version in [V2, V1_1] {
        let stage = Stage::new(version).await;
        let oauth = stage.client.oauth();
        let request_token = oauth.request_token(&Callback::OUT_OF_BAND).await.unwrap();
        let page = agree(&stage, &oauth.authorize_url(&request_token), "7").await;
        let verifier = Verifier::from_pin(pin(&page)).unwrap();
        let access = oauth.access_token(&request_token, &verifier).await.unwrap();
        assert_eq!(access.user_id.unwrap().as_u64(), 7);

        let id = stage.client.app().create_webhook(&stage.receiver.url("hook")).await.unwrap().id;
        let user = stage.client.user(UserCredential::from(access.token));
        assert!(user.subscribe(id).await.unwrap().subscribed);
        let listed = stage.client.app().list_subscriptions(id).await.unwrap();
        assert_eq!(listed.subscriptions[0].user_id.as_u64(), 7);

        // A PIN works once.
        let error = oauth.access_token(&request_token, &verifier).await.unwrap_err();
        assert!(error.is_unauthorized() && !error.maybe_done(), "{error}");
    }
}

#[tokio::test]
async fn the_bearer_token_is_had_and_invalidated() {
    let stage = Stage::new(ApiVersion::default()).await;
    let oauth = stage.client.oauth();
    let bearer = oauth.bearer_token().await.unwrap();
    let client = super::builder(&stage.emulator, V2).bearer(bearer.clone()).build().unwrap();
    client.app().list_webhooks().await.unwrap();
    oauth.invalidate_bearer_token(&bearer).await.unwrap();
    assert!(client.app().list_webhooks().await.unwrap_err().is_unauthorized());
    assert_ne!(oauth.bearer_token().await.unwrap().expose(), bearer.expose());
}
