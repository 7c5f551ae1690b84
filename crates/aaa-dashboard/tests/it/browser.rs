//! The pages in a real browser: how they look, and that they do what they offer.

use std::{future, path::Path, time::Duration};

use aaa_auth::tokens::Tokens;
use aaa_replay::{
    coverage::{Heartbeat, RunId, Tally},
    ledger::Ledger,
};
use aaa_webhook::{receiver::Status, server::Server};
use axum::Router;
use headless::{Browser, Scheme};
use jiff::SignedDuration;

use crate::{
    day::Size,
    letters::dead_letter,
    pages::a_day,
    stage::{Stage, now},
};

/// Every page there is.
pub(crate) const PATHS: [&str; 8] = [
    "/",
    "/events",
    "/events/7",
    "/webhooks",
    "/webhooks/1234577122340233217",
    "/accounts",
    "/replay",
    "/dead-letters",
];

/// Begins a browser, or notes that a test is skipped.
pub(crate) async fn browser(test: &str, width: u32, height: u32) -> Option<Browser> {
    if let Some(missing) = headless::missing() {
        if let Some(path) = std::env::var_os("AAA_SKIPPED_FILE") {
            use std::io::Write;
            let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
            writeln!(file, "aaa-dashboard {test}: {missing}").unwrap();
        }
        return None;
    }
    Some(Browser::start(width, height).await.unwrap())
}

/// Serves a router on loopback, and returns its URL.
pub(crate) async fn serve(router: Router) -> String {
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url = format!("http://{}", server.local_addr());
    tokio::spawn(server.serve(router, Status::default(), future::pending()));
    url
}

/// Keeps a picture for whoever wants to look, in the directory that `AAA_PICTURES` names.
async fn picture(browser: &Browser, name: &str) {
    if let Some(directory) = std::env::var_os("AAA_PICTURES") {
        browser.picture(&Path::new(&directory).join(format!("{name}.png"))).await.unwrap();
    }
}

/// Waits until a selector finds something.
async fn shown(browser: &Browser, selector: &str) {
    let found = format!("return document.querySelector({selector:?}) !== null");
    browser.until(&found).await.unwrap();
}

/// Waits until the page says something about a change.
async fn said(browser: &Browser, words: &str) {
    let told = format!("return document.getElementById('said')?.textContent.includes({words:?})");
    browser.until(&told).await.unwrap();
}

/// What is wrong with a page for somebody who sees little, or uses the keyboard.
const FAULTS: &str = r#"
const faults = [];
const name = (one) => one.getAttribute("aria-label") || one.labels?.[0]?.textContent || one.textContent;
for (const one of document.querySelectorAll("a[href],button,input:not([type=hidden]),select,summary,svg[role]")) {
  if (!name(one)?.trim()) faults.push("has no name: " + one.outerHTML.slice(0, 80));
  if (one.tabIndex > 0) faults.push("leaves the order: " + one.outerHTML.slice(0, 80));
}
if (document.querySelectorAll("h1").length !== 1) faults.push("has not one h1");
const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
if (new Set(ids).size !== ids.length) faults.push("has an id twice");
const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
const rgba = (color) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data].map((one) => one / 255);
};
const over = (top, below) => top.slice(0, 3).map((one, n) => one * top[3] + below[n] * (1 - top[3]));
const ground = (one) => {
  if (!one) return [1, 1, 1];
  const own = rgba(getComputedStyle(one).backgroundColor);
  return own[3] === 1 ? own.slice(0, 3) : over(own, ground(one.parentElement));
};
const light = (color) => color.map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
for (const one of document.querySelectorAll("body *")) {
  const text = [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join("").trim();
  if (!text || one.closest("svg,meter,option,[hidden],noscript") || one.checkVisibility?.() === false || one.matches(":disabled")) continue;
  const below = ground(one);
  const [a, b] = [light(over(rgba(getComputedStyle(one).color), below)), light(below)].sort((x, y) => y - x);
  const contrast = (a + 0.05) / (b + 0.05);
  if (contrast < 4.5) faults.push(`cannot be read (${contrast.toFixed(2)}): ${one.className} ${text.slice(0, 40)}`);
}
return faults;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_fit_for_everybody() {
    let Some(browser) = browser("every_page_is_fit_for_everybody", 1280, 900).await else { return };
    // Whoever wants pictures gets a day that is worth one.
    let pictured = std::env::var_os("AAA_PICTURES").is_some();
    let (_stage, pages) = a_day(if pictured { Size::Full } else { Size::Small }).await;
    let url = serve(pages.router).await;
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.prefer(scheme).await.unwrap();
        for (width, height) in [(1280, 900), (390, 1180)] {
            browser.resize(width, height).await.unwrap();
            for path in PATHS {
                browser.open(&format!("{url}{path}")).await.unwrap();
                let wide = "return document.documentElement.scrollWidth - innerWidth";
                let wide = browser.run(wide).await.unwrap().as_i64().unwrap();
                assert!(wide <= 0, "{path} is {wide} wider than {width}");
                let faults = browser.run(FAULTS).await.unwrap();
                assert_eq!(faults, serde_json::json!([]), "{path} {scheme:?}");
                let name = path.trim_matches('/').replace('/', "-");
                let name = if name.is_empty() { "overview" } else { &name };
                picture(&browser, &format!("{name}-{width}-{scheme:?}").to_lowercase()).await;
            }
        }
    }
    // Nothing was kept from happening, and nothing failed.
    assert_eq!(browser.console().await.unwrap(), Vec::<String>::new());
    let grounds = async |scheme| {
        browser.prefer(scheme).await.unwrap();
        browser
            .run("return getComputedStyle(document.documentElement).backgroundColor")
            .await
            .unwrap()
    };
    assert_ne!(grounds(Scheme::Light).await, grounds(Scheme::Dark).await);
    browser.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_and_users_from_beginning_to_end() {
    let test = "webhooks_and_users_from_beginning_to_end";
    let Some(browser) = browser(test, 1000, 900).await else { return };
    let stage = Stage::new().await;
    let url = serve(stage.pages().router).await;

    // A webhook is registered with the keyboard.
    browser.open(&format!("{url}/webhooks")).await.unwrap();
    assert!(browser.text("#webhooks").await.unwrap().contains("The app has none"));
    browser.fill("input[name=url]", "https://not.there.example/x\u{e007}").await.unwrap();
    browser.until("return document.querySelector('#said.bad')").await.unwrap();
    browser.fill("input[name=url]", &format!("{}\u{e007}", stage.hook)).await.unwrap();
    said(&browser, "is registered and valid").await;
    shown(&browser, "#webhooks .pill.proved").await;
    let id = stage.client.app().list_webhooks().await.unwrap()[0].id;

    // A user gives permission at X, and comes back.
    browser.open(&format!("{url}/accounts")).await.unwrap();
    browser.click("form[data-post='/accounts/sign-in'] button").await.unwrap();
    shown(&browser, "input[name=user_id]").await;
    browser.fill("input[name=user_id]", "7").await.unwrap();
    browser.click("button[value=approve]").await.unwrap();
    shown(&browser, "main.card").await;
    let words = browser.text("main").await.unwrap();
    assert!(words.contains("Signed in") && words.contains("user 7"), "{words}");
    let users = |tokens: Tokens| tokens.iter().map(|(user, _)| user.as_u64()).collect::<Vec<_>>();
    assert_eq!(users(stage.tokens.read().unwrap()), [7]);
    // The way back works once.
    let back = browser.run("return location.href").await.unwrap();
    browser.open(back.as_str().unwrap()).await.unwrap();
    assert!(browser.text("main").await.unwrap().contains("Nothing was done"));

    // Another one does not; a third reads a PIN off X's page, in a browser of their own.
    browser.open(&format!("{url}/accounts")).await.unwrap();
    browser.click("form[data-post='/accounts/sign-in'] button").await.unwrap();
    shown(&browser, "button[value=deny]").await;
    browser.click("button[value=deny]").await.unwrap();
    shown(&browser, "main.card").await;
    assert!(browser.text("main").await.unwrap().contains("did not give permission"));
    browser.open(&format!("{url}/accounts")).await.unwrap();
    browser.click("form[data-pin] button").await.unwrap();
    let page =
        browser.until("return document.querySelector('#pin:not([hidden]) a')?.href").await.unwrap();
    let pin = pin_of(page.as_str().unwrap(), "8").await;
    browser.fill("#pin input[name=pin]", &format!("{pin}\u{e007}")).await.unwrap();
    browser
        .until("return document.querySelectorAll('#accounts tbody tr').length === 2")
        .await
        .unwrap();
    assert_eq!(users(stage.tokens.read().unwrap()), [7, 8]);

    // They are subscribed, and one of them is removed again.
    browser.open(&format!("{url}/webhooks/{id}")).await.unwrap();
    for user in ["7", "8"] {
        browser.choose("#subscribe select", user).await.unwrap();
        browser.click("#subscribe button").await.unwrap();
        shown(&browser, &format!("#subscriptions input[value='{user}']")).await;
    }
    assert!(browser.text(".quota").await.unwrap().contains("2 of 5000"));
    browser.click("button[aria-label='Remove user 8']").await.unwrap();
    // The question is answered with yes.
    said(&browser, "user 8 is no longer subscribed").await;
    let subscribed = stage.client.app().list_subscriptions(id).await.unwrap().subscriptions;
    assert_eq!(subscribed.iter().map(|s| s.user_id.as_u64()).collect::<Vec<_>>(), [7]);
    browser.click("#webhook button").await.unwrap();
    said(&browser, "is valid").await;

    // A token is forgotten, and the webhook deleted.
    browser.open(&format!("{url}/accounts")).await.unwrap();
    browser.click("button[aria-label='Forget user 8']").await.unwrap();
    said(&browser, "is forgotten").await;
    assert_eq!(users(stage.tokens.read().unwrap()), [7]);
    browser.open(&format!("{url}/webhooks")).await.unwrap();
    browser.click("#webhooks .danger").await.unwrap();
    browser
        .until(
            "return document.querySelector('#webhooks')?.textContent.includes('The app has none')",
        )
        .await
        .unwrap();
    assert_eq!(stage.client.app().list_webhooks().await.unwrap(), []);
    browser.close().await.unwrap();
}

/// Gives permission in another browser, and reads the PIN.
async fn pin_of(page: &str, user: &str) -> String {
    let other = Browser::start(800, 600).await.unwrap();
    other.open(page).await.unwrap();
    other.fill("input[name=user_id]", user).await.unwrap();
    other.click("button[value=approve]").await.unwrap();
    shown(&other, "code").await;
    let pin = other.text("code").await.unwrap();
    other.close().await.unwrap();
    pin
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_and_are_sent_again() {
    let Some(browser) = browser("events_arrive_and_are_sent_again", 1000, 900).await else {
        return;
    };
    let stage = Stage::new().await;
    let id = stage.webhook().await;
    stage.subscribe(id, 7).await;
    let url = serve(stage.pages().router).await;
    browser.open(&format!("{url}/events")).await.unwrap();
    shown(&browser, ".streaming").await;
    assert!(browser.text("#events").await.unwrap().contains("Nothing has arrived yet"));
    // Without anybody looking again.
    stage.trigger("favorite_events").await;
    shown(&browser, "#events a[href='/events/1']").await;
    browser.click("[data-pause]").await.unwrap();
    stage.trigger("follow_events").await;
    stage.trigger("favorite_events").await;
    assert_eq!(browser.text("[data-pause]").await.unwrap(), "Go on");
    let rows = "return document.querySelectorAll('#events tbody tr').length";
    assert_eq!(browser.run(rows).await.unwrap(), 1);
    browser.click("[data-pause]").await.unwrap();
    browser.until(&format!("{rows} === 3")).await.unwrap();

    // A filter, also for what is yet to come.
    browser.fill("input[name=kind]", "follow_events\u{e007}").await.unwrap();
    browser
        .until(&format!("return location.search.includes('follow') && {} === 1", &rows[7..]))
        .await
        .unwrap();
    shown(&browser, ".streaming").await;
    stage.trigger("favorite_events").await;
    stage.trigger("follow_events").await;
    browser.until(&format!("{rows} === 2")).await.unwrap();

    // The details, and once more to somewhere else.
    browser.click("#events a[href='/events/2']").await.unwrap();
    shown(&browser, "pre.json .key").await;
    let payload = browser.text("pre.json").await.unwrap();
    assert!(payload.contains("\"type\": \"follow\""), "{payload}");
    browser.fill("input[name=to]", "http://127.0.0.1:9/again\u{e007}").await.unwrap();
    said(&browser, "sent").await;
    assert!(stage.asked.all()[0].ends_with("to http://127.0.0.1:9/again"));

    // The overview moves, too.
    browser.open(&url).await.unwrap();
    stage.trigger("direct_message_events").await;
    shown(&browser, "#latest .kind.message").await;
    assert_eq!(browser.console().await.unwrap(), Vec::<String>::new());
    browser.close().await.unwrap();
}

/// A browser has six connections to one address, and each stream that is open holds one.
#[tokio::test(flavor = "multi_thread")]
async fn many_tabs_are_open() {
    let Some(browser) = browser("many_tabs_are_open", 1000, 900).await else { return };
    let stage = Stage::new().await;
    let id = stage.webhook().await;
    stage.subscribe(id, 7).await;
    let url = serve(stage.pages().router).await;
    browser.open(&format!("{url}/events")).await.unwrap();
    shown(&browser, ".streaming").await;
    // Somebody looks at another tab, and comes back.
    let look = |hidden: bool| {
        format!(
            "Object.defineProperty(document, 'hidden', {{ get: () => {hidden}, configurable: true \
             }}); document.dispatchEvent(new Event('visibilitychange')); return true"
        )
    };
    browser.run(&look(true)).await.unwrap();
    // At once, and not when the stream ends by itself.
    let closed = browser.run("return !document.querySelector('.streaming')").await.unwrap();
    assert_eq!(closed, true);
    stage.trigger("follow_events").await;
    let rows = "return document.querySelectorAll('#events tbody tr').length";
    assert_eq!(browser.run(rows).await.unwrap(), 0);
    browser.run(&look(false)).await.unwrap();
    shown(&browser, ".streaming").await;
    browser.until(&format!("{rows} === 1")).await.unwrap();
    stage.trigger("favorite_events").await;
    browser.until(&format!("{rows} === 2")).await.unwrap();
    // More of them than there are connections. The browser itself says which one is looked at.
    let others = "window.tabs = [...Array(8)].map(() => window.open(location.href)); return true";
    browser.run(others).await.unwrap();
    let loaded = "return tabs.every((tab) => tab?.document.querySelector('#events'))";
    browser.until(loaded).await.unwrap();
    let streaming = "return tabs.some((tab) => tab.document.querySelector('.streaming'))";
    browser.until(streaming).await.unwrap();
    browser.open(&format!("{url}/accounts")).await.unwrap();
    assert!(browser.text("h1").await.unwrap().contains("Accounts"));
    browser.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_and_dead_letters() {
    let Some(browser) = browser("replays_and_dead_letters", 1000, 900).await else { return };
    let stage = Stage::new().await;
    let id = stage.webhook().await;
    stage.subscribe(id, 7).await;
    stage.trigger("favorite_events").await;
    dead_letter(&stage, "no").await;
    // X replays nothing from before the webhook was there, so it is there for three hours.
    stage.emulator.advance(Duration::from_secs(3 * 3600)).await.unwrap();
    let offset = SignedDuration::from_hours(3);
    let (run, wall, uptime) = (RunId(1), now(), SignedDuration::ZERO);
    let tally = Tally::default();
    let beat = Heartbeat { run, wall, uptime, offset, offset_read: true, tally };
    stage.store.heartbeat(beat).await.unwrap();
    let url = serve(stage.pages().router).await;
    // What stands in the form is what X takes.
    browser.open(&format!("{url}/replay")).await.unwrap();
    browser.click("form[data-post='/replay/create'] button").await.unwrap();
    said(&browser, "30 minutes are asked for; recovery has begun").await;
    let declared = stage.store.declared().await.unwrap();
    assert_eq!(declared[0].declaration.webhook, Some(id));
    // What can be had now is in the plan, and somebody can begin.
    shown(&browser, "#plan .pill.now").await;
    browser.click("form[data-post='/replay/recover'] button").await.unwrap();
    browser
        .until("return document.querySelector('#said.good')?.textContent === 'recovery has begun'")
        .await
        .unwrap();
    assert_eq!(stage.asked.all(), vec![format!("recover {id}"); 2]);

    browser.open(&format!("{url}/dead-letters")).await.unwrap();
    browser.click("button[aria-label='Try event 1 again']").await.unwrap();
    shown(&browser, "#letters .pill.later").await;
    browser.click("#letters form:not(.inline) button").await.unwrap();
    said(&browser, "1 event will be tried again").await;
    browser.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_and_out() {
    let Some(browser) = browser("somebody_signs_in_and_out", 600, 800).await else { return };
    let stage = Stage::new().await;
    let closed = stage.dashboard().with_password("correct horse".parse().unwrap());
    let url = serve(closed.router().unwrap()).await;
    browser.open(&format!("{url}/events?kind=follow_events")).await.unwrap();
    browser.fill("input[name=password]", "wrong horse\u{e007}").await.unwrap();
    shown(&browser, "[role=alert]").await;
    browser.fill("input[name=password]", "correct horse\u{e007}").await.unwrap();
    shown(&browser, "#events").await;
    assert_eq!(browser.run("return location.search").await.unwrap(), "?kind=follow_events");
    // No script sees the cookie.
    assert_eq!(browser.run("return document.cookie").await.unwrap(), "");
    stage.store_token(7, "seven");
    browser.open(&format!("{url}/accounts")).await.unwrap();
    browser.click("button[aria-label='Forget user 7']").await.unwrap();
    said(&browser, "is forgotten").await;
    browser.click(".top form button").await.unwrap();
    shown(&browser, "input[name=password]").await;
    browser.open(&format!("{url}/events")).await.unwrap();
    shown(&browser, "input[name=password]").await;
    browser.close().await.unwrap();
}
