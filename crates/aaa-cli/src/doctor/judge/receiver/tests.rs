use aaa_types::ConsumerSecret;
use aaa_webhook::signature::Signature;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;

use super::*;

const TOKEN: &str = "A+/aQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU2";
const ENCODED: &str = "A%2B%2FaQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU2";

fn secret(text: &str) -> ConsumerSecret {
    text.parse().unwrap()
}

fn secrets() -> Secrets {
    let others = vec![("X_ACCESS_TOKEN_SECRET".to_owned(), secret("of-the-user"))];
    Secrets::new(Some(secret("right")), others)
}

fn says(status: u16, body: &str) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.to_owned().into(),
        took: Duration::from_millis(7),
        at: Timestamp::UNIX_EPOCH,
    }
}

fn with(mut answer: Answer, name: http::HeaderName, value: &'static str) -> Answer {
    answer.headers.insert(name, HeaderValue::from_static(value));
    answer
}

fn answer(with_secret: &str, text: &str) -> Answer {
    let token = Signature::of(&secret(with_secret), text.as_bytes());
    let body = format!(r#"{{"response_token":"{token}"}}"#);
    with(says(200, &body), CONTENT_TYPE, "application/json; charset=utf-8")
}

fn right() -> Answer {
    answer("right", TOKEN)
}

fn asked(check: Answer, unsigned: Answer, bare: Answer) -> Challenge {
    Challenge {
        encoded: ENCODED.to_owned(),
        token: TOKEN.to_owned(),
        again: Some(Ok(check.clone())),
        check: Ok(check),
        unsigned: Some(Ok(unsigned)),
        bare: Some(Ok(bare)),
    }
}

/// The same answer to whatever is asked.
fn always(answer: Answer) -> Challenge {
    asked(answer.clone(), answer.clone(), answer)
}

fn told(findings: Vec<Finding>) -> String {
    findings.iter().map(Finding::line).collect::<Vec<_>>().join("\n")
}

/// What is not ok.
fn bad(findings: Vec<Finding>) -> String {
    let lines = findings.iter().map(Finding::line);
    lines.filter(|line| !line.starts_with("ok ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_right_answer() {
    let good = asked(right(), right(), says(400, "no token"));
    insta::assert_snapshot!(told(challenge(&good, &secrets())), @"
    ok redirect: none
    ok challenge: answered with the right token
    ok query: arrives
    ok latency: 7 ms, then 7 ms
    ok compression: none
    ");
    let untyped = asked(answer("right", TOKEN), right(), says(400, ""));
    let mut untyped = untyped;
    untyped.check.as_mut().unwrap().headers.clear();
    insta::assert_snapshot!(bad(challenge(&untyped, &secrets())), @"warning challenge: the answer is not announced as `application/json` | answer with `content-type: application/json`, as X's pages want it");
    let nobody_knows = Secrets::new(None, Vec::new());
    insta::assert_snapshot!(bad(challenge(&good, &nobody_knows)), @"warning challenge: answered; whether with the right token could not be told | set X_CONSUMER_SECRET");
}

#[test]
fn wrong_answers() {
    let decoded = TOKEN.replace('+', " ");
    let all = [
        always(answer("of-the-user", TOKEN)),
        always(answer("nobodys", TOKEN)),
        always(answer("right", "")),
        always(answer("right", &decoded)),
        always(answer("right", ENCODED)),
        always(says(200, "<html>")),
        // What a receiver of ours says with another secret.
        asked(says(403, "not signed"), answer("of-the-user", TOKEN), says(400, "no token")),
        asked(says(403, "not signed"), answer("nobodys", TOKEN), says(400, "no token")),
        // The query is lost.
        asked(says(403, "not signed"), says(400, "no token"), says(400, "no token")),
        // It is written in another way.
        asked(says(403, "not signed"), right(), says(400, "no token")),
        // A token that is refused.
        asked(says(400, "a bad token"), says(400, "a bad token"), says(400, "no token")),
        always(says(401, "")),
        always(says(404, "")),
        always(says(503, "")),
        always(says(204, "")),
    ];
    let all = all.map(|asked| bad(challenge(&asked, &secrets())));
    insta::assert_snapshot!(all.join("\n"), @"
    wrong challenge: answered with a token made with X_ACCESS_TOKEN_SECRET, not with the consumer secret: X takes the webhook as broken at once | give the receiver the consumer secret of this app (API secret key) in X_CONSUMER_SECRET, or set the one here that the receiver has
    wrong challenge: answered with a token made with another secret: X takes the webhook as broken at once | give the receiver the consumer secret of this app (API secret key) in X_CONSUMER_SECRET, or set the one here that the receiver has
    wrong query: answered with the token of an empty text: the query is lost on the way | have the proxy pass the query on as it is: in nginx `proxy_pass http://receiver;` without a path of its own, and no `rewrite` that ends in `?`
    wrong query: answered with the token of a text in which `+` became a space: the query is decoded twice | have the proxy pass the query on as it is: in nginx `proxy_pass http://receiver;` without a path of its own, and no `rewrite` that ends in `?`
    wrong challenge: answered with the token of the percent-encoded text | decode the value of `crc_token` before it is signed
    wrong challenge: answered 200 without a `response_token`: X takes the webhook as broken at once | see that the path is the webhook's and that no page for people is in the way
    wrong challenge: answered with a token made with X_ACCESS_TOKEN_SECRET, not with the consumer secret: X takes the webhook as broken at once | give the receiver the consumer secret of this app (API secret key) in X_CONSUMER_SECRET, or set the one here that the receiver has
    wrong challenge: answered with a token made with another secret: X takes the webhook as broken at once | give the receiver the consumer secret of this app (API secret key) in X_CONSUMER_SECRET, or set the one here that the receiver has
    wrong query: a challenge is answered like a request without a query (status 400): the query is lost on the way | have the proxy pass the query on as it is: in nginx `proxy_pass http://receiver;` without a path of its own, and no `rewrite` that ends in `?`
    wrong query: a check with a signature of its query is answered 403, the same without one is answered rightly: the query or the header changes on the way | have the proxy pass the query on as it is: in nginx `proxy_pass http://receiver;` without a path of its own, and no `rewrite` that ends in `?`
    wrong challenge: refused with 400 | see what the receiver's log says, and that the query arrives as it was sent
    wrong challenge: refused with 401: signed with another secret, or from a network that is not allowed | give the receiver the consumer secret of this app (API secret key) in X_CONSUMER_SECRET, or set the one here that the receiver has
    wrong challenge: refused with 404 | see that the path is that of `aaa listen --path`, by default /webhooks/twitter, and that the proxy lets GET and POST through
    wrong challenge: refused with 503 | see that the receiver runs behind the proxy, and what its log says; several apps that share a path need a path each
    wrong challenge: answered 204: X wants 200 | see what stands between X and the receiver
    ");
}

#[test]
fn on_the_way() {
    let moved = with(says(301, ""), LOCATION, "https://www.example.com/hook");
    let mut all = vec![always(moved), always(says(302, ""))];
    let gzip = with(right(), CONTENT_ENCODING, "gzip");
    all.push(asked(right(), gzip.clone(), says(400, "")));
    all.push(asked(gzip, right(), says(400, "")));
    for ms in [999, 1000, 2999, 3000] {
        let slow = Answer { took: Duration::from_millis(ms), ..right() };
        all.push(asked(slow, right(), says(400, "")));
    }
    for timed_out in [true, false] {
        let why = Unanswered { words: "its words".to_owned(), timed_out };
        all.push(Challenge { check: Err(why), ..always(right()) });
    }
    let all: Vec<_> = all.iter().map(|asked| bad(challenge(asked, &secrets()))).collect();
    insta::assert_snapshot!(all.join("\n"), @"
    wrong redirect: status 301 to https://www.example.com/hook: X follows none, and takes the webhook as broken | register the URL that answers by itself (mind a `/` at its end, `www.` and `https`), or have the proxy answer this one without a redirect
    wrong redirect: status 302 to somewhere else: X follows none, and takes the webhook as broken | register the URL that answers by itself (mind a `/` at its end, `www.` and `https`), or have the proxy answer this one without a redirect
    warning compression: a client that takes it gets `content-encoding: gzip`, which X may take as broken | switch compression off for this path (nginx: `gzip off;`)
    wrong compression: answers are sent with `content-encoding: gzip`, unasked | switch compression off for this path (nginx: `gzip off;`)

    warning latency: 1000 ms, then 1000 ms, of the 3 s (v1.1) or 10 s (v2) that X waits | answer challenges before anything that may be slow: no cold start, no store, no call of anybody; keep the tunnel or the function warm
    warning latency: 2999 ms, then 2999 ms, of the 3 s (v1.1) or 10 s (v2) that X waits | answer challenges before anything that may be slow: no cold start, no store, no call of anybody; keep the tunnel or the function warm
    wrong latency: 3000 ms, then 3000 ms: X gives up after 3 s (v1.1) or 10 s (v2) | answer challenges before anything that may be slow: no cold start, no store, no call of anybody; keep the tunnel or the function warm
    wrong latency: no answer within 10 s: X has given up by then | see that the receiver runs and that the way to it is awake: a challenge needs neither a store nor a call of anybody
    wrong challenge: its words | see that an HTTP server listens there, and what its log says
    ");
}

fn posted(forged: Answer, missing: Answer, trap: Answer, plain: Answer) -> String {
    let signed = Some((Ok(trap), Ok(plain)));
    let posted = Deliveries { forged: Ok(forged), missing: Ok(missing), signed };
    told(deliveries(&posted, &always(right()), &secrets()))
}

#[test]
fn what_becomes_of_bodies() {
    let (forged, missing) = (|| says(403, "not fit"), || says(401, "missing"));
    let object = || says(400, "not an object");
    let one = || says(401, "no");
    let all = [
        posted(forged(), missing(), object(), object()),
        // A receiver that takes what it does not know.
        posted(forged(), missing(), says(200, ""), says(200, "")),
        // One answer to all that is wrong.
        posted(one(), one(), says(200, ""), says(200, "")),
        posted(forged(), missing(), missing(), missing()),
        posted(missing(), missing(), missing(), missing()),
        posted(forged(), missing(), forged(), object()),
        posted(forged(), missing(), forged(), forged()),
        posted(one(), one(), one(), says(200, "")),
        posted(says(200, ""), says(200, ""), says(200, ""), says(200, "")),
        posted(forged(), says(200, ""), object(), object()),
        posted(says(502, ""), says(502, ""), says(502, ""), says(502, "")),
        posted(says(404, ""), says(404, ""), says(404, ""), says(404, "")),
        posted(forged(), missing(), says(413, ""), object()),
    ];
    insta::assert_snapshot!(all.join("\n\n"), @"
    ok forgery: refused: 403 for a wrong signature, 401 for none
    ok body: arrives unchanged, and so does its signature

    ok forgery: refused: 403 for a wrong signature, 401 for none
    ok body: arrives unchanged, and so does its signature

    ok forgery: refused: 401 for a wrong signature, 401 for none
    ok body: arrives unchanged, and so does its signature

    ok forgery: refused: 403 for a wrong signature, 401 for none
    wrong body: a signed body is answered 401 like a forged one: it changes on the way | have nothing on the way change bodies (a firewall, a converter of encodings, a function that reads and writes them), and verify over the raw bytes

    ok forgery: refused: 401 for a wrong signature, 401 for none
    wrong signature: a signed body is answered like one without a signature (401): the header x-twitter-webhooks-signature does not arrive | have the proxy pass all headers on; if this receiver gives one answer to every wrong signature, the body may change on the way too

    ok forgery: refused: 403 for a wrong signature, 401 for none
    wrong body: a signed body is answered 403, a simple one 400: something reads the JSON and writes it again | verify over the raw bytes as they arrived: in the receiver before a JSON layer has read them, and on the way without anything that rewrites bodies

    ok forgery: refused: 403 for a wrong signature, 401 for none
    wrong body: a signed body is answered 403 like a forged one: it changes on the way | have nothing on the way change bodies (a firewall, a converter of encodings, a function that reads and writes them), and verify over the raw bytes

    ok forgery: refused: 401 for a wrong signature, 401 for none
    wrong body: a signed body is answered 401, a simple one 200: something reads the JSON and writes it again | verify over the raw bytes as they arrived: in the receiver before a JSON layer has read them, and on the way without anything that rewrites bodies

    wrong forgery: a body with a wrong signature is answered 200: anybody can send events | verify the signature over the raw body before anything else, and answer 401 or 403

    wrong forgery: a body without one is answered 200: anybody can send events | verify the signature over the raw body before anything else, and answer 401 or 403
    ok body: arrives unchanged, and so does its signature

    warning forgery: refused: 502 for a wrong signature, 502 for none | see that POST reaches the receiver, and what its log says
    wrong body: a signed post is answered 502 | see that POST reaches the receiver as GET does: same path, no redirect, bodies of a megabyte let through

    ok forgery: refused: 404 for a wrong signature, 404 for none
    wrong body: a signed post is answered 404 | see that POST reaches the receiver as GET does: same path, no redirect, bodies of a megabyte let through

    ok forgery: refused: 403 for a wrong signature, 401 for none
    wrong body: a signed post is answered 413 | see that POST reaches the receiver as GET does: same path, no redirect, bodies of a megabyte let through
    ");
}

#[test]
fn with_another_secret_nobody_can_tell() {
    let forged = || Ok(says(403, "not fit"));
    let posted = Deliveries {
        forged: forged(),
        missing: Ok(says(401, "missing")),
        signed: Some((forged(), forged())),
    };
    let asked = always(answer("nobodys", TOKEN));
    insta::assert_snapshot!(told(deliveries(&posted, &asked, &secrets())), @"ok forgery: refused: 403 for a wrong signature, 401 for none");
    let why = || Err(Unanswered { words: "its words".to_owned(), timed_out: false });
    let silent = Deliveries { forged: forged(), missing: why(), signed: Some((forged(), why())) };
    insta::assert_snapshot!(told(deliveries(&silent, &always(right()), &secrets())), @"
    warning forgery: a post got no answer: its words | see that POST reaches the receiver, and what its log says
    wrong body: a signed post got no answer: its words | see that POST reaches the receiver, and what its log says
    ");
}

/// Posts that are refused like an unsigned challenge say nothing about what is on the way.
#[test]
fn from_a_network_that_is_not_allowed() {
    let foreign = || says(403, "not from here");
    let posted = Deliveries {
        forged: Ok(foreign()),
        missing: Ok(foreign()),
        signed: Some((Ok(foreign()), Ok(foreign()))),
    };
    let asked = asked(right(), foreign(), foreign());
    insta::assert_snapshot!(told(deliveries(&posted, &asked, &secrets())), @"
    ok forgery: refused: 403 for a wrong signature, 403 for none
    warning body: posts from this machine are refused (403) as an unsigned challenge is, for where they come from: what becomes of a body on its way could not be told | nothing, if `aaa listen --allow-from` leaves this machine out on purpose; to have bodies looked at, name its address there too for as long as that takes
    ");
}
