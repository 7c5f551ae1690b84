//! Pages of other sites, in the browser of somebody who uses the dashboard.

use axum::{Router, response::Html, routing::get};
use serde_json::Value;

use crate::{
    browser::{browser, serve},
    stage::Stage,
};

/// Sends what pages of other sites can send; says what became of each.
const ATTACKS: &str = r#"
const target = new URLSearchParams(location.search).get("target");
const tried = [];
const attempt = async (name, path, options) => {
  try {
    const answer = await fetch(target + path, { credentials: "include", ...options });
    tried.push(`${name}: ${answer.type} ${answer.status}`);
  } catch (error) { tried.push(`${name}: ${error.name}`); }
};
const json = JSON.stringify({ url: target + "/x", webhook: "1", user: "7" });
(async () => {
  await attempt("simple", "/accounts/7/forget", { method: "POST", mode: "no-cors", body: json });
  await attempt("form", "/accounts/7/forget", { method: "POST", mode: "no-cors", body: new URLSearchParams({ a: "b" }) });
  await attempt("blob", "/accounts/7/forget", { method: "POST", mode: "no-cors", body: new Blob([json], { type: "application/json" }) });
  await attempt("json", "/accounts/7/forget", { method: "POST", headers: { "content-type": "application/json", "aaa-token": "x" }, body: json });
  await attempt("read", "/accounts", {});
  await attempt("stream", "/events/stream", {});
  document.title = "done";
  window.tried = tried;
})();
"#;

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_change_and_read_nothing() {
    let test = "other_sites_change_and_read_nothing";
    let Some(browser) = browser(test, 800, 600).await else { return };
    let stage = Stage::new().await;
    stage.store_token(7, "seven");
    // A session that a browser could be made to send.
    let closed = stage.dashboard().with_password("correct horse".parse().unwrap());
    let (open, closed) = (serve(stage.pages().router).await, serve(closed.router().unwrap()).await);
    let evil = format!("<!doctype html><title>evil</title><script>{ATTACKS}</script>");
    let framing =
        |target: &str| format!("<!doctype html><iframe src=\"{target}/accounts\"></iframe>");
    let posting = |target: &str| {
        format!(
            "<!doctype html><form method=post action=\"{target}/accounts/7/forget\" enctype=\"text/plain\">\
             <input name='{{\"a\":\"' value='\"}}'></form><script>document.forms[0].submit()</script>"
        )
    };
    let (frames, posts) = (framing(&open), posting(&open));
    let other = Router::new()
        .route("/", get(async move || Html(evil)))
        .route("/frame", get(async move || Html(frames)))
        .route("/post", get(async move || Html(posts)));
    let other = serve(other).await;
    browser.open(&format!("{closed}/login")).await.unwrap();
    browser.fill("input[name=password]", "correct horse\u{e007}").await.unwrap();
    browser.until("return document.querySelector('.top') !== null").await.unwrap();
    for target in [&open, &closed] {
        browser.open(&format!("{other}/?target={target}")).await.unwrap();
        browser.until("return document.title === 'done'").await.unwrap();
        let tried = browser.run("return window.tried").await.unwrap();
        let tried: Vec<_> = tried.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(tried.len(), 6, "{tried:?}");
        // What a page may send without asking, it sends; the answer is kept from it.
        for one in &tried {
            assert!(one.ends_with(": TypeError"), "{one}");
        }
        assert_eq!(stage.tokens.read().unwrap().len(), 1, "a token was forgotten");
    }
    browser.open(&format!("{other}/post")).await.unwrap();
    browser
        .until("return document.body.textContent.includes('has to come from a page')")
        .await
        .unwrap();
    assert_eq!(stage.tokens.read().unwrap().len(), 1);
    // Nobody frames the pages.
    browser.console().await.unwrap();
    browser.open(&format!("{other}/frame")).await.unwrap();
    let said = browser.console().await.unwrap();
    assert!(said.iter().any(|line| line.contains("frame-ancestors")), "{said:?}");
    // Nor does a name of somebody else lead here, although it is the same machine.
    let port = open.rsplit(':').next().unwrap();
    browser.open(&format!("http://evil.localhost:{port}/accounts")).await.unwrap();
    let text = browser.text("body").await.unwrap();
    assert!(text.contains("not a name of the dashboard") && !text.contains("seven"), "{text}");
    browser.open(&format!("http://localhost:{port}/accounts")).await.unwrap();
    assert!(browser.text("body").await.unwrap().contains("seven"));
    browser.close().await.unwrap();
}
