//! `aaa trigger`: makes things happen, through an emulator or straight to a receiver.

mod direct;
mod emulated;
mod pace;
mod tally;

use std::{pin::pin, sync::Arc};

use aaa_client::ApiUrl;
use aaa_emulator::bodies;
use aaa_types::UserId;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use self::{direct::Direct, emulated::Emulated, pace::Pace, tally::Tally};
use crate::{
    cli::{Field, TriggerArgs},
    credentials::{CredentialArgs, Credentials},
    exit::{Exit, Failure},
    output, signals,
};

/// How many events are on their way at once.
const AT_ONCE: usize = 16;

pub(crate) async fn run(args: TriggerArgs, credentials: CredentialArgs) -> Result<(), Failure> {
    let payload = payload(args.payload.clone(), &args.fields)?;
    check(&args, payload.as_ref())?;
    let beside = args.context.iter().map(|of| (of.name.clone(), of.value.clone()));
    let context = (!args.context.is_empty()).then(|| beside.collect());
    let what = What { kind: args.kind.clone(), user: args.user, payload, context };
    match &args.to {
        Some(to) => {
            if to.is_open() {
                output::note(format_args!(
                    "warning: whoever reads what is sent to {to} can send it to your receiver too: \
                     it is signed with the consumer secret, and nothing is encrypted"
                ));
            }
            let secret = Credentials::load(credentials)?.consumer_secret()?;
            send(Direct::new(to.clone(), secret, what)?, &args).await
        }
        None => {
            let emulator = emulator(&args, credentials)?;
            let found = signals::or_end(Emulated::find(&emulator, what)).await?;
            send(found, &args).await
        }
    }
}

/// Where `aaa emulate` listens unless it is told otherwise.
const EMULATOR: &str = "http://127.0.0.1:7878";

/// Finds the emulator: where the other commands find the API, unless that is X itself, which can
/// be asked for no event.
fn emulator(args: &TriggerArgs, credentials: CredentialArgs) -> Result<ApiUrl, Failure> {
    if let Some(named) = &args.emulator {
        return Ok(named.clone());
    }
    let api = Credentials::load(credentials)?.api().clone();
    if api.is_loopback() {
        return Ok(api);
    }
    EMULATOR.parse().map_err(|error| Exit::Failed.of("no emulator is known", error))
}

/// What is to happen each time.
struct What {
    kind: String,
    user: UserId,
    payload: Option<Value>,
    context: Option<Map<String, Value>>,
}

/// An event for a user, and what its receiver answered.
#[derive(Debug, Serialize)]
struct Told {
    id: String,
    key: String,
    kind: String,
    for_user_id: Option<UserId>,
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// A retry is due, or the delivery is delayed; what is told is how the last attempt ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    under_way: bool,
}

/// How events come to receivers.
trait Way: Send + Sync + 'static {
    /// Makes it happen once; returns what became of it, for each user concerned.
    ///
    /// # Errors
    ///
    /// Fails when there is no use in going on.
    fn once(&self) -> impl Future<Output = Result<Vec<Told>, Failure>> + Send;

    /// Says what to do when a receiver answered so.
    fn advice(&self, status: u16) -> Option<&'static str>;
}

/// Makes it happen as often and as fast as the flags say.
async fn send(way: impl Way, args: &TriggerArgs) -> Result<(), Failure> {
    let way = Arc::new(way);
    let mut pace = Pace::new(args.rate.map(|rate| rate.0));
    let mut tally = Tally::default();
    let mut tasks = JoinSet::new();
    let (mut left, mut failure) = (args.count, None);
    let mut signal = pin!(signals::end());
    loop {
        let may_begin = left > 0 && failure.is_none() && tasks.len() < AT_ONCE;
        tokio::select! {
            () = pace.turn(), if may_begin => {
                pace.taken();
                left -= 1;
                let way = Arc::clone(&way);
                tasks.spawn(async move { way.once().await });
            }
            Some(done) = tasks.join_next() => match done {
                Ok(Ok(told)) => {
                    for told in &told {
                        tally.add(told);
                        print(told, args.json)?;
                    }
                }
                // What is on its way is still waited for.
                Ok(Err(error)) => {
                    failure.get_or_insert(error);
                }
                Err(error) => {
                    failure.get_or_insert(Exit::Failed.of("a sender ended", error));
                }
            },
            signal = &mut signal, if failure.is_none() && !(left == 0 && tasks.is_empty()) => {
                failure = Some(Exit::Failed.with(format!("{signal} before all had happened")));
            }
            else => break,
        }
    }
    output::note(tally.summary(pace.elapsed()));
    match failure {
        Some(failure) => Err(failure),
        None => tally.judge(|status| way.advice(status)),
    }
}

fn print(told: &Told, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(told);
    }
    let became = match (told.status, &told.error) {
        (Some(status), _) => tally::named(status),
        (None, Some(error)) => format!("no answer: {error}"),
        (None, None) if told.under_way => "not answered".to_owned(),
        (None, None) => "not sent".to_owned(),
    };
    let became = if told.under_way { format!("under way, so far: {became}") } else { became };
    output::line(output::printable(&format!("{}  {became}", told.key))).map(drop)
}

/// Refuses what cannot be made, before anything is.
fn check(args: &TriggerArgs, payload: Option<&Value>) -> Result<(), Failure> {
    let kind = args.kind.as_str();
    if kind == bodies::JOB_STATUS && args.to.is_none() {
        let words = format!("{kind} comes at the end of a replay job, and not by itself");
        return Err(Exit::Usage.with(words).advise("with --to URL it is made and sent by itself"));
    }
    if bodies::is_generated(kind) {
        if payload.is_some_and(|payload| !payload.is_object()) {
            let words = format!("--payload is no JSON object: of {kind} only members can differ");
            return Err(Exit::Usage.with(words));
        }
        return Ok(());
    }
    let is_name = kind.len() > "_events".len() && kind.ends_with("_events");
    if is_name && payload.is_some() {
        return Ok(());
    }
    let known = bodies::KINDS.join(", ");
    let other = "an event type of the X Activity API, such as post.create; filtered_stream; or another \
                 name that ends in _events, with --payload";
    let words = format!("`{}` is no kind of event that is known here", output::printable(kind));
    Err(Exit::Usage.with(words).advise(format!("one of {known}; {other}")))
}

/// Puts together what differs from what is generated.
fn payload(payload: Option<Value>, fields: &[Field]) -> Result<Option<Value>, Failure> {
    let mut payload = payload;
    for Field { path, value } in fields {
        let mut at = payload.get_or_insert_with(|| Value::Object(Map::new()));
        for name in path {
            at = at
                .as_object_mut()
                .ok_or_else(|| {
                    let path = path.join(".");
                    Exit::Usage
                        .with(format!("--field {path}: what should hold `{name}` is no object"))
                })?
                .entry(name.as_str())
                .or_insert_with(|| Value::Object(Map::new()));
        }
        *at = value.clone();
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_come_on_top_of_the_payload() {
        let fields: Vec<Field> =
            [r#"a.b="x""#, "a.c=[1]", "d=null"].iter().map(|text| text.parse().unwrap()).collect();
        let whole = payload(Some(json!({"a": {"b": 1, "z": 2}})), &fields).unwrap().unwrap();
        assert_eq!(whole, json!({"a": {"b": "x", "c": [1], "z": 2}, "d": null}));
        assert_eq!(payload(None, &[]).unwrap(), None);
        assert!(payload(Some(json!({"a": 1})), &fields).is_err());
        assert!(payload(Some(json!([])), &fields).is_err());
    }
}
