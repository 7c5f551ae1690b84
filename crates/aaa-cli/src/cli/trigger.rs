//! `aaa trigger` and its flags.

use std::{str::FromStr, time::Duration};

use aaa_client::ApiUrl;
use aaa_types::UserId;
use clap::Args;
use serde_json::Value;

use super::{emulate::Setting, masked::Masked};
use crate::forward::ForwardUrl;

pub(super) const HELP: &str = "Examples:
  aaa trigger tweet_create_events --user 7 --field 'text=\"hello\"'
  aaa trigger favorite_events --user 7 --count 1000 --rate 50 --to http://127.0.0.1:8080/webhooks/twitter

Without --to the events happen in an emulator, for everybody who is subscribed there and concerned.
It ends with 0 when each was answered 200, with 5 when one was refused, with 4 when nobody
answered, and with 1 when after a minute some are still under way.";

#[derive(Debug, Args)]
pub(crate) struct TriggerArgs {
    /// What happens: X's name of the kind, such as tweet_create_events; an event type of the X
    /// Activity API, such as post.create; filtered_stream; another name that ends in _events needs
    /// --payload
    pub(crate) kind: String,
    /// Who acts
    #[arg(long, value_name = "ID")]
    pub(crate) user: UserId,
    /// How many times, each of them another event
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: u64,
    /// So many per second, evenly, if they are answered in time [default: as fast as they are
    /// answered]
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<Rate>,
    /// The emulator [default: X_API_URL if that is on loopback, else http://127.0.0.1:7878]
    #[arg(long, value_name = "URL", value_parser = Masked::<ApiUrl>::default(), conflicts_with = "to")]
    pub(crate) emulator: Option<ApiUrl>,
    /// Sign with the consumer secret, and send straight to this receiver
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<ForwardUrl>,
    /// Members of the item that are to differ; they are merged into what is generated
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub(crate) payload: Option<Value>,
    /// One member of the item, such as user.name='"Ann"'; may be given more than once
    #[arg(long = "field", value_name = "PATH=JSON")]
    pub(crate) fields: Vec<Field>,
    /// A member of the body beside the item, such as user_has_blocked=true, or apps=null to leave it
    /// out; may be given more than once
    #[arg(long, value_name = "NAME=JSON")]
    pub(crate) context: Vec<Setting>,
    /// Print one JSON object for each event
    #[arg(long)]
    pub(crate) json: bool,
}

/// How many events per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate(pub(crate) Duration);

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Duration::from_secs_f64(per_second(text)?.recip())))
    }
}

/// Reads how often something happens.
pub(super) fn per_second(text: &str) -> Result<f64, &'static str> {
    const WANTED: &str = "expected a number of events per second, such as 20 or 0.5";
    let rate: f64 = text.parse().map_err(|_| WANTED)?;
    if !(0.001..=100_000.0).contains(&rate) {
        return Err("the rate is between 0.001 and 100000 per second");
    }
    Ok(rate)
}

/// A member of an item, by the names that lead to it, and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) path: Vec<String>,
    pub(crate) value: Value,
}

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, value) = text.split_once('=').ok_or("write PATH=JSON, such as user.id=7")?;
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err("a path is names joined by dots, such as user.name".to_owned());
        }
        Ok(Self { path, value: json(value)? })
    }
}

pub(super) fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| {
        format!("this is not JSON ({error}); a text needs quotes, as in '\"text\"'")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rates() {
        for (text, millis) in [("20", 50), ("0.5", 2000), ("1e3", 1)] {
            assert_eq!(text.parse(), Ok(Rate(Duration::from_millis(millis))), "{text}");
        }
        for bad in ["", "0", "-1", "nan", "inf", "1e9", "fast"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn fields() {
        let field: Field = r#"a.b.c="x=y.z""#.parse().unwrap();
        assert_eq!((field.path.join("/"), field.value), ("a/b/c".to_owned(), json!("x=y.z")));
        for bad in ["a", "=1", "a.=1", ".a=1", "a=", "a=text"] {
            assert!(bad.parse::<Field>().is_err(), "{bad}");
        }
    }
}
