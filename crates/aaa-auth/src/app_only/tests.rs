use http::{Response, StatusCode, header};
use proptest::prelude::*;

use super::*;
use crate::{AuthError, oauth1::Authorization};

fn consumer() -> Consumer {
    Consumer::new(
        "xvz1evFS4wEEPTGEFPHBog".parse().unwrap(),
        "L8qq9PZyRg6ieKGEKhZolGC0vJWLw8iEJ88DRdyOg".parse().unwrap(),
    )
}

fn api() -> ApiUrl {
    ApiUrl::X.parse().unwrap()
}

fn answer<T>(exchange: &Exchange<T>, status: u16, body: &str) -> Result<T, AuthError> {
    let mut response = Response::new(body.to_owned());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    exchange.answer(&response)
}

#[test]
fn x_example() {
    for host in ["https://api.x.com", "https://api.twitter.com"] {
        let exchange = bearer_token(&host.parse().unwrap(), &consumer());
        let request = exchange.to_http();
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), format!("{host}/oauth2/token").as_str());
        assert_eq!(
            request.headers()[header::AUTHORIZATION],
            "Basic eHZ6MWV2RlM0d0VFUFRHRUZQSEJvZzpMOHFxOVBaeVJnNmllS0dFS2hab2xHQzB2SldMdzhpRUo4OERSZHlPZw=="
        );
        assert!(request.headers()[header::AUTHORIZATION].is_sensitive());
        assert_eq!(
            request.headers()[header::CONTENT_TYPE],
            "application/x-www-form-urlencoded;charset=UTF-8"
        );
        assert_eq!(request.body(), "grant_type=client_credentials");
    }
}

#[test]
fn key_and_secret_are_encoded_before_they_are_joined() {
    let consumer = Consumer::new("a:b".parse().unwrap(), "c%/+~".parse().unwrap());
    let header = basic_authorization(&consumer);
    let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
    assert_eq!(BASE64_STANDARD.decode(encoded).unwrap(), b"a%3Ab:c%25%2F%2B~");
}

#[test]
fn answers_about_a_bearer_token() {
    let exchange = bearer_token(&api(), &consumer());
    let token = |body: &str| answer(&exchange, 200, body);
    for good in [
        r#"{"token_type":"bearer","access_token":"AAAA%2Fb%3D"}"#,
        r#" {"access_token":"AAAA%2Fb%3D","token_type":"Bearer","x":[]} "#,
    ] {
        assert_eq!(token(good).unwrap().expose(), "AAAA%2Fb%3D");
    }
    let empty = "".parse::<BearerToken>().unwrap_err();
    for (body, expected) in [
        ("", AnswerError::NotJson),
        ("access_token=a", AnswerError::NotJson),
        ("[]", AnswerError::NotJson),
        ("{}", AnswerError::Missing("access_token")),
        (r#"{"access_token":7}"#, AnswerError::Missing("access_token")),
        (r#"{"access_token":"a"}"#, AnswerError::Missing("token_type")),
        (r#"{"access_token":"a","token_type":"mac"}"#, AnswerError::TokenType),
        (r#"{"access_token":"","token_type":"bearer"}"#, AnswerError::Secret(empty)),
    ] {
        match token(body) {
            Err(AuthError::Answer { reason, .. }) => assert_eq!(reason, expected, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn refusals_in_the_words_of_x() {
    let exchange = bearer_token(&api(), &consumer());
    let body = r#"{"errors":[{"code":99,"label":"authenticity_token_error","message":"Unable to verify your credentials"}]}"#;
    // With any status: a success that holds nothing but errors is none.
    for status in [403, 200] {
        let error = answer(&exchange, status, body).unwrap_err();
        assert!(error.is_unauthorized(), "{error}");
        assert_eq!(error.api_error().unwrap().body(), body.as_bytes());
    }
    let token = "AAAA%2Fbb%3D".parse().unwrap();
    let error = answer(
        &invalidate(&api(), &consumer(), &token),
        401,
        r#"{"errors":[{"code":89,"message":"Invalid or expired token AAAA/bb=."}]}"#,
    );
    insta::assert_snapshot!(error.unwrap_err(), @"could not invalidate the bearer token: status 401, code 89: Invalid or expired token [redacted]. (check that the token belongs to this app and was not invalidated before)");
}

#[test]
fn invalidating_puts_the_token_into_the_form_as_it_is() {
    for (token, body) in [
        ("AAAA%2Fbb%3D", "access_token=AAAA%2Fbb%3D"),
        // Not encoded before, so it is now.
        ("AAAA/bb=", "access_token=AAAA%2Fbb%3D"),
        ("emulator-bearer", "access_token=emulator-bearer"),
        ("a%FFb", "access_token=a%25FFb"),
    ] {
        let exchange = invalidate(&api(), &consumer(), &token.parse().unwrap());
        let request = exchange.to_http();
        assert_eq!(request.uri(), "https://api.x.com/oauth2/invalidate_token");
        assert_eq!(request.body(), body);
        let basic = basic_authorization(&consumer());
        assert_eq!(request.headers()[header::AUTHORIZATION], basic);
        let answered = answer(&exchange, 200, r#"{"access_token":"AAAA%2Fbb%3D"}"#).unwrap();
        assert_eq!(answered.expose(), "AAAA%2Fbb%3D");
        assert!(answer(&exchange, 200, "{}").is_err());
    }
}

proptest! {
    #[test]
    fn the_owner_signs_the_form(token in "[!-~]{1,60}", secret in "[!-~]{1,60}") {
        let (consumer, owner_secret) = (consumer(), secret.parse().unwrap());
        let owner = UserToken::new("1-owner".parse().unwrap(), secret.parse().unwrap());
        let now = "2025-11-22T04:00:00Z".parse().unwrap();
        let token = token.parse().unwrap();
        let exchange = invalidate_signed(&api(), &consumer, &owner, &token, "a1b2", now);
        let request = exchange.to_http();
        let form: Vec<_> = url::form_urlencoded::parse(request.body()).collect();
        let form: Vec<_> = form.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect();
        let header = Authorization::parse(exchange.authorization()).unwrap();
        prop_assert_eq!(header.token(), Some("1-owner"));
        let verify = |form: &[(&str, &str)]| {
            let url = exchange.url();
            header.verify(&Method::POST, url, form, &consumer.secret, Some(&owner_secret))
        };
        prop_assert_eq!(verify(&form), Ok(()));
        prop_assert!(verify(&[]).is_err());
        // The same body as with the app's own proof.
        let basic = invalidate(&api(), &consumer, &token).to_http();
        prop_assert_eq!(basic.body(), request.body());
        let answered = answer(&exchange, 200, r#"{"access_token":"a"}"#).unwrap();
        prop_assert_eq!(answered.expose(), "a");
    }

    #[test]
    fn arbitrary_answers_never_panic(
        status in 100..600_u16,
        body in prop_oneof!["\\PC*", r#"\{("(access_token|token_type|errors)":("b"|\[\]|7),?){0,3}\}"#],
    ) {
        let _ = answer(&bearer_token(&api(), &consumer()), status, &body);
        let _ = answer(&invalidate(&api(), &consumer(), &"a".parse().unwrap()), status, &body);
    }
}
