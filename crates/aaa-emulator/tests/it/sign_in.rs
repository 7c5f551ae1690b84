//! Tokens: the three-legged flow by hand, as a script without a browser does it, and bearer tokens.

use std::time::Duration;

use aaa_auth::{Consumer, UserToken, oauth1::Signer};
use aaa_emulator::{
    Emulator,
    control::{Action, Fault, Match, Operation},
    credentials::{CONSUMER_KEY, CONSUMER_SECRET, OWNER, user_token},
    settings::{Settings, TimeMode},
};
use http::{Method, Request};
use jiff::SignedDuration;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::support::{Got, call, send};

const FORM: &str = "application/x-www-form-urlencoded";
const APP: &str = "ZW11bGF0b3Ita2V5OmVtdWxhdG9yLXNlY3JldA==";

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn value(form: &str, name: &str) -> String {
    let mut pairs = form_urlencoded::parse(form.as_bytes());
    let found = pairs.find(|(n, _)| n == name);
    found.unwrap_or_else(|| panic!("no {name} in {form}")).1.into_owned()
}

/// A signed call of an OAuth endpoint.
struct Signed<'a> {
    emulator: &'a Emulator,
    path: &'a str,
    consumer_secret: &'a str,
    token: Option<(&'a str, &'a str)>,
    callback: Option<&'a str>,
    form: &'a [(&'a str, &'a str)],
    nonce: &'a str,
    ahead: SignedDuration,
}

impl<'a> Signed<'a> {
    fn new(emulator: &'a Emulator, path: &'a str, nonce: &'a str) -> Self {
        Self {
            emulator,
            path,
            consumer_secret: CONSUMER_SECRET,
            token: None,
            callback: None,
            form: &[],
            nonce,
            ahead: SignedDuration::ZERO,
        }
    }

    async fn send(&self) -> Got {
        let consumer =
            Consumer::new(CONSUMER_KEY.parse().unwrap(), self.consumer_secret.parse().unwrap());
        let token = self
            .token
            .map(|(token, secret)| UserToken::new(token.parse().unwrap(), secret.parse().unwrap()));
        let mut signer = Signer::new(&consumer);
        if let Some(token) = &token {
            signer = signer.with_token(token);
        }
        if let Some(callback) = self.callback {
            signer = signer.with_callback(callback);
        }
        let url = Url::parse(&format!("{}{}", self.emulator.url(), self.path)).unwrap();
        let at = self.emulator.now() + self.ahead;
        let header = signer.sign(&Method::POST, &url, self.form, self.nonce, at);
        let request = Request::post(url.as_str()).header("authorization", header);
        if self.form.is_empty() {
            send(request, String::new()).await
        } else {
            send(request.header("content-type", FORM), form(self.form)).await
        }
    }
}

/// A flow after its first step.
struct Flow {
    token: String,
    secret: String,
}

impl Flow {
    async fn begin(emulator: &Emulator, callback: &str, nonce: &str) -> Self {
        let callback = Some(callback);
        let got = Signed { callback, ..Signed::new(emulator, "/oauth/request_token", nonce) }
            .send()
            .await;
        assert_eq!(got.status, 200, "{got:?}");
        assert_eq!(got.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(value(&got.text, "oauth_callback_confirmed"), "true");
        let value = |name| value(&got.text, name);
        Self { token: value("oauth_token"), secret: value("oauth_token_secret") }
    }

    async fn page(&self, emulator: &Emulator, path: &str) -> Got {
        let uri = format!("{}{path}?oauth_token={}", emulator.url(), self.token);
        send(Request::get(uri), String::new()).await
    }

    /// Fills in the page's form.
    async fn decide(&self, emulator: &Emulator, user: &str, decision: &str) -> Got {
        let page = self.page(emulator, "/oauth/authorize").await;
        assert_eq!(page.status, 200, "{page:?}");
        let form_token = form_token(&page);
        let fields = [
            ("oauth_token", self.token.as_str()),
            ("authenticity_token", &form_token),
            ("user_id", user),
            ("decision", decision),
        ];
        let uri = format!("{}/oauth/authorize", emulator.url());
        send(Request::post(uri).header("content-type", FORM), form(&fields)).await
    }

    async fn exchange(&self, emulator: &Emulator, verifier: &str, nonce: &str) -> Got {
        let form = [("oauth_verifier", verifier)];
        let token = Some((self.token.as_str(), self.secret.as_str()));
        let call = Signed::new(emulator, "/oauth/access_token", nonce);
        Signed { token, form: &form, ..call }.send().await
    }
}

fn form_token(page: &Got) -> String {
    let (_, rest) = page.text.split_once(r#"name="authenticity_token" value=""#).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn with_a_callback() {
    let emulator = Emulator::start().await.unwrap();
    let flow = Flow::begin(&emulator, "http://127.0.0.1:1/back?keep=this", "a").await;
    let page = flow.page(&emulator, "/oauth/authenticate").await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let back = flow.decide(&emulator, "7", "approve").await;
    assert_eq!((back.status, back.text.as_str()), (302, ""));
    let location = back.headers["location"].to_str().unwrap();
    let (url, query) = location.split_once('?').unwrap();
    assert_eq!(url, "http://127.0.0.1:1/back");
    assert_eq!(value(query, "keep"), "this");
    assert_eq!(value(query, "oauth_token"), flow.token);
    let verifier = value(query, "oauth_verifier");
    // The page's work is done.
    assert_eq!(flow.page(&emulator, "/oauth/authorize").await.status, 403);

    let wrong = flow.exchange(&emulator, "wrong", "b").await;
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong.text, "Error processing your OAuth request: Invalid oauth_verifier parameter");
    let got = flow.exchange(&emulator, &verifier, "c").await;
    assert_eq!(got.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(
        (got.status, got.text.as_str()),
        (
            200,
            "oauth_token=7-emulator&oauth_token_secret=7-emulator-secret&user_id=7&\
            screen_name=user7"
        )
    );
    let again = flow.exchange(&emulator, &verifier, "d").await;
    assert_eq!(again.coded(), (401, 89, "Invalid or expired token."));
}

#[tokio::test]
async fn with_a_pin_in_the_query() {
    let emulator = Emulator::start().await.unwrap();
    let flow = Flow::begin(&emulator, "oob", "a").await;
    let page = flow.page(&emulator, "/oauth/authenticate").await;
    assert_eq!(page.status, 403, "a page that leads back shows no PIN");
    let page = flow.decide(&emulator, "9999999", "approve").await;
    assert_eq!(page.status, 200);
    let (_, rest) = page.text.split_once("<code>").unwrap();
    let pin = rest.split('<').next().unwrap();
    assert!(pin.len() == 7 && pin.bytes().all(|b| b.is_ascii_digit()), "{pin}");
    let path = format!("/oauth/access_token?oauth_verifier={pin}");
    let token = Some((flow.token.as_str(), flow.secret.as_str()));
    let got = Signed { token, ..Signed::new(&emulator, &path, "b") }.send().await;
    assert_eq!(got.status, 200, "{got:?}");
    assert_eq!(value(&got.text, "user_id"), "9999999");
}

#[tokio::test]
async fn permission_denied() {
    let emulator = Emulator::start().await.unwrap();
    let flow = Flow::begin(&emulator, "myapp://back", "a").await;
    let back = flow.decide(&emulator, "", "deny").await;
    assert_eq!(back.status, 302);
    assert_eq!(back.headers["location"], format!("myapp://back?denied={}", flow.token));
    assert_eq!(flow.exchange(&emulator, "", "b").await.status, 401);

    let flow = Flow::begin(&emulator, "oob", "c").await;
    let page = flow.decide(&emulator, "7", "deny").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("You did not give permission"));
    assert_eq!(flow.exchange(&emulator, "0000000", "d").await.status, 401);
}

#[tokio::test]
async fn request_tokens_expire_by_the_emulators_clock() {
    let settings = Settings { time: TimeMode::Virtual, ..Settings::default() };
    let emulator = Emulator::builder().settings(settings).start().await.unwrap();
    let flow = Flow::begin(&emulator, "oob", "a").await;
    emulator.advance(Duration::from_secs(15 * 60)).await.unwrap();
    assert_eq!(flow.page(&emulator, "/oauth/authorize").await.status, 403);
    let got = flow.exchange(&emulator, "0000000", "b").await;
    assert_eq!(got.coded(), (401, 89, "Invalid or expired token."));
}

#[tokio::test]
async fn the_first_step_is_refused() {
    let emulator = Emulator::start().await.unwrap();
    let base = |nonce| Signed::new(&emulator, "/oauth/request_token", nonce);
    let callback = Some("http://localhost/");
    let unauthenticated = (401, 32, "Could not authenticate you.");

    let got = Signed { callback, consumer_secret: "another", ..base("a") }.send().await;
    assert_eq!(got.coded(), unauthenticated);
    let owner = user_token(OWNER);
    let token = Some((owner.token.as_str(), owner.secret.as_str()));
    let got = Signed { callback, token, ..base("b") }.send().await;
    assert_eq!(got.coded(), unauthenticated, "it is signed without a token");
    let got = base("c").send().await;
    assert_eq!(got.coded(), (400, 38, "oauth_callback parameter is missing."));
    for bad in ["/back", "javascript:alert(1)"] {
        let got = Signed { callback: Some(bad), ..base(bad) }.send().await;
        assert_eq!((got.status, got.coded().1), (403, 415), "{bad}");
    }
    let late = SignedDuration::from_mins(6);
    let got = Signed { callback, ahead: late, ..base("d") }.send().await;
    assert_eq!(got.coded(), (401, 135, "Timestamp out of bounds."));
    assert_eq!(Signed { callback, ..base("e") }.send().await.status, 200);
    let got = Signed { callback, ..base("e") }.send().await;
    assert_eq!(got.coded(), unauthenticated, "a nonce is good once");
    let uri = format!("{}/oauth/request_token", emulator.url());
    assert_eq!(send(Request::post(&uri), String::new()).await.coded(), unauthenticated);
    let got = send(Request::get(&uri), String::new()).await;
    assert_eq!((got.status, &got.headers["allow"]), (405, &"POST".parse().unwrap()));

    let when = Match { operation: Some(Operation::RequestToken), ..Match::default() };
    let action = Action::Respond { status: 503, form: None };
    emulator.plan_fault(Fault { when, action, times: 1 }).unwrap();
    let got = Signed { callback, ..base("f") }.send().await;
    assert_eq!((got.status, got.coded().1), (503, 67));
}

#[tokio::test]
async fn only_the_request_tokens_secret_signs_the_last_step() {
    let emulator = Emulator::start().await.unwrap();
    let flow = Flow::begin(&emulator, "oob", "a").await;
    let form = [("oauth_verifier", "1234567")];
    let token = Some((flow.token.as_str(), "another-secret"));
    let call = Signed::new(&emulator, "/oauth/access_token", "b");
    let got = Signed { token, form: &form, ..call }.send().await;
    assert_eq!(got.coded(), (401, 32, "Could not authenticate you."));
    let token = Some(("7-emulator", "7-emulator-secret"));
    let call = Signed::new(&emulator, "/oauth/access_token", "c");
    let got = Signed { token, form: &form, ..call }.send().await;
    assert_eq!(got.coded(), (401, 89, "Invalid or expired token."));
}

#[tokio::test]
async fn the_form_is_sent_by_its_own_page_only() {
    let emulator = Emulator::start().await.unwrap();
    let flow = Flow::begin(&emulator, "oob", "a").await;
    let form_token = form_token(&flow.page(&emulator, "/oauth/authorize").await);
    let send_form = async |origin: Option<&str>, content_type: &str, form_token: &str, user| {
        let mut request = Request::post(format!("{}/oauth/authorize", emulator.url()))
            .header("content-type", content_type);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let fields = [
            ("oauth_token", flow.token.as_str()),
            ("authenticity_token", form_token),
            ("user_id", user),
            ("decision", "approve"),
        ];
        send(request, form(&fields)).await.status
    };
    let own = emulator.url();
    for origin in ["http://evil.example", "null", "http://localhost:1"] {
        assert_eq!(send_form(Some(origin), FORM, &form_token, "7").await, 403, "{origin}");
    }
    assert_eq!(send_form(None, "text/plain", &form_token, "7").await, 415);
    assert_eq!(send_form(None, FORM, "another", "7").await, 403);
    for user in ["", "0", "10000000", "x"] {
        assert_eq!(send_form(None, FORM, &form_token, user).await, 403, "{user}");
    }
    assert_eq!(send_form(Some(own.as_str()), FORM, &form_token, "7").await, 200);
    let request =
        Request::get(format!("{own}/oauth/authorize?oauth_token=x")).header("host", "evil.example");
    assert_eq!(send(request, String::new()).await.status, 403);
}

#[tokio::test]
async fn bearer_tokens() {
    let emulator = Emulator::start().await.unwrap();
    let post = async |path: &str, authorization: &str, fields: &[(&str, &str)]| {
        let request = Request::post(format!("{}{path}", emulator.url()))
            .header("authorization", authorization)
            .header("content-type", "application/x-www-form-urlencoded;charset=UTF-8");
        send(request, form(fields)).await
    };
    let app = format!("Basic {APP}");
    let grant = [("grant_type", "client_credentials")];
    let bearer = |token| json!({"token_type": "bearer", "access_token": token});
    for _ in 0..2 {
        let got = post("/oauth2/token", &app, &grant).await;
        assert_eq!((got.status, got.body), (200, bearer("emulator-bearer")));
    }
    // emulator%2Dkey:emulator%2Dsecret
    let encoded = "Basic ZW11bGF0b3IlMkRrZXk6ZW11bGF0b3IlMkRzZWNyZXQ=";
    assert_eq!(post("/oauth2/token", encoded, &grant).await.status, 200);
    for wrong in ["Basic ZW11bGF0b3Ita2V5OmFub3RoZXI=", "Basic x", "Bearer emulator-bearer"] {
        let got = post("/oauth2/token", wrong, &grant).await;
        insta::allow_duplicates!(
            insta::assert_snapshot!(got.shown(), @r#"403 application/json; charset=utf-8 {"errors":[{"code":99,"label":"authenticity_token_error","message":"Unable to verify your credentials"}]}"#)
        );
    }
    let got = post("/oauth2/token", &app, &[("grant_type", "password")]).await;
    insta::assert_snapshot!(got.shown(), @r#"403 application/json; charset=utf-8 {"errors":[{"code":170,"label":"forbidden_missing_parameter","message":"Missing required parameter: grant_type"}]}"#);

    let list = async || call(&emulator, Method::GET, "/2/webhooks", Value::Null).await;
    let token = [("access_token", "emulator-bearer")];
    let got = post("/oauth2/invalidate_token", "Basic x", &token).await;
    assert_eq!(got.coded().1, 99);
    assert_eq!(list().await.status, 200);
    let got = post("/oauth2/invalidate_token", &app, &[("access_token", "another")]).await;
    assert_eq!((got.status, got.coded().1), (403, 348));
    let got = post("/oauth2/invalidate_token", &app, &token).await;
    assert_eq!((got.status, got.body), (200, json!({"access_token": "emulator-bearer"})));

    assert_eq!(list().await.status, 401);
    let path = "/1.1/account_activity/webhooks.json";
    let got = call(&emulator, Method::GET, path, Value::Null).await;
    assert_eq!(got.coded(), (401, 89, "Invalid or expired token."));
    let got = post("/oauth2/token", &app, &grant).await;
    assert_eq!(got.body, bearer("emulator-bearer-2"));
    let with = Request::get(format!("{}/2/webhooks", emulator.url()))
        .header("authorization", "Bearer emulator-bearer-2");
    assert_eq!(send(with, String::new()).await.status, 200);
    assert_eq!(list().await.status, 401);

    // The owner invalidates with a signature, over the form.
    let token = [("access_token", "emulator-bearer-2")];
    for (user, status) in [(7, 403), (OWNER, 200)] {
        let tokens = user_token(user);
        let call = Signed::new(&emulator, "/oauth2/invalidate_token", "n");
        let token_pair = Some((tokens.token.as_str(), tokens.secret.as_str()));
        let got = Signed { token: token_pair, form: &token, ..call }.send().await;
        assert_eq!(got.status, status, "{got:?}");
    }
    emulator.reset();
    assert_eq!(list().await.status, 200);
}
