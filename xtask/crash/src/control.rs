//! What the receivers that have to fail have in common: all but their inbox is as in `aaa listen`,
//! of whose options they take what they need.

#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::path::Path;

use aaa_webhook::{app::App, inbox::Inbox, receiver::Receiver, server::Server};

use crate::Failure;

/// Receives into what is made in the data directory, until it is killed.
///
/// # Errors
///
/// Fails when an option is missing or the address cannot be bound.
pub async fn receive<I: Inbox>(
    inbox: impl FnOnce(&Path) -> Result<I, Failure>,
) -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        let value = at.and_then(|at| arguments.get(at + 1));
        value.ok_or_else(|| format!("{name} is missing"))
    };
    let inbox = inbox(option("--data-dir")?.as_ref())?;
    let app = App::new("default", std::env::var("X_CONSUMER_SECRET")?.parse()?);
    let receiver = Receiver::new(inbox, app);
    let server = Server::bind(option("--bind")?.parse()?).await?;
    println!("listening on http://{}", server.local_addr());
    let status = receiver.status();
    server.serve(receiver.router(option("--path")?), status, std::future::pending()).await;
    Ok(())
}
