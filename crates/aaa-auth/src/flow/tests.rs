//! X's published example through the whole flow, and what may come back instead.

use aaa_types::api::Failure;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{
    AnswerError, ApiUrl, AuthError, Consumer, Exchange, Step, UserToken, oauth1::Authorization,
};

const CALLBACK: &str = "http://localhost/sign-in-with-twitter/";
const TOKEN: &str = "NPcudxy0yU5T3tBzho7iCotZ3cnetKwcTIRlX0iwRl0";
const TOKEN_SECRET: &str = "veNRnAWe6inFuo8o2u8SLLZLjolYDmDP7SzL0YfYI";
const VERIFIER: &str = "uw7NjWHT6OJ1MpJOXsHfNxoAhPKpgI8BlYDhxEjIBY";

fn consumer() -> Consumer {
    Consumer::new(
        "cChZNFj6T5R0TigYB9yd1w".parse().unwrap(),
        "L8qq9PZyRg6ieKGEKhZolGC0vJWLw8iEJ88DRdyOg".parse().unwrap(),
    )
}

fn now() -> Timestamp {
    Timestamp::from_second(1_318_467_427).unwrap()
}

fn first(host: &str, callback: &Callback) -> Exchange<RequestToken> {
    let api: ApiUrl = host.parse().unwrap();
    request_token(&api, &consumer(), callback, "ea9ec8429b68d6b77cd5600adbbb0456", now())
}

fn kept(callback: &Callback) -> RequestToken {
    let token = UserToken::new(TOKEN.parse().unwrap(), TOKEN_SECRET.parse().unwrap());
    RequestToken::new(token, callback)
}

fn last(host: &str) -> Exchange<Access> {
    let api: ApiUrl = host.parse().unwrap();
    let (token, verifier) = (kept(&Callback::OUT_OF_BAND), VERIFIER.parse().unwrap());
    let nonce = "a9900fe68e2573b27a37f10fbad6a755";
    access_token(&api, &consumer(), &token, &verifier, nonce, now())
}

fn answer<T>(exchange: &Exchange<T>, status: u16, body: &str) -> Result<T, AuthError> {
    let mut response = Response::new(body.to_owned());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    exchange.answer(&response)
}

fn authorization(request: &Request<Bytes>) -> Authorization {
    Authorization::parse(&request.headers()[header::AUTHORIZATION]).unwrap()
}

fn reason<T>(result: Result<T, AuthError>) -> AnswerError {
    match result.err() {
        Some(AuthError::Answer { reason, .. }) => reason,
        other => panic!("expected another error: {other:?}"),
    }
}

#[test]
fn x_example() {
    for (host, first_signature, last_signature) in [
        (
            "https://api.twitter.com",
            "F1Li3tvehgcraF8DMJ7OyxO4w9Y%3D",
            "39cipBtIOHEEnybAR4sATQTpl2I%3D",
        ),
        (
            "https://api.x.com",
            "X9xhcB9d%2BNxXd%2FThJ%2Fn51vPhetM%3D",
            "G3DdousFWwxEepaZcmHguKqeBvs%3D",
        ),
    ] {
        let callback: Callback = CALLBACK.parse().unwrap();
        let exchange = first(host, &callback);
        let request = exchange.to_http();
        let header = request.headers()[header::AUTHORIZATION].to_str().unwrap();
        assert!(header.ends_with(&format!("oauth_signature=\"{first_signature}\"")), "{header}");
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), format!("{host}/oauth/request_token").as_str());
        assert_eq!(request.headers()[header::CONTENT_LENGTH], "0");
        assert_eq!(request.body(), "");
        assert_eq!(authorization(&request).callback(), Some(CALLBACK));

        let body = format!(
            "oauth_token={TOKEN}&oauth_token_secret={TOKEN_SECRET}&oauth_callback_confirmed=true"
        );
        let request_token = answer(&exchange, 200, &body).unwrap();
        assert_eq!(request_token.token().token.expose(), TOKEN);
        assert_eq!(request_token.token().secret.expose(), TOKEN_SECRET);
        assert_eq!(
            request_token.authorize_url(&host.parse().unwrap()).as_str(),
            format!("{host}/oauth/authenticate?oauth_token={TOKEN}")
        );
        let query = format!("oauth_token={TOKEN}&oauth_verifier={VERIFIER}");
        let verifier = request_token.verifier(&query).unwrap();

        let api = host.parse().unwrap();
        let nonce = "a9900fe68e2573b27a37f10fbad6a755";
        let exchange = access_token(&api, &consumer(), &request_token, &verifier, nonce, now());
        let request = exchange.to_http();
        let header = request.headers()[header::AUTHORIZATION].to_str().unwrap();
        assert!(header.ends_with(&format!("oauth_signature=\"{last_signature}\"")), "{header}");
        assert_eq!(request.uri(), format!("{host}/oauth/access_token").as_str());
        assert_eq!(
            request.headers()[header::CONTENT_TYPE],
            "application/x-www-form-urlencoded;charset=UTF-8"
        );
        assert_eq!(request.body(), &format!("oauth_verifier={VERIFIER}"));

        let body = "oauth_token=7588892-kagSNqWge8gB1WwE3plnFsJHAZVfxWD7Vb57p0b4&\
                    oauth_token_secret=PbKfYqSryyeKDWz4ebtY3o5ogNLG11WJuZBc9fQrQo&\
                    user_id=7588892&screen_name=seven\n";
        let access = answer(&exchange, 200, body).unwrap();
        assert!(access.token.token.expose().starts_with("7588892-"));
        assert!(access.token.secret.expose().ends_with("QrQo"));
        assert_eq!(access.user_id, Some("7588892".parse().unwrap()));
        assert_eq!(access.screen_name.as_deref(), Some("seven"));
    }
}

#[test]
fn a_pin_needs_the_page_that_shows_it() {
    let exchange = first("http://127.0.0.1:7878", &Callback::OUT_OF_BAND);
    assert_eq!(authorization(&exchange.to_http()).callback(), Some("oob"));
    let body = "oauth_token=r-1&oauth_token_secret=s&oauth_callback_confirmed=true";
    let request_token = answer(&exchange, 200, body).unwrap();
    assert!(request_token.is_out_of_band());
    assert_eq!(
        request_token.authorize_url(&"http://127.0.0.1:7878".parse().unwrap()).as_str(),
        "http://127.0.0.1:7878/oauth/authorize?oauth_token=r-1"
    );
    let strange = UserToken::new("a&b=c%".parse().unwrap(), "s".parse().unwrap());
    let url = RequestToken::new(strange, &Callback::OUT_OF_BAND)
        .authorize_url(&ApiUrl::X.parse().unwrap());
    assert_eq!(url.query(), Some("oauth_token=a%26b%3Dc%25"));
}

#[test]
fn pins_as_users_type_them() {
    for good in ["1234567", " 1234567\r\n", "0000", "123456789012"] {
        assert_eq!(Verifier::from_pin(good).unwrap().expose(), good.trim());
    }
    for bad in ["", "   ", "123", "1234567890123", "123 4567", "123456a", "١٢٣٤٥٦٧", "-1234567"]
    {
        assert_eq!(Verifier::from_pin(bad).err(), Some(VerifierError::Pin), "{bad:?}");
    }
    for bad in ["", "a b", "ä", &"v".repeat(257)] {
        assert_eq!(bad.parse::<Verifier>().err(), Some(VerifierError::Text), "{bad:?}");
    }
}

#[test]
fn callbacks_that_can_be_asked_for() {
    for good in ["https://example.com", "http://127.0.0.1:80/a?b=c%20d", "app-on-phone://", "oob"] {
        // Sent as it is written: X compares it with what is registered.
        assert_eq!(good.parse::<Callback>().unwrap().as_str(), good);
    }
    for bad in ["", "OOB", "/callback", "example.com/x", " https://a", "https://a/\nb", "https://"]
    {
        assert_eq!(bad.parse::<Callback>(), Err(CallbackUrlError), "{bad:?}");
    }
}

#[test]
fn what_a_callback_brings() {
    let kept = kept(&CALLBACK.parse().unwrap());
    let verifier = |query: &str| kept.verifier(&query.replace("TOKEN", TOKEN));
    for good in
        ["oauth_token=TOKEN&oauth_verifier=v%2F1", "?oauth_verifier=v%2F1&x=y&oauth%5Ftoken=TOKEN"]
    {
        assert_eq!(verifier(good).unwrap().expose(), "v/1");
    }
    for (query, error) in [
        ("denied=TOKEN", CallbackError::Denied),
        ("?denied=TOKEN&oauth_token=TOKEN&oauth_verifier=v", CallbackError::Denied),
        ("denied=other", CallbackError::OtherToken),
        ("oauth_token=other&oauth_verifier=v", CallbackError::OtherToken),
        ("oauth_token=TOKENx&oauth_verifier=v", CallbackError::OtherToken),
        ("oauth_token=&oauth_verifier=v", CallbackError::OtherToken),
        ("oauth_verifier=v", CallbackError::Missing("oauth_token")),
        ("oauth_token=TOKEN", CallbackError::Missing("oauth_verifier")),
        ("", CallbackError::Missing("oauth_token")),
        ("oauth_token=TOKEN&oauth_token=TOKEN", CallbackError::Twice("oauth_token")),
        (
            "oauth_token=TOKEN&oauth_verifier=a&oauth_verifier=b",
            CallbackError::Twice("oauth_verifier"),
        ),
        ("oauth_token=TOKEN&oauth_verifier=", CallbackError::Verifier(VerifierError::Text)),
        ("oauth_token=TOKEN&oauth_verifier=%FF", CallbackError::Verifier(VerifierError::Text)),
    ] {
        assert_eq!(verifier(query).err(), Some(error), "{query}");
    }
}

#[test]
fn answers_that_are_not_understood() {
    let exchange = first("https://api.x.com", &Callback::OUT_OF_BAND);
    for (body, expected) in [
        ("", AnswerError::Missing("oauth_token")),
        ("<html>hello</html>", AnswerError::Missing("oauth_token")),
        ("oauth_token=a&oauth_callback_confirmed=true", AnswerError::Missing("oauth_token_secret")),
        ("oauth_token=a&oauth_token=b", AnswerError::Twice("oauth_token")),
        ("oauth_token=a&oauth_token_secret=b", AnswerError::NotConfirmed),
        (
            "oauth_token=a&oauth_token_secret=b&oauth_callback_confirmed=false",
            AnswerError::NotConfirmed,
        ),
    ] {
        assert_eq!(reason(answer(&exchange, 200, body)), expected, "{body}");
    }
    let error = answer(&exchange, 200, "oauth_token=a&oauth_token_secret=").unwrap_err();
    insta::assert_snapshot!(
        error,
        @"could not get a request token: the answer is not understood: the access token secret is empty"
    );
    assert_eq!(error.step(), Step::RequestToken);
    assert!(!error.is_retryable() && error.api_error().is_none());
}

#[test]
fn an_exchange_may_wait_in_another_thread() {
    let exchange = last("https://api.x.com");
    let body = "oauth_token=a&oauth_token_secret=b";
    let access = std::thread::spawn(move || answer(&exchange, 200, body)).join().unwrap();
    assert_eq!(access.unwrap().token.token.expose(), "a");
}

#[test]
fn an_access_token_without_its_user() {
    for more in ["", "&user_id=&screen_name=", "&user_id=seven"] {
        let body = format!("oauth_token=a&oauth_token_secret=b{more}");
        let access = answer(&last("https://api.x.com"), 200, &body).unwrap();
        assert_eq!((access.user_id, access.screen_name), (None, None));
    }
    assert_eq!(
        reason(answer(&last("https://api.x.com"), 200, "user_id=7")),
        AnswerError::Missing("oauth_token")
    );
}

#[test]
fn refusals_in_the_words_of_x() {
    let begin = first("https://api.x.com", &CALLBACK.parse().unwrap());
    let end = last("https://api.x.com");
    let json = r#"{"errors":[{"code":32,"message":"Could not authenticate you."}]}"#;
    let error = answer(&begin, 401, json).unwrap_err();
    assert!(error.is_unauthorized() && !error.is_retryable());
    insta::assert_snapshot!(error, @"could not get a request token: status 401, code 32: Could not authenticate you. (check the consumer key and secret, this machine's clock, and that the callback is registered in the app's settings)");

    let xml = "<?xml version='1.0' encoding='UTF-8'?><errors><error code=\"415\">Callback URL \
               not approved for this client application. Approved callback URLs can be adjusted \
               in your application settings</error></errors>";
    let error = answer(&begin, 403, xml).unwrap_err();
    assert_eq!(error.api_error().unwrap().code(), Some(415.into()));
    insta::assert_snapshot!(error, @"could not get a request token: status 403, code 415: Callback URL not approved for this client application. Approved callback URLs can be adjusted in your application settings (check the consumer key and secret, this machine's clock, and that the callback is registered in the app's settings)");

    let text = "Error processing your OAuth request: Invalid oauth_verifier parameter";
    insta::assert_snapshot!(answer(&end, 401, text).unwrap_err(), @"could not get the user's access token: status 401: Error processing your OAuth request: Invalid oauth_verifier parameter (a verifier or PIN works once and for a few minutes: begin with a new request token)");

    let error = answer(&end, 503, "over capacity").unwrap_err();
    assert!(error.is_retryable() && !error.is_unauthorized());
    insta::assert_snapshot!(error, @"could not get the user's access token: status 503: over capacity");
    let named = r#"{"errors":[{"message":"OtherFailure: x"}]}"#;
    let error = answer(&end, 400, named).unwrap_err();
    let failure = error.api_error().unwrap().failure();
    assert_eq!(failure, Some(&Failure::Other("OtherFailure".to_owned())));
}

#[test]
fn what_the_headers_of_a_refusal_say() {
    let response = Response::builder()
        .status(429)
        .header("x-transaction-id", "abc")
        .header("x-rate-limit-reset", "1318467467")
        .body("")
        .unwrap();
    let error = last("https://api.x.com").answer(&response).unwrap_err();
    let error = error.api_error().unwrap();
    assert_eq!(error.request_id(), Some("abc"));
    assert_eq!(error.retry_after(now()).unwrap().as_secs(), 40);
}

proptest! {
    #[test]
    fn every_verifier_arrives_as_it_was_sent(
        token in "[!-~]{1,60}",
        secret in "[!-~]{1,60}",
        verifier in "[!-~]{1,60}",
        callback in "(https?|app)://[a-z]{1,9}/[!-~]{0,30}",
    ) {
        let pairs = [("oauth_token", &token), ("oauth_verifier", &verifier)];
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        let kept = UserToken::new(token.parse().unwrap(), secret.parse().unwrap());
        let callback: Callback = callback.parse().unwrap();
        let request_token = RequestToken::new(kept, &callback);
        let read = request_token.verifier(&query).unwrap();
        prop_assert_eq!(read.expose(), &verifier);

        // The other side of both requests.
        let (consumer, api) = (consumer(), ApiUrl::X.parse().unwrap());
        let begin = super::request_token(&api, &consumer, &callback, "n", now());
        let header = authorization(&begin.to_http());
        prop_assert_eq!(header.callback(), Some(callback.as_str()));
        let verified =
            header.verify(&Method::POST, begin.url(), &[], &consumer.secret, None);
        prop_assert_eq!(verified, Ok(()));

        let end = access_token(&api, &consumer, &request_token, &read, "n", now());
        let request = end.to_http();
        let form: Vec<_> = url::form_urlencoded::parse(request.body()).collect();
        let form: Vec<_> = form.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect();
        prop_assert_eq!(&form, &[("oauth_verifier", verifier.as_str())]);
        let secret = secret.parse().unwrap();
        let verified = authorization(&request).verify(
            &Method::POST,
            end.url(),
            &form,
            &consumer.secret,
            Some(&secret),
        );
        prop_assert_eq!(verified, Ok(()));

        // One of X's pages has it in the query; what is signed is the same.
        let mut url = end.url().clone();
        url.query_pairs_mut().append_pair("oauth_verifier", &verifier);
        let header = authorization(&request);
        let in_query = header.verify(&Method::POST, &url, &[], &consumer.secret, Some(&secret));
        prop_assert_eq!(in_query, Ok(()));
        let nowhere =
            header.verify(&Method::POST, end.url(), &[], &consumer.secret, Some(&secret));
        prop_assert!(nowhere.is_err());
        let twice = header.verify(&Method::POST, &url, &form, &consumer.secret, Some(&secret));
        prop_assert!(twice.is_err());
    }

    #[test]
    fn arbitrary_answers_never_panic(
        status in 100..600_u16,
        body in prop_oneof!["\\PC*", "(oauth_(token(_secret)?|callback_confirmed)|=|&|true|a|%){0,12}"],
    ) {
        let _ = answer(&first("https://api.x.com", &Callback::OUT_OF_BAND), status, &body);
        let _ = answer(&last("https://api.x.com"), status, &body);
        let _ = kept(&Callback::OUT_OF_BAND).verifier(&body);
    }
}
