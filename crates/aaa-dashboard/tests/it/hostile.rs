//! What others wrote is shown as text, wherever it stands, and nothing in it runs.

use aaa_auth::tokens::StoredToken;
use aaa_emulator::{control::Deliver, credentials};
use aaa_webhook::signature::Signature;
use serde_json::{Value, json};

use crate::{
    browser::{browser, serve},
    letters::dead_letter,
    stage::{Stage, token},
};

const HOSTILE: &str = "</pre></script></title><script>window.hacked=1</script>\
                       <img src=x onerror='window.hacked=1'>\"'><svg/onload=\"window.hacked=1\">";

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_is_text() {
    let Some(browser) = browser("hostile_text_is_text", 900, 700).await else { return };
    let stage = Stage::new().await;
    let webhook = stage.webhook().await;
    let events = [
        json!({"for_user_id": "7", "tweet_create_events": [
            {"id_str": "1", "text": HOSTILE, "user": {"name": HOSTILE}, HOSTILE: HOSTILE}
        ]}),
        json!({"for_user_id": HOSTILE, "<img src=x onerror='window.hacked=1'>_events": [{"id": HOSTILE}]}),
        json!({"for_user_id": "7", "favorite_events": [{"id": HOSTILE}], HOSTILE: {"x": HOSTILE}}),
        json!({HOSTILE: HOSTILE}),
    ];
    for body in &events {
        let body = body.to_string();
        let signature =
            Signature::of(&credentials::CONSUMER_SECRET.parse().unwrap(), body.as_bytes());
        let ask = json!({"webhook_id": webhook, "body": body, "signature": signature.to_string()});
        let ask: Deliver = serde_json::from_value(ask).unwrap();
        let delivered = serde_json::to_value(stage.emulator.deliver(ask).await.unwrap()).unwrap();
        assert_eq!(delivered["status"], 200, "{delivered}");
    }
    let mut stored = StoredToken::new(token(7), jiff::Timestamp::UNIX_EPOCH);
    stored.screen_name = Some(HOSTILE.to_owned());
    stage.tokens.update(|tokens| drop(tokens.insert("7".parse().unwrap(), stored))).unwrap();
    dead_letter(&stage, HOSTILE).await;
    let url = serve(stage.pages().router).await;
    let unharmed: &dyn Fn(Value) = &|hacked| assert_eq!(hacked, Value::Null);
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("kind", HOSTILE)
        .append_pair("user", HOSTILE)
        .finish();
    for (path, shown) in [
        ("/".to_owned(), "<img src=x onerror='window.hacked=1'>_events"),
        ("/events".to_owned(), "<script>window.hacked=1</script>"),
        (format!("/events?{query}"), ""),
        ("/events/1".to_owned(), "<script>window.hacked=1</script>"),
        ("/events/2".to_owned(), "<svg/onload"),
        ("/events/3".to_owned(), "<svg/onload"),
        ("/events/4".to_owned(), "<svg/onload"),
        (format!("/webhooks/{webhook}"), "<svg/onload"),
        ("/accounts".to_owned(), "@</pre></script></title><script>"),
        ("/dead-letters".to_owned(), "<script>window.hacked=1</script>"),
        (format!("/accounts/callback?oauth_token={query}"), ""),
        (format!("/login?next={query}"), ""),
        (format!("/replay?span={query}"), ""),
    ] {
        browser.open(&format!("{url}{path}")).await.unwrap();
        browser
            .run("for (const one of document.querySelectorAll('details')) one.open = true")
            .await
            .unwrap();
        let text = browser.run("return document.body.textContent").await.unwrap();
        assert!(text.as_str().unwrap().contains(shown), "{path}: {text}");
        let strange =
            "return document.querySelectorAll('body script, img, svg:not(.coverage)').length";
        assert_eq!(browser.run(strange).await.unwrap(), 0, "{path}");
        unharmed(browser.run("return window.hacked ?? null").await.unwrap());
        // It is not even tried; that the way back from X leads nowhere is said.
        let mut said = browser.console().await.unwrap();
        said.retain(|line| !line.ends_with("400 (Bad Request)"));
        assert_eq!(said, Vec::<String>::new(), "{path}");
    }
    // What the script puts in place later is text as well.
    browser.open(&format!("{url}/events")).await.unwrap();
    browser.until("return document.documentElement.classList.contains('streaming')").await.unwrap();
    let kind = "late<img src=x onerror='window.hacked=1'>_events";
    let late = json!({"for_user_id": "7", kind: [{"id": "1"}]}).to_string();
    let ask = json!({"webhook_id": webhook, "body": late});
    stage.emulator.deliver(serde_json::from_value(ask).unwrap()).await.unwrap();
    browser
        .until("return document.querySelector('#events').textContent.includes('late<img src=x')")
        .await
        .unwrap();
    unharmed(browser.run("return window.hacked ?? null").await.unwrap());
    assert_eq!(browser.console().await.unwrap(), Vec::<String>::new());
    // And if something got through all the same, the policy would keep it from running.
    for attempt in [
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked=1\">')",
        "const s = document.createElement('script'); s.textContent = 'window.hacked=1'; document.body.append(s)",
        "const a = document.createElement('button'); a.setAttribute('onclick', 'window.hacked=1'); document.body.append(a); a.click()",
        "location.assign('javascript:window.hacked=1')",
        "return fetch('http://127.0.0.1:9/').then(() => { window.hacked = 1 })",
    ] {
        let tried = format!("try {{ {attempt} }} catch {{}}; return window.hacked ?? null");
        unharmed(browser.run(&tried).await.unwrap_or_default());
    }
    unharmed(browser.run("return window.hacked ?? null").await.unwrap());
    let refused = browser.console().await.unwrap();
    assert!(refused.iter().any(|line| line.contains("Content Security Policy")), "{refused:?}");
    browser.close().await.unwrap();
}
