//! The page at `/`, as a browser shows it.

use std::path::Path;

use aaa_emulator::{Emulator, control::Trigger, settings::Settings};
use headless::{Browser, Scheme};
use http::Request;
use serde_json::json;

use crate::support::{Receiver, quiet, register, send, subscribe, user};

/// Begins a browser, or notes that a test is skipped.
async fn browser(test: &str, width: u32, height: u32) -> Option<Browser> {
    if let Some(missing) = headless::missing() {
        if let Some(path) = std::env::var_os("AAA_SKIPPED_FILE") {
            use std::io::Write;
            let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
            writeln!(file, "aaa-emulator {test}: {missing}").unwrap();
        }
        return None;
    }
    Some(Browser::start(width, height).await.unwrap())
}

/// Keeps a picture for whoever wants to look, in the directory that `AAA_PICTURES` names.
async fn picture(browser: &Browser, name: &str) {
    if let Some(directory) = std::env::var_os("AAA_PICTURES") {
        browser.picture(&Path::new(&directory).join(format!("{name}.png"))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_looks_and_makes_things_happen() {
    let Some(browser) = browser("somebody_looks_and_makes_things_happen", 1280, 900).await else {
        return;
    };
    let emulator = Emulator::builder().settings(quiet()).start().await.unwrap();
    browser.open(&emulator.url()).await.unwrap();
    assert!(browser.text("#webhooks").await.unwrap().contains("None yet"));

    // What others do appears by itself.
    let receiver = Receiver::start().await;
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    browser.until("return document.querySelector('#webhooks .pill.good')").await.unwrap();
    let shown = browser.text("#webhooks").await.unwrap();
    assert!(shown.contains(&receiver.url()) && shown.contains("Subscribed: 7"), "{shown}");

    // An event, with members of its own.
    browser.fill("#send [name=user_id]", "7").await.unwrap();
    browser.click("#send summary").await.unwrap();
    browser.fill("#send textarea", r#"{"text":"from the page"}"#).await.unwrap();
    browser.click("#send button").await.unwrap();
    let told = "return document.querySelector('#send output').textContent";
    let told = browser.until(&format!("{told} !== '…' && {}", &told[7..])).await.unwrap();
    assert_eq!(told, "1 event for subscribed users");
    let arrived = receiver.wait_for(1).await;
    assert_eq!(arrived[0].0["tweet_create_events"][0]["text"], "from the page");
    browser.until("return document.querySelector('#deliveries .pill.good')").await.unwrap();

    // The opened delivery stays open while others come.
    browser.click("#deliveries summary").await.unwrap();
    assert!(browser.text("#deliveries pre").await.unwrap().contains("\"text\": \"from the page\""));
    receiver.answer_deliveries(503);
    let ask = Trigger::new("favorite_events", user(7));
    emulator.trigger_and_wait(&ask).await.unwrap();
    browser.until("return document.querySelector('#deliveries .pill.bad')").await.unwrap();
    assert_eq!(
        browser
            .run("return document.querySelectorAll('#deliveries details').length")
            .await
            .unwrap(),
        2
    );
    assert!(browser.text("#deliveries details[open] pre").await.unwrap().contains("from the page"));

    // The clock, a fault, and what is refused.
    let before = emulator.now();
    browser.click("#clock button").await.unwrap();
    let done = "return document.querySelector('#clock output').textContent === 'done'";
    browser.until(done).await.unwrap();
    assert_eq!(emulator.now().duration_since(before).as_secs(), 60);
    browser.choose("#fault [name=type]", "delay").await.unwrap();
    browser.click("#fault button").await.unwrap();
    browser.until("return document.querySelector('#faults .pill')").await.unwrap();
    assert!(browser.text("#faults").await.unwrap().contains("0 of 1 fired"));
    let planned = serde_json::to_value(emulator.faults()).unwrap();
    assert_eq!(planned["faults"][0]["action"], json!({"type": "delay", "seconds": 60}));
    browser.fill("#send textarea", "nonsense").await.unwrap();
    browser.click("#send button").await.unwrap();
    browser.until("return document.querySelector('#send output.error')").await.unwrap();
    browser.fill("#traffic [name=rate]", "0.5").await.unwrap();
    browser.click("#traffic button").await.unwrap();
    browser.until("return document.querySelector('#traffic output').textContent").await.unwrap();
    assert_eq!(emulator.traffic().rate, 0.5);
    picture(&browser, "page-light").await;
    browser.prefer(Scheme::Dark).await.unwrap();
    picture(&browser, "page-dark").await;

    // On a phone nothing is wider than the screen.
    browser.resize(360, 740).await.unwrap();
    let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.run(wide).await.unwrap(), 0);
    picture(&browser, "page-phone").await;
    browser.run("document.querySelector('#now').scrollIntoView()").await.unwrap();
    picture(&browser, "page-phone-below").await;

    // Begun anew, after a question that is answered with yes.
    browser.click("#reset button").await.unwrap();
    browser.run("return 1").await.unwrap();
    let empty = "return document.querySelector('#webhooks').textContent.includes('None yet')";
    browser.until(empty).await.unwrap();
    assert!(emulator.state().webhooks.is_empty());

    // Without an emulator it says so, and shows what it knew.
    assert_eq!(browser.console().await.unwrap(), Vec::<String>::new());
    emulator.shutdown().await;
    browser.until("return document.querySelector('#contact').textContent").await.unwrap();
    browser.close().await.unwrap();
}

/// Every action with what it needs, on every occasion; and every kind that can be sent.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_can_go_wrong_can_be_planned() {
    let Some(browser) = browser("whatever_can_go_wrong_can_be_planned", 1280, 900).await else {
        return;
    };
    let emulator = Emulator::builder().settings(quiet()).start().await.unwrap();
    browser.open(&emulator.url()).await.unwrap();
    let shown = "return [...document.querySelectorAll('#fault > label')]\
                 .filter((label) => label.checkVisibility())\
                 .map((label) => label.querySelector('input, select').name)";
    for (action, parameters) in [
        ("drop", json!(["type", "times"])),
        ("delay", json!(["type", "seconds", "times"])),
        ("slow_body", json!(["type", "millis", "times"])),
        ("respond", json!(["type", "status", "form", "times"])),
    ] {
        browser.choose("#fault [name=type]", action).await.unwrap();
        assert_eq!(browser.run(shown).await.unwrap(), parameters, "{action}");
    }
    // A call has to be named, so what it is for is open by now.
    assert_eq!(
        browser.run("return document.querySelector('#fault details').open").await.unwrap(),
        true
    );
    browser.click("#fault button").await.unwrap();
    let refused = "return document.querySelector('#fault output.error')?.textContent";
    let refused = browser.until(refused).await.unwrap();
    assert!(refused.as_str().unwrap().contains("`operation`"), "{refused}");
    browser.fill("#fault [name=status]", "429").await.unwrap();
    browser.choose("#fault [name=form]", "coded").await.unwrap();
    browser.choose("#fault [name=operation]", "subscribe").await.unwrap();
    browser.fill("#fault [name=user_id]", "7").await.unwrap();
    browser.fill("#fault [name=nth]", "2").await.unwrap();
    browser.fill("#fault [name=probability]", "0.5").await.unwrap();
    picture(&browser, "page-fault").await;
    browser.click("#fault button").await.unwrap();
    browser.until("return document.querySelector('#faults .pill')").await.unwrap();

    for (name, value) in [("operation", ""), ("cause", "retry")] {
        browser.choose(&format!("#fault [name={name}]"), value).await.unwrap();
    }
    browser.choose("#fault [name=type]", "jump_clock").await.unwrap();
    browser.fill("#fault [name=kind]", "follow_events").await.unwrap();
    browser.fill("#fault [name=webhook_id]", "5").await.unwrap();
    browser.fill("#fault [name=seconds]", "90").await.unwrap();
    browser.fill("#fault [name=nth]", "").await.unwrap();
    browser.fill("#fault [name=probability]", "").await.unwrap();
    // Without a mouse.
    browser
        .run(
            "document.querySelector('#fault button').focus(); \
              document.activeElement.closest('form').requestSubmit()",
        )
        .await
        .unwrap();
    browser.until("return document.querySelectorAll('#faults .pill').length === 2").await.unwrap();
    let planned = serde_json::to_value(emulator.faults()).unwrap();
    let plan = |n: usize| (&planned["faults"][n]["match"], &planned["faults"][n]["action"]);
    let called = json!({"operation": "subscribe", "user_id": "7", "nth": 2, "probability": 0.5});
    assert_eq!(plan(0), (&called, &json!({"type": "respond", "status": 429, "form": "coded"})));
    let delivered =
        json!({"kind": "follow_events", "user_id": "7", "webhook_id": "5", "cause": "retry"});
    assert_eq!(plan(1), (&delivered, &json!({"type": "jump_clock", "seconds": 90})));

    let receiver = Receiver::start().await;
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    browser.fill("#send [name=user_id]", "7").await.unwrap();
    for (n, kind) in ["post.create", "filtered_stream"].into_iter().enumerate() {
        browser.choose("#send [name=kind]", kind).await.unwrap();
        browser.click("#send button").await.unwrap();
        receiver.wait_for(n + 1).await;
    }
    let arrived = receiver.arrived();
    assert_eq!(arrived[0].0["data"]["event_type"], "post.create");
    assert!(arrived[1].0["matching_rules"].is_array());
    assert_eq!(browser.console().await.unwrap().len(), 1, "the answer of the refused plan");
    browser.close().await.unwrap();
}

/// Wherever text from outside is shown, nothing in it runs.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_is_text() {
    const HOSTILE: &str = "</pre></script><script>window.hacked=1</script>\
                           <img src=x onerror='window.hacked=1'>\"'><svg/onload=\"window.hacked=1\">";
    let Some(browser) = browser("hostile_text_is_text", 800, 600).await else {
        return;
    };
    let emulator = Emulator::builder().settings(Settings::default()).start().await.unwrap();
    let receiver = Receiver::start().await;
    let webhook = register(&emulator, &receiver).await;
    subscribe(&emulator, webhook, 7).await;
    let post = json!({"text": HOSTILE, "user": {"name": HOSTILE}, HOSTILE: HOSTILE});
    let events = [
        Trigger::new("tweet_create_events", user(7)).with_payload(post),
        Trigger::new("<script>window.hacked=1<!--_events", user(7)).with_payload(json!([HOSTILE])),
        Trigger::new("favorite_events", user(7)).with_payload(json!({"id": HOSTILE})),
    ];
    for ask in events {
        emulator.trigger_and_wait(&ask).await.unwrap();
    }
    let kind = format!("{HOSTILE}_events");
    let fault = json!({"match": {"kind": kind}, "action": {"type": "drop"}});
    emulator.plan_fault(serde_json::from_value(fault).unwrap()).unwrap();
    browser.open(&emulator.url()).await.unwrap();
    // As it was loaded, and as it is put in place later.
    for later in [false, true] {
        if later {
            emulator.trigger_and_wait(&Trigger::new("follow_events", user(7))).await.unwrap();
            let four = "return document.querySelectorAll('#deliveries details').length === 4";
            browser.until(four).await.unwrap();
        }
        browser
            .run("for (const d of document.querySelectorAll('details')) d.open = true")
            .await
            .unwrap();
        let shown = browser.text("#deliveries").await.unwrap();
        assert!(shown.contains("<img src=x onerror='window.hacked=1'>"), "{shown}");
        assert!(
            browser.text("#faults").await.unwrap().contains("<script>window.hacked=1</script>")
        );
        let strange = "return document.querySelectorAll('main script, main img, main svg').length";
        assert_eq!(browser.run(strange).await.unwrap(), 0);
        assert_eq!(browser.run("return window.hacked ?? null").await.unwrap(), json!(null));
        assert_eq!(browser.console().await.unwrap(), Vec::<String>::new());
    }
    picture(&browser, "page-hostile").await;
    // Even if something got through, the policy would keep it from running.
    let script = "const s = document.createElement('script'); s.textContent = 'window.hacked=1'; \
                  document.body.append(s); return window.hacked ?? null";
    assert_eq!(browser.run(script).await.unwrap(), json!(null));
    let refused = browser.console().await.unwrap();
    assert!(refused.iter().any(|line| line.contains("Content Security Policy")), "{refused:?}");
    browser.close().await.unwrap();
}

/// The page is for this machine, like everything else here.
#[tokio::test]
async fn strangers_get_no_page() {
    let emulator = Emulator::start().await.unwrap();
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/_emulator/page", "text/html; charset=utf-8"),
        ("/_emulator/page.css", "text/css; charset=utf-8"),
        ("/_emulator/page.js", "text/javascript; charset=utf-8"),
    ] {
        let uri = format!("{}{path}", emulator.url());
        let own = send(Request::builder().uri(&uri), String::new()).await;
        assert_eq!(
            (own.status, &own.headers["content-type"]),
            (200, &content_type.parse().unwrap())
        );
        let policy = own.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        let rebound = Request::builder().uri(&uri).header("host", "rebound.example");
        assert_eq!(send(rebound, String::new()).await.status, 403);
    }
}
