//! Two consumers of one receiver: a handler that sees each event, and a sink that hands whole
//! deliveries on, here into a file. Both go on where they were, whenever the program is started
//! again.
//!
//! ```sh
//! cargo run --example forwarding -p examples                # an emulated X calls
//! X_CONSUMER_SECRET=… cargo run --example forwarding -p examples -- 127.0.0.1:8080
//! ```

#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::{error::Error, fs::File, io::Write};

use aaa_store::{Settings, SqliteStore};
use aaa_types::event::Event;
use aaa_webhook::{
    app::App,
    consumer::{Consumer, Failed, Sink, StoredDelivery},
    inbox::StoredEvent,
    receiver::Receiver,
    server::Server,
};
use tokio::sync::watch;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let place = examples::Place::find()?;
    let store = SqliteStore::open(place.directory, Settings::default())?;
    let receiver = Receiver::new(store.clone(), App::new("default", place.secret.clone()));
    let server = Server::bind(place.bind.parse()?).await?;
    let url = format!("http://{}/webhooks/twitter", server.local_addr());
    println!("listening on {url}");

    // Each has a name, under which the store keeps how far it is.
    let bot = Consumer::new("bot".parse()?, store.clone(), handle);
    let archive = File::options().create(true).append(true).open("deliveries.jsonl")?;
    let archive = Consumer::of_deliveries("archive".parse()?, store.clone(), Archive(archive));

    let (router, status) = (receiver.clone().router("/webhooks/twitter"), receiver.status());
    let ctrl_c = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    // Consumers are told to end, and waited for: one that is merely dropped has, for all that the
    // store knows, died with what it had in hand.
    let (end, ended) = watch::channel(());
    let serving = async {
        let served = tokio::select! {
            () = server.serve(router, status, ctrl_c) => Ok(()),
            called = place.calls(url) => called,
        };
        drop(end);
        served
    };
    let handling =
        async { Ok::<_, Failure>(bot.run(store.subscribe(), closed(ended.clone())).await?) };
    let archiving =
        async { Ok::<_, Failure>(archive.run(store.subscribe(), closed(ended.clone())).await?) };
    tokio::try_join!(serving, handling, archiving)?;
    store.close().await?;
    Ok(())
}

/// Waits until whoever tells the end is gone.
async fn closed(mut ended: watch::Receiver<()>) {
    while ended.changed().await.is_ok() {}
}

/// Handles one event. Events of one user come one after another; what fails comes again.
async fn handle(event: StoredEvent) -> Result<(), Failed> {
    match Event::decode(&event.kind, event.payload.get()) {
        Event::DirectMessage(message) => {
            let text = message.message_create.message_data.text;
            // Whoever answers here keeps the key with the answer, and so never answers twice.
            println!("handled {}: {}", event.key, text.unwrap_or_default());
        }
        _ => println!("handled {}", event.key),
    }
    Ok(())
}

/// Appends the body of each delivery to a file.
struct Archive(File);

impl Sink for Archive {
    async fn send(&self, delivery: StoredDelivery) -> Result<(), Failed> {
        // Bodies hold no line breaks that matter: JSON escapes those in its strings.
        let mut line = String::from_utf8_lossy(delivery.body()).replace(['\r', '\n'], " ");
        line.push('\n');
        (&self.0).write_all(line.as_bytes())?;
        self.0.sync_data()?;
        println!("archived {}", delivery.first().key);
        Ok(())
    }
}
