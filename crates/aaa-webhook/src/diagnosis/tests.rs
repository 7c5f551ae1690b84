use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::*;
use crate::signature::Signature;

const BODY: &str = r#"{"for_user_id":"7","tweet_create_events":[{"id_str":"1","text":"ä \u00fc https:\/\/t.co\/x"}]}"#;
const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcd";

fn candidates() -> Vec<Candidate> {
    vec![
        Candidate::signing("X_CONSUMER_SECRET", SECRET.parse().unwrap()),
        Candidate::signing("X_CONSUMER_SECRET_PREVIOUS", "previous".parse().unwrap()),
        Candidate::mistaken("X_ACCESS_TOKEN_SECRET", "token-secret").unwrap(),
    ]
}

fn header(secret: &str, body: &[u8]) -> String {
    Signature::of(&secret.parse().unwrap(), body).to_string()
}

fn causes(body: &[u8], header: &str) -> Vec<Cause> {
    match diagnose(&Case::new(body, header), &candidates()) {
        Diagnosis::Wrong(causes) => causes,
        right => panic!("{right:?}"),
    }
}

/// What was saved of [`BODY`], which X signed, and the changes that are found.
#[track_caller]
fn changed(saved: impl AsRef<[u8]>, expected: &[Change]) {
    let causes = causes(saved.as_ref(), &header(SECRET, BODY.as_bytes()));
    assert_eq!(causes, [Cause::Body { changes: expected.to_vec() }]);
}

#[test]
fn right() {
    for (secret, name) in
        [(SECRET, "X_CONSUMER_SECRET"), ("previous", "X_CONSUMER_SECRET_PREVIOUS")]
    {
        let header = header(secret, BODY.as_bytes());
        let line = format!("X-Twitter-Webhooks-Signature: {header}\r\n");
        for header in [header, line] {
            let right = Diagnosis::Right { secret: name.to_owned(), not_a_delivery: None };
            assert_eq!(diagnose(&Case::new(BODY.as_bytes(), &header), &candidates()), right);
        }
    }
    let token = "OWY4ODQ2ZjgtNDljMC00NDY2";
    let signed = header(SECRET, token.as_bytes());
    let found = diagnose(&Case::new(token.as_bytes(), &signed), &candidates());
    assert!(matches!(found, Diagnosis::Right { not_a_delivery: Some(_), .. }), "{found:?}");
}

#[test]
fn the_wrong_secret() {
    let causes = causes(BODY.as_bytes(), &header("token-secret", BODY.as_bytes()));
    assert_eq!(causes, [Cause::Secret { name: "X_ACCESS_TOKEN_SECRET".to_owned() }]);
}

#[test]
fn what_is_done_to_bodies() {
    changed(format!("{BODY}\n"), &[Change::LineEnd]);
    changed(format!("{BODY}\r\n"), &[Change::LineEnd]);
    changed(format!("\u{feff}{BODY}"), &[Change::ByteOrderMark]);
    changed(format!("\u{feff}{BODY}\n"), &[Change::ByteOrderMark, Change::LineEnd]);
    changed(format!(" {BODY} \n\n"), &[Change::Around]);
    changed(BODY.replace("\\/", "/"), &[Change::Slashes]);
    changed(
        BODY.replace(',', ", ").replace(':', ": ").replace("https: ", "https:"),
        &[Change::Spaces],
    );
    let latin1: Vec<_> = BODY.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    changed(&latin1, &[Change::Latin1]);
    changed([&latin1, b"\n".as_slice()].concat(), &[Change::Latin1, Change::LineEnd]);
    let twice: String = BODY.bytes().map(char::from).collect();
    changed(&twice, &[Change::EncodedTwice]);

    let lines = "{\n\"a\":1\n}\n";
    let signed = header(SECRET, lines.as_bytes());
    let found = |saved: &str| causes(saved.as_bytes(), &signed);
    let body = |change| [Cause::Body { changes: vec![change] }];
    assert_eq!(found(&lines.replace('\n', "\r\n")), body(Change::LineEnds));
    assert_eq!(found(lines.trim_end()), body(Change::NoLineEnd));
}

/// Whichever line ends X sent, and whichever were made of them. A carriage return by itself is no
/// line end.
#[test]
fn line_ends_that_were_changed() {
    for (sent, saved) in [
        ("{\n\"a\":1\n}", "{\r\n\"a\":1\r\n}"),
        ("{\r\n\"a\":1\r\n}", "{\n\"a\":1\n}"),
        ("{\r\n\"a\":1\r\n}", "{\r\n\"a\":1\n}"),
        ("{\r\"a\":1\n}", "{\r\"a\":1\r\n}"),
        ("{\r\"a\":1\r\n}", "{\r\"a\":1\n}"),
    ] {
        let found = causes(saved.as_bytes(), &header(SECRET, sent.as_bytes()));
        assert_eq!(found, [Cause::Body { changes: vec![Change::LineEnds] }], "{sent:?} {saved:?}");
    }
}

/// Others sign with the same function, and their headers may stand beside X's.
#[test]
fn another_header_is_not_taken_for_x_s() {
    let good = header(SECRET, BODY.as_bytes());
    for name in ["X-Hub-Signature-256", "X-Twitter-Webhooks-Signature-2", ""] {
        let found = causes(BODY.as_bytes(), &format!("{name}: {good}"));
        assert!(matches!(found[0], Cause::Header { else_right: false, .. }), "{name}: {found:?}");
    }
}

/// What the usual libraries make of a body that X wrote, with or without a line end.
#[test]
fn json_that_was_written_again() {
    // Escapes of one kind, as one writer makes them.
    let sent = r#"{"id":"1","text":"ä 😀 & https:\/\/t.co\/x"}"#;
    let escaped = r#"{"id":"1","text":"\u00e4 \ud83d\ude00 & https:\/\/t.co\/x"}"#;
    for (sent, saved, expected) in [
        // JavaScript, serde_json.
        (sent, r#"{"id":"1","text":"ä 😀 & https://t.co/x"}"#, vec![Change::Slashes]),
        (
            escaped,
            r#"{"id":"1","text":"ä 😀 & https://t.co/x"}"#,
            vec![Change::Slashes, Change::Escapes],
        ),
        // Python.
        (
            sent,
            r#"{"id": "1", "text": "\u00e4 \ud83d\ude00 & https://t.co/x"}"#,
            vec![Change::Spaces, Change::Slashes, Change::Escapes],
        ),
        // Go.
        (
            sent,
            r#"{"id":"1","text":"ä 😀 \u0026 https://t.co/x"}"#,
            vec![Change::Slashes, Change::Escapes],
        ),
        // PHP.
        (
            sent,
            r#"{"id":"1","text":"\u00e4 \ud83d\ude00 & https:\/\/t.co\/x"}"#,
            vec![Change::Escapes],
        ),
    ] {
        let signed = header(SECRET, sent.as_bytes());
        assert_eq!(
            causes(saved.as_bytes(), &signed),
            [Cause::Body { changes: expected.clone() }],
            "{saved}"
        );
        let pretty: serde_json::Value = serde_json::from_str(saved).unwrap();
        let pretty = serde_json::to_string_pretty(&pretty).unwrap() + "\n";
        let found = causes(pretty.as_bytes(), &signed);
        let [Cause::Body { changes }] = found.as_slice() else { panic!("{found:?}") };
        assert!(changes.contains(&Change::Spaces), "{changes:?}");
    }
}

#[test]
fn what_is_done_to_headers() {
    // A signature with a `+` and a `/` in it.
    let mut bodies = (0..).map(|n| BODY.replace("\"1\"", &format!("\"{n}\"")));
    let fits = |body: &String| {
        let header = header(SECRET, body.as_bytes());
        header.contains('+') && header.contains('/')
    };
    let body = bodies.find(fits).unwrap();
    let good = header(SECRET, body.as_bytes());
    let digits = good.trim_start_matches("sha256=");
    let bytes = STANDARD.decode(digits).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let url_safe = digits.replace('+', "-").replace('/', "_");
    for (header, fault) in [
        (digits.to_owned(), HeaderFault::NoPrefix),
        (format!("SHA256={digits}"), HeaderFault::PrefixCase),
        (format!("sha256={hex}"), HeaderFault::Hex),
        (hex, HeaderFault::NoPrefix),
        (format!("sha256={url_safe}"), HeaderFault::UrlSafe),
        (good.replace('+', "%2B").replace('/', "%2f"), HeaderFault::PercentEncoded),
        (good.replace('+', " "), HeaderFault::PlusLost),
        (format!("\"{good}\""), HeaderFault::Quoted),
        (good.trim_end_matches('=').replace("sha256", "sha256="), HeaderFault::NoBase64),
        (good.trim_end_matches('=').to_owned(), HeaderFault::Padding),
        (format!("{good}="), HeaderFault::Padding),
        (format!("\t{good} "), HeaderFault::Space),
    ] {
        let found = causes(body.as_bytes(), &header);
        let right = fault != HeaderFault::NoBase64;
        assert_eq!(found[0], Cause::header(fault, right), "{header}");
        assert_eq!(found[0].is_proved(), right);
    }
    for (header, fault) in [
        (String::new(), HeaderFault::Empty),
        (" \n".to_owned(), HeaderFault::Empty),
        (format!("{good}, {good}"), HeaderFault::Several),
        ("sha1=2jmj7l5rSw0yVb/vlWAYkK/YBwk=".to_owned(), HeaderFault::Sha1),
        ("sha256=2jmj7l5rSw0yVb/vlWAYkK/YBwk=".to_owned(), HeaderFault::Sha1),
        (good[..40].to_owned(), HeaderFault::Length),
        ("sha256=äöü".to_owned(), HeaderFault::NoBase64),
        ("hello".to_owned(), HeaderFault::NoPrefix),
    ] {
        let found = causes(body.as_bytes(), &header);
        let Cause::Header { fault: first, else_right: false } = found[0] else {
            panic!("{found:?}")
        };
        assert!(first == fault || header == "hello", "{header}: {first:?}");
    }
}

#[test]
fn a_body_and_a_secret() {
    let signed = header("token-secret", BODY.as_bytes());
    let found = causes(format!("{BODY}\n").as_bytes(), &signed);
    let body = Cause::Body { changes: vec![Change::LineEnd] };
    assert_eq!(found, [body, Cause::Secret { name: "X_ACCESS_TOKEN_SECRET".to_owned() }]);
}

#[test]
fn a_header_and_a_body() {
    let header = header(SECRET, BODY.as_bytes()).replace("sha256=", "");
    let found = causes(format!("{BODY}\n").as_bytes(), &header);
    let body = Cause::Body { changes: vec![Change::LineEnd] };
    assert_eq!(found, [body, Cause::header(HeaderFault::NoPrefix, false)]);
}

#[test]
fn hints() {
    let other = header("nobody", BODY.as_bytes());
    let of = |body: &[u8], length: Option<u64>| {
        let case = Case::new(body, &other);
        let case = length.map_or(case, |length| case.with_length(length));
        match diagnose(&case, &candidates()) {
            Diagnosis::Wrong(causes) => causes.into_iter().map(|c| c.code()).collect::<Vec<_>>(),
            right => panic!("{right:?}"),
        }
    };
    assert_eq!(of(BODY.as_bytes(), None), ["unknown"]);
    assert_eq!(of(b"", None), ["empty", "unknown"]);
    assert_eq!(of(b"\x1f\x8b\x08\x00", None), ["compressed", "unknown"]);
    assert_eq!(of(b"\x78\x9c\x01", None), ["compressed", "unknown"]);
    assert_eq!(of(&BODY.as_bytes()[..60], Some(500)), ["length", "cut_off", "unknown"]);
    assert_eq!(of(b"{\"a\":\"\xe4\"}", None), ["not_utf8", "unknown"]);
    assert_eq!(of(br#"{"a": "b"}"#, None), ["rewritten", "unknown"]);
    let like = |secret: &str| {
        let candidates = [Candidate::signing("X_CONSUMER_SECRET", secret.parse().unwrap())];
        match diagnose(&Case::new(BODY.as_bytes(), &other), &candidates) {
            Diagnosis::Wrong(causes) => causes[0].to_string(),
            right => panic!("{right:?}"),
        }
    };
    for (secret, words) in [
        ("a".repeat(25), "a consumer key"),
        ("a".repeat(45), "an access token secret"),
        (format!("AAAAAAAA{}", "a".repeat(90)), "a bearer token"),
        (format!("7-{}", "a".repeat(40)), "an access token:"),
        (format!("{}-", "a".repeat(49)), "an OAuth 2.0 client secret"),
    ] {
        assert!(like(&secret).contains(words), "{}", like(&secret));
    }
}

#[test]
fn what_is_said() {
    let all = [
        Cause::header(HeaderFault::NoPrefix, true),
        Cause::header(HeaderFault::Sha1, false),
        Cause::header(HeaderFault::Empty, false),
        Cause::Secret { name: "X_ACCESS_TOKEN_SECRET".to_owned() },
        Cause::Body { changes: vec![Change::ByteOrderMark, Change::LineEnd] },
        Cause::Body { changes: vec![Change::Slashes, Change::Escapes] },
        Cause::Empty,
        Cause::Compressed,
        Cause::Length { announced: 10, saved: 8 },
        Cause::CutOff,
        Cause::NotUtf8,
        Cause::Rewritten,
        Cause::Shape { name: "X_CONSUMER_SECRET".to_owned(), like: "a bearer token" },
        Cause::Unknown,
    ];
    let said: Vec<_> =
        all.iter().map(|c| format!("{}: {c}\n  {}\n", c.code(), c.advice())).collect();
    insta::assert_snapshot!(said.concat());
}

proptest! {
    #[test]
    fn arbitrary_input_never_panics_and_always_has_a_cause(body: Vec<u8>, header in ".{0,80}") {
        let found = diagnose(&Case::new(&body, &header), &candidates());
        prop_assert!(matches!(found, Diagnosis::Wrong(causes) if !causes.is_empty()));
    }

    /// Neither a secret nor the signature that would be right is told.
    #[test]
    fn nothing_is_given_away(
        secret in "[a-zA-Z0-9]{20,50}",
        body in r#"\{"a":"[a-z/ä]{0,9}"\}"#,
        change in 0..4,
    ) {
        let right = header(&secret, body.as_bytes());
        let (saved, sent) = match change {
            0 => (format!("{body}\n"), right.clone()),
            1 => (body, right.replace("sha256=", "")),
            2 => (format!("{body} "), header("nobody", body.as_bytes())),
            _ => (body.replace('/', "\\/"), right.clone()),
        };
        let candidates = [
            Candidate::signing("X", secret.parse().unwrap()),
            Candidate::mistaken("Y", "another-secret").unwrap(),
        ];
        let shown = match diagnose(&Case::new(saved.as_bytes(), &sent), &candidates) {
            Diagnosis::Wrong(causes) => causes.iter().map(|c| format!("{c} {c:?} {}", c.advice())).collect(),
            right => format!("{right:?}"),
        };
        let digits = right.trim_start_matches("sha256=");
        for hidden in [secret.as_str(), digits, "another-secret"] {
            prop_assert!(!shown.contains(hidden), "{}", shown);
        }
        let debug = format!("{candidates:?}");
        prop_assert!(!debug.contains(&secret));
    }
}
