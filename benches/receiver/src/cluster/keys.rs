//! How much memory a server needs for a key.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{
        self,
        stream::{Config, StorageType},
    },
};
use load::usage;
use nats_servers::{PAYLOAD, Servers};

use crate::Failure;

/// How many keys there are before anything is looked at: what a server takes at its start and for
/// its first messages is not counted.
const FIRST: u32 = 200_000;

/// How many there are then.
const MORE: u32 = 1_000_000;

/// How many are under way at once.
const AT_ONCE: u32 = 2_000;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Has a server remember a million keys more, whose messages have no bodies, and returns by how many
/// bytes each of them made it grow.
pub(super) async fn measure() -> Result<Option<f64>, Failure> {
    let servers = Servers::start(1, PAYLOAD)?;
    let context = jetstream::new(async_nats::connect(servers.urls(0)).await?);
    let config = Config {
        name: "keys".to_owned(),
        subjects: vec!["keys".to_owned()],
        storage: StorageType::File,
        duplicate_window: DAY,
        max_age: DAY,
        ..Config::default()
    };
    context.create_stream(config).await?;
    let mut seen = Vec::new();
    for range in [0..FIRST, FIRST..FIRST + MORE] {
        for number in range {
            let mut headers = HeaderMap::new();
            // As long as the key of an event.
            headers.insert("Nats-Msg-Id", format!("{number:032x}"));
            let last = (number + 1).is_multiple_of(AT_ONCE);
            let sent = context.publish_with_headers("keys", headers, "".into()).await?;
            if last {
                // The server answers in order, so all before it are there too.
                sent.await?;
            }
        }
        seen.push(servers.id(0).and_then(usage::memory));
    }
    let [Some(before), Some(after)] = seen.as_slice() else { return Ok(None) };
    Ok(Some((after - before) * 1024.0 * 1024.0 / f64::from(MORE)))
}
