//! A bot that answers the direct messages of the app's owner.
//!
//! ```sh
//! cargo run --example direct_message_bot -p examples               # an emulated X, where user 8 writes
//! X_CONSUMER_KEY=… X_CONSUMER_SECRET=… X_ACCESS_TOKEN=… X_ACCESS_TOKEN_SECRET=… X_BEARER_TOKEN=… \
//!     cargo run --example direct_message_bot -p examples -- 127.0.0.1:8080 https://your.example/webhooks/twitter
//! ```

#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::env;

use aaa_client::{ApiVersion, UserClient};
use aaa_store::{Settings, SqliteStore};
use aaa_types::{
    UserId,
    api::NewDirectMessage,
    event::Event,
    payload::{DirectMessage, Direction},
};
use aaa_webhook::{
    app::App,
    consumer::{Consumer, Failed, Handler},
    inbox::StoredEvent,
    receiver::Receiver,
    server::Server,
};
use examples::{Account, Failure, emulated_user};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

/// Nobody wants an answer to what was replayed hours later.
const TOO_LATE: SignedDuration = SignedDuration::from_mins(30);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let account = Account::find().await?;
    let directory = if account.emulator().is_some() { "aaa-example-data" } else { "aaa-data" };
    let store = SqliteStore::open(directory, Settings::default())?;
    let app = App::new("default", account.found.require_consumer_secret()?.clone());
    let receiver = Receiver::new(store.clone(), app);
    let bind = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let server = Server::bind(bind.parse()?).await?;
    let local = format!("http://{}/webhooks/twitter", server.local_addr());
    let url = env::args().nth(2).unwrap_or(local);

    let owner = account.found.require_owner()?.clone();
    let me = owner.user_id().ok_or("the access token does not begin with its user's id")?;
    let client = account.client(ApiVersion::V2)?;
    let user = client.user(owner);
    let bot = Bot { me, user: user.clone() };
    let answers = Consumer::new("bot".parse()?, store.clone(), bot);

    let (router, status) = (receiver.clone().router("/webhooks/twitter"), receiver.status());
    let ctrl_c = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    let begin = async {
        // X calls the URL at once, so the server runs by now.
        let webhook = client.app().ensure_webhook(&url.parse()?).await?.webhook;
        user.ensure_subscription(webhook.id).await?;
        println!("user {me} answers messages at {url}");
        if account.emulator().is_some() {
            let writer = client.user(emulated_user(8)?);
            for text in ["help", "How is the snow?", "thanks"] {
                writer.send_direct_message(me, &NewDirectMessage::text(text)?).await?;
            }
        }
        std::future::pending::<Result<(), Failure>>().await
    };
    // The bot is told to end, and waited for: an answer that is under way is sent, and not once more
    // at the next start.
    let (end, ended) = oneshot::channel::<()>();
    let serving = async {
        let served = tokio::select! {
            () = server.serve(router, status, ctrl_c) => Ok(()),
            begun = begin => begun,
        };
        drop(end);
        served
    };
    let answering = async {
        let ended = async { ended.await.unwrap_or_default() };
        Ok::<_, Failure>(answers.run(store.subscribe(), ended).await?)
    };
    tokio::try_join!(serving, answering)?;
    store.close().await?;
    Ok(())
}

struct Bot {
    me: UserId,
    user: UserClient,
}

impl Handler for Bot {
    /// Answers one message. What fails comes again, later and in the same order; after a crash the
    /// last answers may be sent twice, since X has no way to say "only once".
    async fn handle(&self, event: StoredEvent) -> Result<(), Failed> {
        let me = self.me.to_string();
        let Event::DirectMessage(message) = Event::decode(&event.kind, event.payload.get()) else {
            return Ok(());
        };
        // A message is delivered for each subscribed user of the conversation; what the bot itself
        // sends comes back, too.
        let is_for_me = event.for_user_id.as_deref() == Some(&me);
        if !is_for_me || message.direction(&me) != Some(Direction::Received) || is_late(&message) {
            return Ok(());
        }
        let sender = message.message_create.sender_id.parse().map_err(Failed::poison)?;
        let text = message.message_create.message_data.text.unwrap_or_default();
        let answer = answer(&text);
        let message = NewDirectMessage::text(answer).map_err(Failed::poison)?;
        match self.user.send_direct_message(sender, &message).await {
            Ok(_) => println!("{sender}: {text:?} -> {answer:?}"),
            Err(error) if error.is_retryable() => return Err(Failed::unavailable(error)),
            Err(error) => return Err(Failed::poison(error)),
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the bot lives now")]
fn is_late(message: &DirectMessage) -> bool {
    let age = |sent| Timestamp::now().duration_since(sent);
    message.created_at().is_none_or(|sent| age(sent) > TOO_LATE)
}

fn answer(text: &str) -> &'static str {
    let text = text.to_lowercase();
    if text.contains("snow") {
        "Fresh powder above 1,800 m."
    } else if text.contains("thank") {
        "You are welcome."
    } else {
        "Ask me about the snow."
    }
}
