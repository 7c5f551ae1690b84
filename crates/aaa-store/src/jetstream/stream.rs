//! The stream and the bucket: what they have to be, and whether they are.

use std::time::Duration;

use async_nats::jetstream::{
    self,
    context::{GetStreamError, GetStreamErrorKind, RequestError, RequestErrorKind},
    stream::{Config, DiscardPolicy, Info, PersistenceMode, RetentionPolicy, StorageType, Stream},
};
use tokio::time::timeout;

use super::{
    NO_ANSWER, REQUEST,
    error::JetStreamError,
    message::Subjects,
    settings::{BESIDE_BODY, Keys, Replicas, Settings, days},
};

/// The stream of events as these settings want it.
fn events(settings: &Settings) -> Config {
    let (per_subject, window) = match settings.keys {
        Keys::Window => (-1, settings.window()),
        Keys::Subjects => (1, Duration::from_secs(120)),
    };
    Config {
        name: settings.stream.clone(),
        description: Some("Events that X delivered, one message each".to_owned()),
        subjects: vec![Subjects::all(&settings.stream)],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        discard_new_per_subject: settings.keys == Keys::Subjects,
        max_messages: -1,
        max_bytes: -1,
        max_messages_per_subject: per_subject,
        max_consumers: -1,
        max_age: settings.body_retention.unwrap_or_default(),
        max_message_size: -1,
        storage: StorageType::File,
        num_replicas: settings.replicas.count(),
        duplicate_window: window,
        ..Config::default()
    }
}

/// The bucket for what is shared beside the events: a stream as JetStream's key-value stores are.
/// It is read from its leader alone, so that nobody reads what is old.
fn bucket(settings: &Settings) -> Config {
    let name = bucket_name(settings);
    Config {
        name: format!("KV_{name}"),
        description: Some("Coverage, replays and cursors of the receivers".to_owned()),
        subjects: vec![format!("$KV.{name}.>")],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        max_messages: -1,
        max_bytes: -1,
        max_messages_per_subject: 1,
        max_consumers: -1,
        max_message_size: -1,
        storage: StorageType::File,
        num_replicas: settings.replicas.count(),
        allow_rollup: true,
        deny_delete: true,
        ..Config::default()
    }
}

pub(super) fn bucket_name(settings: &Settings) -> String {
    format!("{}-ledger", settings.stream)
}

/// Makes both where they are missing, and looks at those that are there.
pub(super) async fn ensure(
    context: &jetstream::Context,
    settings: &Settings,
) -> Result<(Stream, Stream), JetStreamError> {
    let server = context.client().server_info();
    let needed = settings.largest_body.saturating_add(BESIDE_BODY);
    if server.max_payload < needed {
        return Err(JetStreamError::Unfit {
            reason: format!(
                "its `max_payload` is {} bytes, and a delivery of {} with its headers needs {}: \
                 set `max_payload: 2MB` in its configuration",
                server.max_payload, settings.largest_body, needed,
            ),
        });
    }
    let (events, bucket) = (events(settings), bucket(settings));
    let mut found = find(context, &events.name).await?;
    let beside = find(context, &bucket.name).await?;
    if found.is_none() && beside.is_some() {
        // Another receiver may have made both since.
        found = find(context, &events.name).await?;
    }
    let is_used = |stream: &Option<Stream>| {
        stream.as_ref().is_some_and(|found| found.cached_info().state.last_sequence > 0)
    };
    let reason = match (&found, &beside) {
        (None, Some(_)) if is_used(&beside) => "the stream is gone",
        (Some(_), None) if is_used(&found) => "the bucket is gone",
        _ => "",
    };
    if !reason.is_empty() {
        let (stream, reason) = (settings.stream.clone(), reason.to_owned());
        return Err(JetStreamError::Apart { stream, reason });
    }
    let events = one(context, found, events, settings.replicas).await?;
    let bucket = one(context, beside, bucket, settings.replicas).await?;
    Ok((events, bucket))
}

/// Looks once more at both.
pub(super) async fn inspect(
    context: &jetstream::Context,
    settings: &Settings,
) -> Result<(), JetStreamError> {
    for wanted in [events(settings), bucket(settings)] {
        let Some(found) = find(context, &wanted.name).await? else {
            let (stream, reason) = (settings.stream.clone(), format!("`{}` is gone", wanted.name));
            return Err(JetStreamError::Apart { stream, reason });
        };
        safe(wanted, found)?;
    }
    Ok(())
}

async fn find(context: &jetstream::Context, name: &str) -> Result<Option<Stream>, JetStreamError> {
    // While there is no connection, a request waits for one.
    let error = match timeout(REQUEST, context.get_stream(name)).await {
        Ok(Ok(stream)) => return Ok(Some(stream)),
        Ok(Err(error)) => error,
        Err(_) => return Err(JetStreamError::failed("look at the stream", NO_ANSWER)),
    };
    match error.kind() {
        GetStreamErrorKind::JetStream(answer) if answer.code() == 404 => Ok(None),
        GetStreamErrorKind::Request if is_unanswered(&error) => Err(JetStreamError::Unfit {
            reason:
                "JetStream is not enabled: start it with `-js`, or with a `jetstream` block in \
                     its configuration"
                    .to_owned(),
        }),
        _ => Err(JetStreamError::failed("look at the stream", error)),
    }
}

async fn one(
    context: &jetstream::Context,
    found: Option<Stream>,
    wanted: Config,
    replicas: Replicas,
) -> Result<Stream, JetStreamError> {
    let found = match found {
        Some(found) => found,
        None => {
            let made = context.create_stream(wanted.clone()).await;
            made.map_err(|error| not_made(&error.to_string(), replicas))?
        }
    };
    safe(wanted, found)
}

fn safe(wanted: Config, found: Stream) -> Result<Stream, JetStreamError> {
    let problems = problems(&wanted, found.cached_info());
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(JetStreamError::Unsafe { stream: wanted.name, problems })
    }
}

/// Says whether nobody listens for requests to JetStream; the client keeps that as a source.
fn is_unanswered(error: &GetStreamError) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        if let Some(request) = error.downcast_ref::<RequestError>() {
            return request.kind() == RequestErrorKind::NoResponders;
        }
        source = error.source();
    }
    false
}

fn not_made(reason: &str, replicas: Replicas) -> JetStreamError {
    let hint = match replicas {
        Replicas::One => "",
        Replicas::Three => {
            "; three replicas need a cluster of three servers, and a single one keeps only what \
             survives its process"
        }
    };
    JetStreamError::Failed { action: "make the stream", reason: format!("{reason}{hint}") }
}

/// Says what of a stream would lose events or let them in twice.
fn problems(wanted: &Config, found: &Info) -> Vec<String> {
    let found = &found.config;
    let mut problems = Vec::new();
    let mut bad = |is_bad: bool, words: &str| {
        if is_bad {
            problems.push(words.to_owned());
        }
    };
    bad(
        found.retention != RetentionPolicy::Limits,
        "its retention is not `limits`, so what one consumer has read is forgotten, with its key",
    );
    bad(
        found.discard != DiscardPolicy::New,
        "it discards old messages when it is full, not new ones (`discard: new`), so stored events \
         disappear",
    );
    bad(found.storage != StorageType::File, "it is kept in memory, not in files");
    bad(found.no_ack, "it acknowledges nothing (`no_ack`)");
    bad(
        found.persist_mode == Some(PersistenceMode::Async),
        "it acknowledges what is not written yet (`persist_mode: async`)",
    );
    bad(found.sealed, "it is sealed");
    bad(found.mirror.is_some(), "it is a mirror of another stream");
    bad(
        found.sources.as_ref().is_some_and(|sources| !sources.is_empty()),
        "it takes messages from other streams",
    );
    bad(found.max_message_size > 0, "it limits the size of a message (`max_msg_size`)");
    if wanted.num_replicas > found.num_replicas {
        problems.push(format!(
            "it has {} replica, and {} are asked for",
            found.num_replicas, wanted.num_replicas
        ));
    }
    if found.max_messages_per_subject.max(-1) != wanted.max_messages_per_subject {
        problems.push(format!(
            "it keeps {} messages per subject (`max_msgs_per_subject`), and {} are needed here",
            found.max_messages_per_subject, wanted.max_messages_per_subject
        ));
    }
    if found.discard_new_per_subject != wanted.discard_new_per_subject {
        problems.push(format!(
            "`discard_new_per_subject` is {}, and keys are kept otherwise here",
            found.discard_new_per_subject
        ));
    }
    if found.duplicate_window < wanted.duplicate_window {
        problems.push(format!(
            "it knows copies for {} (`duplicate_window`), and {} are needed",
            days(found.duplicate_window),
            days(wanted.duplicate_window),
        ));
    }
    let needed = wanted.duplicate_window.max(wanted.max_age);
    if !found.max_age.is_zero() && (wanted.max_age.is_zero() || found.max_age < needed) {
        problems.push(format!(
            "it removes messages after {} (`max_age`), and they are to be kept {}",
            days(found.max_age),
            if wanted.max_age.is_zero() { "for ever".to_owned() } else { days(needed) },
        ));
    }
    for subject in &wanted.subjects {
        if !found.subjects.contains(subject) {
            problems.push(format!("it does not take `{subject}`"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(change: impl FnOnce(&mut Config)) -> Vec<String> {
        let wanted = events(&Settings::default());
        let mut config = wanted.clone();
        change(&mut config);
        let info = serde_json::json!({
            "config": config,
            "created": "2025-11-22T04:13:00Z",
            "state": {
                "messages": 0, "bytes": 0, "first_seq": 0, "first_ts": "2025-11-22T04:13:00Z",
                "last_seq": 0, "last_ts": "2025-11-22T04:13:00Z", "consumer_count": 0,
            },
            "cluster": null,
        });
        problems(&wanted, &serde_json::from_value(info).unwrap())
    }

    #[test]
    fn what_is_unsafe_is_named() {
        assert_eq!(found(|_| {}), [] as [String; 0]);
        // More is no danger.
        assert_eq!(found(|c| c.num_replicas = 5), [] as [String; 0]);
        assert_eq!(found(|c| c.duplicate_window *= 2), [] as [String; 0]);
        let changes: [fn(&mut Config); 14] = [
            |c| c.retention = RetentionPolicy::WorkQueue,
            |c| c.discard = DiscardPolicy::Old,
            |c| c.storage = StorageType::Memory,
            |c| c.no_ack = true,
            |c| c.persist_mode = Some(PersistenceMode::Async),
            |c| c.sealed = true,
            |c| c.sources = Some(vec![Default::default()]),
            |c| c.max_message_size = 1024,
            |c| c.num_replicas = 1,
            |c| c.max_messages_per_subject = 1,
            |c| c.discard_new_per_subject = true,
            |c| c.duplicate_window = Duration::from_secs(120),
            |c| c.max_age = Duration::from_secs(86_400),
            |c| c.subjects = vec!["other.>".to_owned()],
        ];
        let named: Vec<_> = changes.into_iter().map(|change| found(change).join("; ")).collect();
        insta::assert_snapshot!(named.join("\n"), @"
        its retention is not `limits`, so what one consumer has read is forgotten, with its key
        it discards old messages when it is full, not new ones (`discard: new`), so stored events disappear
        it is kept in memory, not in files
        it acknowledges nothing (`no_ack`)
        it acknowledges what is not written yet (`persist_mode: async`)
        it is sealed
        it takes messages from other streams
        it limits the size of a message (`max_msg_size`)
        it has 1 replica, and 3 are asked for
        it keeps 1 messages per subject (`max_msgs_per_subject`), and -1 are needed here
        `discard_new_per_subject` is true, and keys are kept otherwise here
        it knows copies for 120 s (`duplicate_window`), and 8 days 1 h are needed
        it removes messages after 1 day (`max_age`), and they are to be kept for ever
        it does not take `aaa.>`
        ");
    }
}
