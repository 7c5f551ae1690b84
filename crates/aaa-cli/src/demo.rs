//! `aaa demo`: the whole story on loopback.
//!
//! Nothing is made up: X is the emulator, the receiver is `aaa listen` in a process of its own
//! with SQLite in a temporary directory, it dies by a real SIGKILL, and every number comes from
//! the emulator's ledger and from the inbox.

mod act;
mod child;
mod stage;
mod story;
mod summary;

use crate::{
    cli::{DemoArgs, Recover},
    demo::{stage::Stage, story::Story, summary::Summary},
    exit::{Exit, Failure},
    signals,
};

pub(crate) async fn run(args: DemoArgs) -> Result<(), Failure> {
    let story = Story::new(args.json);
    let signal = signals::end();
    let mut stage = Stage::set(story, args.recover).await?;
    let told = tokio::select! {
        told = tell(&mut stage) => told,
        signal = signal => {
            stage.interrupt().await?;
            return Err(Exit::Failed.with(signal));
        }
    };
    let ended = stage.clear(told.is_err()).await;
    let summary = told?;
    ended?;
    story.end(&summary)?;
    if summary.lost > 0 {
        let words = format!("{} events are lost", summary.lost);
        return Err(Exit::Lost.with(words));
    }
    summary.check().map_err(|why| Exit::Failed.with(why))
}

/// The acts in their order.
async fn tell(stage: &mut Stage) -> Result<Summary, Failure> {
    stage.start_receiver().await?;
    stage.register().await?;
    stage.subscribe().await?;
    stage.live().await?;
    stage.kill_in_flight().await?;
    stage.miss().await?;
    stage.restart().await?;
    stage.let_time_pass().await?;
    if stage.recover() == Recover::Auto {
        stage.wait_for_recovery().await?;
    }
    stage.count().await
}
