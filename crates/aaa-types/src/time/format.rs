use jiff::Timestamp;

/// The millisecond that X's snowflake ids count from (2010-11-04T01:42:54.657Z).
const SNOWFLAKE_EPOCH_MS: u64 = 1_288_834_974_657;

/// The last id that was handed out before ids carried a time.
const LAST_SEQUENTIAL_ID: u64 = 29_700_859_247;

/// Parses the `created_at` of posts and favorites, `Mon Mar 26 16:33:26 +0000 2018`, the RFC 3339
/// form of webhooks and revocations, and `2016-06-02 23:54:02 +0000` of older webhooks.
///
/// Returns `None` for anything else.
///
/// # Examples
///
/// ```
/// let time = aaa_types::time::parse_created_at("Mon Mar 26 16:33:26 +0000 2018").unwrap();
/// assert_eq!(time.to_string(), "2018-03-26T16:33:26Z");
/// ```
pub fn parse_created_at(text: &str) -> Option<Timestamp> {
    let formats = ["%a %b %d %H:%M:%S %z %Y", "%Y-%m-%d %H:%M:%S %z"];
    let rfc3339 = text.parse().ok();
    rfc3339.or_else(|| formats.iter().find_map(|format| Timestamp::strptime(format, text).ok()))
}

/// Parses milliseconds since 1970, as in `timestamp_ms` and `created_timestamp`.
///
/// # Examples
///
/// ```
/// let time = aaa_types::time::parse_epoch_millis("1516403560557").unwrap();
/// assert_eq!(time.to_string(), "2018-01-19T23:12:40.557Z");
/// ```
pub fn parse_epoch_millis(text: &str) -> Option<Timestamp> {
    let millis = text.parse::<u64>().ok()?;
    Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()
}

/// Returns the creation time that a snowflake id carries, to the millisecond.
///
/// Ids from before November 2010 carry none.
///
/// # Examples
///
/// ```
/// use aaa_types::time::snowflake_time;
///
/// let time = snowflake_time(954491830116155396).unwrap();
/// assert_eq!(time.to_string(), "2018-01-19T23:12:40.557Z");
/// assert_eq!(snowflake_time(20), None);
/// ```
pub fn snowflake_time(id: u64) -> Option<Timestamp> {
    if id <= LAST_SEQUENTIAL_ID {
        return None;
    }
    let millis = (id >> 22).checked_add(SNOWFLAKE_EPOCH_MS)?;
    Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formats_of_created_at() {
        let parse = |text| parse_created_at(text).map(|t| t.to_string());
        assert_eq!(parse("2018-05-24T09:48:12+00:00").as_deref(), Some("2018-05-24T09:48:12Z"));
        assert_eq!(parse("2025-04-24T20:57:15.242Z").as_deref(), Some("2025-04-24T20:57:15.242Z"));
        assert_eq!(
            parse("Thu Jul 15 23:26:04 +0000 2010").as_deref(),
            Some("2010-07-15T23:26:04Z")
        );
        assert_eq!(parse("yesterday"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn epoch_millis_are_digits_only() {
        for bad in ["", "-1", "null", "1.5", "99999999999999999999", "18446744073709551615"] {
            assert_eq!(parse_epoch_millis(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_input_never_panics(text in ".*", id: u64) {
            let _ = (parse_created_at(&text), parse_epoch_millis(&text), snowflake_time(id));
        }
    }
}
