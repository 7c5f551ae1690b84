//! What pages are made of.

use axum::body::Body;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::{
    day::{self, Canned, WEBHOOK},
    stage::{PATIENCE, Pages, Stage, now},
};

/// Returns what a page is made of: headings, columns, forms, buttons, links, live parts.
fn structure(page: &str) -> String {
    let (_, main) = page.split_once("<main").unwrap();
    let (main, _) = main.split_once("</main>").unwrap();
    let mut lines = Vec::new();
    for part in main.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or((part, ""));
        let name = tag.split(' ').next().unwrap();
        let attribute = |name: &str| {
            let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
            rest.split('"').next().map(str::to_owned)
        };
        let line = match name {
            "h1" | "h2" | "th" => format!("{name} {text}"),
            "form" => match attribute("data-post") {
                Some(to) => format!("form -> {to}"),
                None => format!("form {}", attribute("action").unwrap_or_default()),
            },
            "input" | "select" => {
                format!(
                    "  {name} {} {}",
                    attribute("name").unwrap(),
                    attribute("type").unwrap_or_default()
                )
            }
            "button" => {
                let to = attribute("data-post").map(|to| format!(" -> {to}")).unwrap_or_default();
                let asks = if tag.contains("data-confirm") { " (asks)" } else { "" };
                format!("button {text}{to}{asks}")
            }
            "section" | "div" if tag.contains("data-live") || tag.contains("data-stream") => {
                let every = attribute("data-live").map(|every| format!(" every {every} s"));
                format!(
                    "{name} #{}{}",
                    attribute("id").unwrap(),
                    every.unwrap_or(" as events arrive".into())
                )
            }
            "svg" => format!("svg {}", attribute("role").unwrap()),
            "noscript" | "details" | "meter" | "pre" => name.to_owned(),
            _ => continue,
        };
        let line = line.trim_end().to_owned();
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// Pages over a day that was written into the store.
pub(crate) async fn a_day(size: day::Size) -> (Stage, Pages) {
    let stage = Stage::new().await;
    stage.store_token(7, "harbour");
    stage.store_token(8, "lighthouse");
    day::write(&stage.store, now(), size).await;
    day::go_on(stage.store.clone());
    let api = "http://127.0.0.1:1".parse().unwrap();
    let client =
        aaa_client::ClientBuilder::new(api).bearer("x".parse().unwrap()).build_with(Canned);
    let pages = aaa_dashboard::Dashboard::new(stage.store.clone(), client)
        .with_tokens(stage.tokens.clone())
        .with_resend(stage.asked.clone())
        .with_figures(stage.status.clone(), day::Nothing);
    let pages = Pages::new(pages);
    (stage, pages)
}

#[tokio::test]
async fn structures() {
    let (_stage, pages) = a_day(day::Size::Small).await;
    insta::assert_snapshot!(structure(&pages.page("/").await), @"
    h1 Overview
    noscript
    div #now every 5 s
    section #coverage every 15 s
    h2 Coverage
    svg img
    details
    th From
    th To
    th Lasted
    th Why
    th What became of it
    section #latest every 3 s
    h2 Latest events
    th Seq
    th Arrived
    th Kind
    th For user
    th Key
    section #figures every 5 s
    h2 This run of the receiver
    ");
    insta::assert_snapshot!(structure(&pages.page("/events").await), @"
    h1 Events
    noscript
    form /events
      input kind
      input user
    button Filter
    button Pause
    section #events as events arrive
    th Seq
    th Arrived
    th Kind
    th For user
    th Key
    ");
    insta::assert_snapshot!(structure(&pages.page("/events/7").await), @"
    h1 Event 7
    noscript
    h2 Payload
    pre
    h2 Send it again
    form -> /events/7/resend
      input to url
    button Send again
    ");
    insta::assert_snapshot!(structure(&pages.page("/webhooks").await), @"
    h1 Webhooks
    noscript
    section #webhooks every 20 s
    h2 Registered at X
    button Validate -> /webhooks/1234577122340233217/validate
    button Delete -> /webhooks/1234577122340233217/delete (asks)
    meter
    h2 Register a webhook
    form -> /webhooks
      input url url
    button Register
    ");
    insta::assert_snapshot!(structure(&pages.page(&format!("/webhooks/{WEBHOOK}")).await), @"
    h1 Webhook 1234577122340233217
    noscript
    section #webhook every 20 s
    button Validate -> /webhooks/1234577122340233217/validate
    button Delete -> /webhooks/1234577122340233217/delete (asks)
    section #subscriptions every 20 s
    h2 Subscribed users
    th User
    th Name
    th
    form -> /webhooks/1234577122340233217/unsubscribe
      input user hidden
    button Remove (asks)
    form -> /webhooks/1234577122340233217/unsubscribe
      input user hidden
    button Remove (asks)
    meter
    section #subscribe every 20 s
    h2 Subscribe a user
    form -> /webhooks/1234577122340233217/subscribe
      select user
    button Subscribe
    ");
    insta::assert_snapshot!(structure(&pages.page("/accounts").await), @"
    h1 Accounts
    noscript
    h2 Signed in
    th User
    th Name
    th Since
    th
    button Forget -> /accounts/7/forget (asks)
    button Forget -> /accounts/8/forget (asks)
    h2 Sign another user in
    form -> /accounts/sign-in
    button Sign in with X
    form -> /accounts/sign-in
      input way hidden
    button Sign in with a PIN
    form -> /accounts/pin
      input request hidden
      input pin
    button Done
    ");
    insta::assert_snapshot!(structure(&pages.page("/replay").await), @"
    h1 Replay
    noscript
    div #state every 3 s
    section #coverage every 15 s
    h2 Coverage
    svg img
    details
    th From
    th To
    th Lasted
    th Why
    th What became of it
    section #plan every 3 s
    h2 Plan
    th What
    th From
    th To
    th Minutes
    th When, why
    h2 Have minutes sent again
    form -> /replay/create
      select webhook
      input from datetime-local
      input to datetime-local
    button Ask for them
    section #history every 3 s
    h2 Jobs
    th Asked
    th Job
    th From
    th To
    th State
    th Events found
    ");
    insta::assert_snapshot!(structure(&pages.page("/dead-letters").await), @"
    h1 Dead letters
    noscript
    div #letters every 5 s
    h2
    th Seq
    th Failed
    th Attempts
    th Why
    th Key
    th
    form -> /dead-letters/redrive
      input consumer hidden
      input first hidden
      input last hidden
    button Try again
    form -> /dead-letters/redrive
      input consumer hidden
      input first hidden
      input last hidden
    button Try again
    form -> /dead-letters/redrive
      input consumer hidden
    button Try all again (asks)
    h2
    ");
}

#[tokio::test]
async fn the_picture_shows_what_happened() {
    let (_stage, pages) = a_day(day::Size::Small).await;
    for (span, path) in [("24h", "/"), ("24h", "/replay"), ("5d", "/replay?span=5d")] {
        let page = pages.page(path).await;
        let (_, svg) = page.split_once("<svg").unwrap();
        let (svg, rest) = svg.split_once("</svg>").unwrap();
        for class in ["proved", "down", "refused", "invalid", "recovered", "maybe-lost", "now"] {
            assert!(svg.contains(&format!("rect class=\"{class}\"")), "{span} {class}: {svg}");
            assert!(rest.contains(&format!("swatch {class}")), "{span} {class}");
        }
        assert!(svg.contains("class=\"bar\"") && svg.contains("events in"), "{svg}");
        assert!(svg.contains("the receiver was up for 9"), "{svg}");
        assert!(page.contains(&format!("aria-current=\"true\">{span}<")));
    }
    // An hour ago nothing was wrong but the last outage.
    let page = pages.page("/?span=1h").await;
    assert!(!page.contains("swatch refused") && page.contains("swatch down"));
}

#[tokio::test]
async fn older_pages_and_filters() {
    let stage = Stage::new().await;
    let (pages, id) = (stage.pages(), stage.webhook().await);
    assert!(pages.page("/events").await.contains("Nothing has arrived yet"));
    stage.subscribe(id, 7).await;
    for _ in 0..30 {
        stage.trigger("favorite_events").await;
        stage.trigger("follow_events").await;
    }
    let rows = |page: &str| page.matches("<td class=\"number\">").count();
    let page = pages.page("/events").await;
    assert_eq!(rows(&page), 50);
    assert!(page.contains("/events?before=11\"") && page.contains("data-stream"), "{page}");
    let page = pages.page("/events?before=11").await;
    assert_eq!(rows(&page), 10);
    assert!(!page.contains("data-stream") && !page.contains("rel=\"next\""));
    let page = pages.page("/events?kind=follow_events&user=7").await;
    assert_eq!(rows(&page), 30);
    assert!(!page.contains(">favorite_events</bdi>"));
    assert!(pages.page("/events?user=8").await.contains("No such event is stored"));
    let page = pages.page("/events?kind=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert"), "{page}");
    assert_eq!(pages.get("/events?before=x").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    for missing in ["/events/61", "/events/0", "/events/x", "/webhooks/999", "/webhooks/x", "/x"] {
        assert_eq!(pages.get(missing).await.status, StatusCode::NOT_FOUND, "{missing}");
    }
    let body = pages.get("/events/1/body").await;
    assert_eq!(body.headers["content-type"], "application/octet-stream");
    assert!(body.headers["content-disposition"].to_str().unwrap().starts_with("attachment;"));
    assert!(body.body.starts_with(r#"{"for_user_id":"7""#));
}

/// What people type and mistype is answered with a page.
#[tokio::test]
async fn addresses_that_are_not_quite_right() {
    let stage = Stage::new().await;
    let password: aaa_dashboard::Password = "correct horse".parse().unwrap();
    for base in ["", "/ops/x"] {
        let pages = Pages { base, ..Pages::new(stage.dashboard().at(base)) };
        for (typed, leads) in [
            ("/events/", "/events"),
            ("/events/?kind=x&user=7", "/events?kind=x&user=7"),
            ("/webhooks/", "/webhooks"),
            ("/nowhere/", "/nowhere"),
        ] {
            let page = pages.get(typed).await;
            assert_eq!(page.status, StatusCode::PERMANENT_REDIRECT, "{base}{typed}");
            assert_eq!(page.headers["location"], format!("{base}{leads}"));
        }
        // Nobody is led away by it.
        for foreign in ["//evil.example/", "/\\evil.example/"] {
            let request = pages.request(Method::GET, "/");
            let uri = http::Uri::builder().path_and_query(format!("{base}{foreign}")).build();
            let Ok(uri) = uri else { continue };
            let page = pages.send(request.uri(uri).body(Body::empty()).unwrap()).await;
            let leads = page.headers.get("location").map(|to| to.to_str().unwrap());
            // Below a path it cannot lead away.
            let stays =
                !base.is_empty() && leads.is_some_and(|to| to.starts_with(&format!("{base}/")));
            assert!(page.status == StatusCode::NOT_FOUND || stays, "{base} {foreign}: {leads:?}");
        }
        for wrong in [
            "/events?kind=a&kind=b",
            "/events/stream?after=1&after=2",
            "/replay?webhook=1&webhook=2",
            "/dead-letters?after=1&after=2",
            "/login?next=a&next=b",
        ] {
            let page = pages.get(wrong).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{wrong}");
            assert!(page.body.contains("<h1>That did not work</h1>"), "{wrong}: {}", page.body);
            assert!(page.body.contains("duplicate field"), "{wrong}: {}", page.body);
        }
    }
    let under = Pages { base: "/ops/x", ..Pages::new(stage.dashboard().at("/ops/x")) };
    for (typed, leads) in [("/", "/ops/x"), ("/?span=1h", "/ops/x?span=1h")] {
        let page = under.get(typed).await;
        assert_eq!(page.status, StatusCode::PERMANENT_REDIRECT, "{typed}");
        assert_eq!(page.headers["location"], leads);
    }
    assert_eq!(under.get("?span=1h&span=5d").await.status, StatusCode::BAD_REQUEST);
    // Whoever has to sign in is asked to first, and comes to where they wanted.
    let closed = Pages::new(stage.dashboard().with_password(password));
    let page = closed.get("/events/").await;
    assert_eq!(page.headers["location"], "/login?next=%2Fevents%2F");
}

#[tokio::test]
async fn events_are_streamed_as_they_arrive() {
    let stage = Stage::new().await;
    let (pages, id) = (stage.pages(), stage.webhook().await);
    stage.subscribe(id, 7).await;
    stage.trigger("favorite_events").await;
    let stream = async |query: &str, seen: Option<&str>| {
        let mut request = pages.request(Method::GET, &format!("/events/stream{query}"));
        if let Some(seen) = seen {
            request = request.header("last-event-id", seen);
        }
        let answer =
            pages.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        answer.into_body()
    };
    let next = async |body: &mut Body| {
        let frame = timeout(PATIENCE, body.frame()).await.unwrap().unwrap().unwrap();
        String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
    };
    let mut live = stream("", None).await;
    let mut follows = stream("?kind=follow_events", None).await;
    let mut all = stream("?after=0", None).await;
    let mut again = stream("?after=0", Some("1")).await;
    stage.trigger("direct_message_events").await;
    stage.trigger("follow_events").await;
    // What was there before is not told, unless it is asked for.
    assert!(next(&mut live).await.contains(r#""seq":2,"kind":"direct_message_events""#));
    assert!(next(&mut all).await.starts_with("id: 1\ndata: {\"seq\":1,"));
    assert!(next(&mut again).await.starts_with("id: 2\n"));
    assert!(next(&mut follows).await.contains(r#""seq":3,"kind":"follow_events""#));
    let told = next(&mut live).await;
    assert!(told.contains(r#""for_user_id":"7""#) && !told.contains("payload"), "{told}");
}

/// Links lead where the pages are.
#[tokio::test]
async fn pages_under_a_path() {
    let stage = Stage::new().await;
    let id = stage.webhook().await;
    stage.subscribe(id, 7).await;
    stage.trigger("favorite_events").await;
    let password = "correct horse".parse().unwrap();
    let open = Pages { base: "/ops/x", ..Pages::new(stage.dashboard().at("/ops/x/")) };
    for path in [
        "",
        "/events",
        "/events/1",
        "/webhooks",
        &format!("/webhooks/{id}"),
        "/accounts",
        "/replay",
        "/dead-letters",
    ] {
        let page = open.page(path).await;
        for start in ["href=\"", "src=\"", "action=\"", "data-post=\"", "data-stream=\""] {
            for (_, rest) in page.split(start).skip(1).map(|rest| ("", rest)) {
                let to = rest.split('"').next().unwrap();
                assert!(to.starts_with("/ops/x") || to.starts_with('#'), "{path}: {start}{to}");
            }
        }
        for asset in page.split("src=\"/ops/x").skip(1) {
            let asset = asset.split('"').next().unwrap();
            assert_eq!(open.get(asset).await.status, StatusCode::OK, "{asset}");
        }
    }
    assert_eq!(open.post(&format!("/webhooks/{id}/validate"), serde_json::json!({})).await.0, 200);
    let closed = Pages {
        base: "/ops/x",
        ..Pages::new(stage.dashboard().at("ops/x").with_password(password))
    };
    let page = closed.get("/events").await;
    assert_eq!(page.headers["location"], "/ops/x/login?next=%2Fevents");
}

#[tokio::test]
async fn no_secret_is_shown() {
    let stage = Stage::new().await;
    let (pages, id) = (stage.pages(), stage.webhook().await);
    stage.store_token(7, "seven");
    stage.subscribe(id, 7).await;
    stage.trigger("favorite_events").await;
    let signature = aaa_webhook::inbox::EventLog::events(
        &stage.store,
        aaa_webhook::inbox::EventQuery::after(0, 1),
    )
    .await
    .unwrap();
    let signature = &signature[0].origin.signature;
    for path in [
        "/",
        "/events",
        "/events/1",
        "/webhooks",
        &format!("/webhooks/{id}"),
        "/accounts",
        "/replay",
        "/dead-letters",
    ] {
        let page = pages.page(path).await;
        for secret in ["emulator-secret", "emulator-bearer", "7-emulator", signature] {
            assert!(!page.contains(secret), "{path}: {secret}");
        }
    }
}
