//! Published vectors, each with its base string where one was published, and properties that
//! join both sides: what is signed verifies, and whatever is changed does not.

use std::fmt;

use http::Method;
use jiff::Timestamp;
use oauth1_request::signature_method::{Sign, SignatureMethod};
use proptest::prelude::*;
use url::Url;

use super::{Authorization, Signer, VerifyError, hmac_sha1::HmacSha1, parameters::Parameters};
use crate::{Consumer, UserToken};

const STATUS: &str = "Hello Ladies + Gentlemen, a signed OAuth request!";

/// Writes the base string down instead of signing it.
struct WriteDown;

#[derive(Default)]
struct BaseString(String);

impl SignatureMethod for WriteDown {
    type Sign = BaseString;

    fn sign_with(self, _: &str, _: Option<&str>) -> BaseString {
        BaseString::default()
    }
}

impl Sign for BaseString {
    type Signature = String;

    fn get_signature_method_name(&self) -> &'static str {
        "HMAC-SHA1"
    }

    fn request_method(&mut self, method: &str) {
        self.0 += &format!("{method}&");
    }

    fn uri<T: fmt::Display>(&mut self, uri: T) {
        self.0 += &format!("{uri}&");
    }

    fn parameter<V: fmt::Display>(&mut self, key: &str, value: V) {
        self.0 += &format!("{key}%3D{value}");
    }

    fn delimiter(&mut self) {
        self.0 += "%26";
    }

    fn end(self) -> String {
        self.0
    }
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn consumer(key: &str, secret: &str) -> Consumer {
    Consumer::new(key.parse().unwrap(), secret.parse().unwrap())
}

fn token(token: &str, secret: &str) -> UserToken {
    UserToken::new(token.parse().unwrap(), secret.parse().unwrap())
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// The base string that the receiving side makes.
fn base_string(header: &str, method: &Method, url: &Url, form: &[(&str, &str)]) -> String {
    let authorization: Authorization = header.parse().unwrap();
    let parameters = Parameters::collect(url, form, authorization.parameters());
    parameters.sign(method, url, WriteDown, ("", None))
}

/// X's example of "creating a signature".
fn x_example(address: &str) -> String {
    let consumer =
        consumer("xvz1evFS4wEEPTGEFPHBog", "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw");
    let user = token(
        "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
        "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
    );
    let form = [("status", STATUS)];
    let header = Signer::new(&consumer).with_token(&user).sign(
        &Method::POST,
        &url(address),
        &form,
        "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
        second(1_318_622_958),
    );
    assert!(header.is_sensitive());
    let authorization = Authorization::parse(&header).unwrap();
    authorization
        .verify(&Method::POST, &url(address), &form, &consumer.secret, Some(&user.secret))
        .unwrap();
    header.to_str().unwrap().to_owned()
}

#[test]
fn x_creating_a_signature() {
    let address = "https://api.twitter.com/1.1/statuses/update.json?include_entities=true";
    let header = x_example(address);
    insta::assert_snapshot!(
        header.replace(',', ",\n"),
        @r#"
    OAuth oauth_consumer_key="xvz1evFS4wEEPTGEFPHBog",
    oauth_nonce="kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
    oauth_signature_method="HMAC-SHA1",
    oauth_timestamp="1318622958",
    oauth_token="370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
    oauth_version="1.0",
    oauth_signature="hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D"
    "#
    );
    // As the page prints it.
    assert_eq!(
        base_string(&header, &Method::POST, &url(address), &[("status", STATUS)]),
        "POST&https%3A%2F%2Fapi.twitter.com%2F1.1%2Fstatuses%2Fupdate.json&\
         include_entities%3Dtrue%26oauth_consumer_key%3Dxvz1evFS4wEEPTGEFPHBog%26\
         oauth_nonce%3DkYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg%26\
         oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1318622958%26\
         oauth_token%3D370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb%26\
         oauth_version%3D1.0%26\
         status%3DHello%2520Ladies%2520%252B%2520Gentlemen%252C%2520a%2520signed%2520OAuth\
         %2520request%2521"
    );
}

#[test]
fn x_creating_a_signature_on_other_hosts() {
    for (address, signature) in [
        (
            "https://api.x.com/1.1/statuses/update.json?include_entities=true",
            "Ls93hJiZbQ3akF3HF3x1Bz8%2FzU4%3D",
        ),
        (
            "HTTPS://API.X.COM:443/1.1/statuses/update.json?include_entities=true",
            "Ls93hJiZbQ3akF3HF3x1Bz8%2FzU4%3D",
        ),
        (
            "https://api.twitter.com/1/statuses/update.json?include_entities=true",
            "tnnArxj06cWHq44gCs1OSKk%2FjLY%3D",
        ),
    ] {
        let header = x_example(address);
        assert!(header.contains(&format!("oauth_signature=\"{signature}\"")), "{address}");
    }
}

/// The example of RFC 5849, sections 3.1 and 3.4.1; the signature is that of erratum 2550.
#[test]
fn rfc_5849() {
    let header = r#"OAuth realm="Example",
        oauth_consumer_key="9djdj82h48djs9d2",
        oauth_token="kkk9d7dh3k39sjv7",
        oauth_signature_method="HMAC-SHA1",
        oauth_timestamp="137131201",
        oauth_nonce="7d8f3e4a",
        oauth_signature="r6%2FTJjbCOr97%2F%2BUU0NsvSne7s5g%3D""#
        .replace('\n', "");
    let url = url("http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b");
    let form = [("c2", ""), ("a3", "2 q")];
    assert_eq!(
        base_string(&header, &Method::POST, &url, &form),
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q\
         %26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_\
         key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_m\
         ethod%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk\
         9d7dh3k39sjv7"
    );
    let consumer_secret = "j49sk3j29djd".parse().unwrap();
    let token_secret = "dh893hdasih9".parse().unwrap();
    let verify = |header: &str| {
        let authorization: Authorization = header.parse().unwrap();
        authorization.verify(&Method::POST, &url, &form, &consumer_secret, Some(&token_secret))
    };
    assert_eq!(verify(&header), Ok(()));
    // The signature the RFC prints.
    let printed =
        header.replace("r6%2FTJjbCOr97%2F%2BUU0NsvSne7s5g%3D", "bYT5CMsGcbgUdFHObYMEfcx6bsw%3D");
    assert_eq!(verify(&printed), Err(VerifyError::Signature));
}

#[test]
fn x_three_legged_flow() {
    let consumer = consumer("cChZNFj6T5R0TigYB9yd1w", "L8qq9PZyRg6ieKGEKhZolGC0vJWLw8iEJ88DRdyOg");
    let request_token = token(
        "NPcudxy0yU5T3tBzho7iCotZ3cnetKwcTIRlX0iwRl0",
        "veNRnAWe6inFuo8o2u8SLLZLjolYDmDP7SzL0YfYI",
    );
    let now = second(1_318_467_427);
    let verifier = "uw7NjWHT6OJ1MpJOXsHfNxoAhPKpgI8BlYDhxEjIBY";
    for (host, first, last) in [
        ("api.twitter.com", "F1Li3tvehgcraF8DMJ7OyxO4w9Y%3D", "39cipBtIOHEEnybAR4sATQTpl2I%3D"),
        ("api.x.com", "X9xhcB9d%2BNxXd%2FThJ%2Fn51vPhetM%3D", "G3DdousFWwxEepaZcmHguKqeBvs%3D"),
    ] {
        let ends_with = |header: &http::HeaderValue, signature: &str| {
            let header = header.to_str().unwrap();
            assert!(header.ends_with(&format!("oauth_signature=\"{signature}\"")), "{header}");
        };

        let address = url(&format!("https://{host}/oauth/request_token"));
        let header = Signer::new(&consumer)
            .with_callback("http://localhost/sign-in-with-twitter/")
            .sign(&Method::POST, &address, &[], "ea9ec8429b68d6b77cd5600adbbb0456", now);
        ends_with(&header, first);
        let authorization = Authorization::parse(&header).unwrap();
        assert_eq!(authorization.callback(), Some("http://localhost/sign-in-with-twitter/"));
        authorization.verify(&Method::POST, &address, &[], &consumer.secret, None).unwrap();

        // The verifier may stand in the header, in the form, or in the query.
        let nonce = "a9900fe68e2573b27a37f10fbad6a755";
        let signer = Signer::new(&consumer).with_token(&request_token);
        let address = url(&format!("https://{host}/oauth/access_token"));
        let in_header =
            signer.with_verifier(verifier).sign(&Method::POST, &address, &[], nonce, now);
        ends_with(&in_header, last);
        let parsed = Authorization::parse(&in_header).unwrap();
        assert_eq!(parsed.verifier(), Some(verifier));
        let form = [("oauth_verifier", verifier)];
        ends_with(&signer.sign(&Method::POST, &address, &form, nonce, now), last);
        let with_query = url(&format!("{address}?oauth_verifier={verifier}"));
        ends_with(&signer.sign(&Method::POST, &with_query, &[], nonce, now), last);

        // In two places at once it is refused.
        let twice = parsed.verify(
            &Method::POST,
            &with_query,
            &[],
            &consumer.secret,
            Some(&request_token.secret),
        );
        assert_eq!(twice, Err(VerifyError::Duplicate("oauth_verifier".to_owned())));
    }
}

/// Requests as Python's `requests_oauthlib` 2.0 sent them: its own order, a space after each
/// comma, a verifier or a body's hash where the client puts one, and a query written by hand.
#[test]
fn python_clients() {
    let subscriptions = "http://127.0.0.1:7878/2/account_activity/webhooks/12/subscriptions/all";
    let webhooks = "https://api.x.com/1.1/account_activity/webhooks.json";
    let token = r#"oauth_token="7-token", "#;
    let verify = |address: &str, form: &[(&str, &str)], between: &str, after: &str| {
        let header = format!(
            "OAuth {between}oauth_nonce=\"119220463783541361763784000\", \
             oauth_timestamp=\"1763784000\", oauth_version=\"1.0\", \
             oauth_signature_method=\"HMAC-SHA1\", oauth_consumer_key=\"app\", {after}"
        );
        let user_secret = "user-secret".parse().unwrap();
        header.parse::<Authorization>().unwrap().verify(
            &Method::POST,
            &url(address),
            form,
            &"app-secret".parse().unwrap(),
            after.contains("oauth_token").then_some(&user_secret),
        )
    };

    // A JSON body of `{}`, and no body at all.
    let signature = r#"oauth_signature="6uZDFU3BCSVJbVoLNPLEFwQledA%3D""#;
    assert_eq!(verify(subscriptions, &[], "", &format!("{token}{signature}")), Ok(()));

    // `url=` written by hand, and by Python out of `https://example.com/hook?a=b c+d`.
    let address = format!("{webhooks}?url=https%3A%2F%2Fexample.com%2Fhook%3Fa%3Db%20c");
    let signature = r#"oauth_signature="ctTYdOOSd%2BUcq19U1COnhFmNU9w%3D""#;
    assert_eq!(verify(&address, &[], "", &format!("{token}{signature}")), Ok(()));
    let address = format!("{webhooks}?url=https%3A%2F%2Fexample.com%2Fhook%3Fa%3Db+c%2Bd");
    let signature = r#"oauth_signature="gpvt9KZ%2FmlVLW5uoXplOg9Wb380%3D""#;
    assert_eq!(verify(&address, &[], "", &format!("{token}{signature}")), Ok(()));

    // A form and a query.
    let form = [("oauth_verifier", "1234567"), ("s", "ä & ~*")];
    let address = "https://api.x.com/oauth/access_token?x=y+z";
    let signature = r#"oauth_signature="WijQY6n5OeNZ2SBWp7KIE%2F0ws%2BY%3D""#;
    assert_eq!(verify(address, &form, "", &format!("{token}{signature}")), Ok(()));

    // The first step of the three-legged flow: no token, a callback.
    let callback = concat!(
        r#"oauth_callback="http%3A%2F%2F127.0.0.1%2Fcb%3Fx%3D1%26y%3D%C3%A4", "#,
        r#"oauth_signature="25xLDEfDHKNAvIY8xt1RaP%2FYke4%3D""#
    );
    assert_eq!(verify("https://api.x.com/oauth/request_token", &[], "", callback), Ok(()));

    // With `force_include_body` and a realm.
    let hashed = concat!(
        r#"oauth_token="7-token", oauth_body_hash="vyGp6PvFo4RvsFtPoIWeCReyIC8%3D", "#,
        r#"oauth_signature="Px8vm4QTVrdbYGC3hap2fgqO1TI%3D""#
    );
    assert_eq!(verify(subscriptions, &[], "realm=\"a b\", ", hashed), Ok(()));
}

#[test]
fn a_signature_in_the_query_is_refused() {
    let consumer = consumer("app", "hush");
    let plain = url("https://api.x.com/2/webhooks");
    let header = Signer::new(&consumer).sign(&Method::GET, &plain, &[], "n", second(1));
    let authorization = Authorization::parse(&header).unwrap();
    for (query, name) in [
        ("oauth_signature=x", "oauth_signature"),
        ("oauth_nonce=n", "oauth_nonce"),
        ("oauth%5Fnonce=other", "oauth_nonce"),
    ] {
        let url = url(&format!("{plain}?{query}"));
        assert_eq!(
            authorization.verify(&Method::GET, &url, &[], &consumer.secret, None),
            Err(VerifyError::Duplicate(name.to_owned()))
        );
    }
}

#[test]
fn times_before_1970_are_signed_as_second_1() {
    let consumer = consumer("app", "hush");
    let url = url("https://api.x.com/");
    for at in [Timestamp::MIN, Timestamp::UNIX_EPOCH, second(1)] {
        let header = Signer::new(&consumer).sign(&Method::GET, &url, &[], "n", at);
        assert_eq!(Authorization::parse(&header).unwrap().timestamp(), second(1));
    }
}

#[test]
fn queries_that_mean_the_same_have_the_same_base_string() {
    let header = x_example("https://api.x.com/");
    let base = |query: &str| {
        base_string(&header, &Method::GET, &url(&format!("https://api.x.com/?{query}")), &[])
    };
    assert_eq!(base("a=b+c&d=&e"), base("e=&d&a=b%20c&&"));
    assert_eq!(base("url=https%3A%2F%2Fa%2F%3Fb"), base("url=https://a/?b"));
    // Bytes that are not UTF-8 are still told apart.
    assert_ne!(base("a=%FF"), base("a=%FE"));
    assert_ne!(base("a=b%26c=d"), base("a=b&c=d"));
}

/// A request of both sides, as arbitrary as it can be.
#[derive(Debug, Clone)]
struct Whole {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
    nonce: String,
    secret: String,
    token_secret: Option<String>,
    verifier: Option<String>,
}

impl Whole {
    fn url(&self) -> Url {
        let mut url = url("https://api.x.com");
        url.set_path(&self.path);
        url.query_pairs_mut().extend_pairs(&self.query);
        url
    }

    fn form(&self) -> Vec<(&str, &str)> {
        self.form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect()
    }

    fn consumer(&self) -> Consumer {
        consumer("app", &self.secret)
    }

    fn token(&self) -> Option<UserToken> {
        self.token_secret.as_deref().map(|secret| token("7-token", secret))
    }

    fn signed(&self) -> String {
        let (consumer, token) = (self.consumer(), self.token());
        let mut signer = Signer::new(&consumer);
        if let Some(token) = &token {
            signer = signer.with_token(token);
        }
        if let Some(verifier) = &self.verifier {
            signer = signer.with_verifier(verifier);
        }
        let method: Method = self.method.parse().unwrap();
        let now = second(1_763_784_000);
        let header = signer.sign(&method, &self.url(), &self.form(), &self.nonce, now);
        header.to_str().unwrap().to_owned()
    }

    fn verify(&self, header: &str) -> Result<(), VerifyError> {
        header.parse::<Authorization>().unwrap().verify(
            &self.method.parse().unwrap(),
            &self.url(),
            &self.form(),
            &self.consumer().secret,
            self.token().as_ref().map(|token| &token.secret),
        )
    }
}

prop_compose! {
    fn whole()(
        method in "[A-Z]{1,8}",
        path in "(/[a-zA-Z0-9._~%!$&'()*+,;=:@ ä-]{0,8}){0,4}",
        query in pairs(),
        form in pairs(),
        nonce in "[!-~]{1,40}",
        secret in "[!-~]{1,90}",
        token_secret in prop::option::of("[!-~]{1,60}"),
        verifier in prop::option::of("[ -~]{1,20}"),
    ) -> Whole {
        Whole { method, path, query, form, nonce, secret, token_secret, verifier }
    }
}

/// Names that sort before, among and after the protocol parameters; any text as a value.
fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof!["[a-z]{1,4}", "oauth[a-z]{0,3}", "\\PC{1,6}"];
    prop::collection::vec((name, "\\PC{0,12}"), 0..5)
}

proptest! {
    #[test]
    fn what_is_signed_verifies(whole in whole()) {
        let header = whole.signed();
        prop_assert_eq!(whole.verify(&header), Ok(()));
        // Anybody may write the header in another order and with other white space.
        let mut parameters: Vec<_> = header["OAuth ".len()..].split(',').collect();
        parameters.reverse();
        let reversed = format!("OAuth {}", parameters.join(", "));
        prop_assert_eq!(whole.verify(&reversed), Ok(()));
    }

    #[test]
    fn whatever_is_changed_does_not(
        whole in whole(),
        what in 0..9_usize,
        index: prop::sample::Index,
    ) {
        let header = whole.signed();
        let mut changed = whole;
        let mut changed_header = header.clone();
        match what {
            0 => changed.method.push('X'),
            1 => changed.path.push_str("/x"),
            2 => changed.secret.push('x'),
            3 => changed.token_secret = Some(changed.token_secret.unwrap_or_default() + "x"),
            4 => changed.query.push(("x".to_owned(), String::new())),
            5 => changed.form.push((String::new(), "x".to_owned())),
            6 if !changed.query.is_empty() => {
                let index = index.index(changed.query.len());
                changed.query[index].1.push('x');
            }
            7 if !changed.form.is_empty() => {
                let index = index.index(changed.form.len());
                changed.form[index].0.push('x');
            }
            // One byte of any value in the header, the signature included.
            _ => {
                let values: Vec<_> = header
                    .match_indices('"')
                    .map(|(at, _)| at)
                    .collect::<Vec<_>>()
                    .chunks(2)
                    .flat_map(|quotes| quotes[0] + 1..quotes[1])
                    .filter(|&at| header.as_bytes()[at].is_ascii_alphanumeric())
                    .collect();
                let at = values[index.index(values.len())];
                let new = if &header[at..=at] == "2" { "3" } else { "2" };
                changed_header.replace_range(at..=at, new);
            }
        }
        // A change that breaks the header is refused by the parser, and that is as good.
        if changed_header.parse::<Authorization>().is_ok() {
            prop_assert_eq!(changed.verify(&changed_header), Err(VerifyError::Signature));
        }
    }

    #[test]
    fn both_sides_make_the_same_base_string(whole in whole()) {
        // The sender's base string is made by `oauth1-request`, the receiver's here.
        let header: Authorization = whole.signed().parse().unwrap();
        let (url, form) = (whole.url(), whole.form());
        let parameters = Parameters::collect(&url, &form, header.parameters());
        let method: Method = whole.method.parse().unwrap();
        let secrets = (whole.secret.as_str(), whole.token_secret.as_deref());
        let ours = parameters.sign(&method, &url, HmacSha1, secrets);
        prop_assert_eq!(ours.as_base64(), header.signature());
    }
}
