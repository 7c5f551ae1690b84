use aaa_types::event::Body;
use proptest::prelude::*;

use super::*;

const TOKEN: &str = "OWY4ODQ2ZjgtNDljMC00NDY2LWJhMGQtYTE4NzQ0MTM2OGFi";

#[test]
fn found_in_a_query() {
    for query in [
        format!("crc_token={TOKEN}"),
        format!("nonce=MTQ4&crc_token={TOKEN}&x=y"),
        format!("crc_token=%4F{}", &TOKEN[1..]),
    ] {
        assert_eq!(CrcToken::from_query(&query).unwrap().as_str(), TOKEN, "{query}");
    }
    let plus = CrcToken::from_query("crc_token=0123456789+%2Babcdef%3D").unwrap();
    assert_eq!(plus.as_str(), "0123456789++abcdef=");
}

#[test]
fn refused() {
    let refused = |query: &str| CrcToken::from_query(query).unwrap_err();
    assert_eq!(refused(""), CrcTokenError::Missing);
    assert_eq!(refused("crc_tokens=x"), CrcTokenError::Missing);
    assert_eq!(refused("crc_token=foo"), CrcTokenError::Length);
    assert_eq!(refused(&format!("crc_token={}", "a".repeat(257))), CrcTokenError::Length);
    assert_eq!(refused(&format!("crc_token={}", "a".repeat(9999))), CrcTokenError::Length);
    assert_eq!(refused("crc_token=%7B%22a%22%3A1234567890%7D"), CrcTokenError::Character);
    assert_eq!(refused("crc_token=0123456789abcdef%00"), CrcTokenError::Character);
    assert_eq!(refused("crc_token=0123456789abcdef%c3%a4"), CrcTokenError::Character);
    assert_eq!(refused("crc_token=0123456789abcdef%4"), CrcTokenError::Character);
    assert_eq!(refused("crc_token=0123456789abcdef%zz"), CrcTokenError::Character);
    let twice = format!("crc_token={TOKEN}&crc_token={TOKEN}");
    assert_eq!(refused(&twice), CrcTokenError::Repeated);
}

/// Three bytes for each character of the longest one, and no more.
#[test]
fn a_token_may_be_encoded_as_a_whole() {
    for (rule, longest) in
        [(TokenRule::default(), MAX_LENGTH), (TokenRule::new(1..=1, "").unwrap(), 1)]
    {
        let find = |encoded: &str, times: usize| {
            rule.find(&format!("crc_token={}", encoded.repeat(times)))
        };
        assert_eq!(find("%61", longest).unwrap().as_str(), "a".repeat(longest));
        assert_eq!(find("%61", longest + 1), Err(CrcTokenError::Length));
        // What is longer is not even decoded.
        assert_eq!(find("%ff", longest), Err(CrcTokenError::Character));
        assert_eq!(find("%ff", longest + 1), Err(CrcTokenError::Length));
    }
}

/// Its answer would be the signature of a check with just this query.
#[test]
fn a_token_that_is_a_query() {
    for query in ["crc_token=AAAAAAAAAAAAAAAA", "crc_token%3DAAAAAAAAAAAAAAAA", "AAAA=AAAAAAAAAAAA"]
    {
        let error = CrcToken::from_query(&format!("crc_token={query}")).unwrap_err();
        assert_eq!(error, CrcTokenError::Padding, "{query}");
    }
    let padded = |padding: &str| CrcToken::parse(&format!("0123456789abcdef{padding}"));
    assert!(padded("").is_ok() && padded("=").is_ok() && padded("==").is_ok());
    assert_eq!(padded("===").unwrap_err(), CrcTokenError::Padding);
}

#[test]
fn rules() {
    let foo = TokenRule::new(3..=3, "").unwrap();
    assert_eq!(foo.find("crc_token=foo").unwrap().as_str(), "foo");
    assert_eq!(foo.find("crc_token=fooo"), Err(CrcTokenError::Length));
    assert_eq!(foo.find("crc_token=f.o"), Err(CrcTokenError::Character));
    let dots = TokenRule::new(1..=LONGEST, HARMLESS).unwrap();
    assert_eq!(dots.find("crc_token=="), Err(CrcTokenError::Padding));
    assert_eq!(dots.find("crc_token=f.o%3A").unwrap().as_str(), "f.o:");
    for length in [0..=9, 9..=LONGEST + 1, RangeInclusive::new(9, 8)] {
        assert_eq!(TokenRule::new(length, ""), Err(TokenRuleError::Length));
    }
    for also in ["{", "}", "\"", "&", "%", "=", " ", "\n", "ä", ".{"] {
        assert_eq!(TokenRule::new(1..=9, also), Err(TokenRuleError::Character), "{also}");
    }
}

proptest! {
    /// Nor does any rule open it.
    #[test]
    fn no_rule_opens_the_oracle(
        text in r#"[\[\]{}":,a-z0-9+/=_ \-!$'()*.;@~&%]{1,40}"#,
        query in "([a-zA-Z0-9+/_:.-]{0,9}&)?(crc_token=)?[a-z0-9+/=:.~]{0,9}={0,4}(&[a-z]{1,9})?",
    ) {
        let rule = TokenRule::new(1..=LONGEST, HARMLESS).unwrap();
        prop_assert!(!(rule.parse(&text).is_ok() && Body::parse(text.as_bytes()).is_ok()));
        prop_assert!(!(rule.parse(&query).is_ok() && rule.find(&query).is_ok()));
    }

    #[test]
    fn no_accepted_token_is_a_check(
        text in "([a-zA-Z0-9+/_-]{0,20}&)?(crc_token=)?[a-zA-Z0-9+/=_-]{0,40}={0,4}(&[a-z]{1,9})?",
    ) {
        let accepted = CrcToken::parse(&text).is_ok();
        prop_assert!(!(accepted && CrcToken::from_query(&text).is_ok()));
    }

    /// The rule that closes the oracle: what is answered is never a delivery.
    #[test]
    fn no_accepted_token_is_a_delivery(text in r#"[\[\]{}":,a-z0-9+/=_ -]{16,40}"#) {
        let accepted = CrcToken::parse(&text).is_ok();
        prop_assert!(!(accepted && Body::parse(text.as_bytes()).is_ok()));
    }

    #[test]
    fn arbitrary_queries_never_panic(query in ".*") {
        let _ = CrcToken::from_query(&query);
        let _ = CrcToken::from_query(&format!("crc_token={query}"));
    }
}
