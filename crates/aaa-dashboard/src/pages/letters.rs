//! What could not be handled, and by whom.

use std::sync::Arc;

use aaa_webhook::consumer::{
    ConsumerName, Cursor, CursorError, DeadLetter, DeadLetterQuery, WhichLetters,
};
use axum::{
    extract::State,
    response::{Html, Response},
};
use jiff::Timestamp;
use maud::{Markup, html};

use super::{Tab, empty, framed, shown};
use crate::{
    answer::Refused,
    shared::{self, Shared},
    words,
};

/// How many letters of a consumer are shown.
const SHOWN: usize = 100;

pub(crate) async fn page(State(shared): State<Arc<Shared>>) -> Response {
    let content = page_of(&shared).await;
    shown(&shared, content)
}

/// Counts the dead letters that are there: those that became some, whatever was done later, is
/// what a consumer counts.
pub(super) async fn count(shared: &Shared) -> Result<u64, CursorError> {
    let mut sum = 0;
    for (consumer, _) in shared.store.cursors().await? {
        sum += letters(shared, &consumer).await?.len() as u64;
    }
    Ok(sum)
}

async fn letters(shared: &Shared, consumer: &ConsumerName) -> Result<Vec<DeadLetter>, CursorError> {
    let (limit, which) = (SHOWN + 1, WhichLetters::All);
    let query = DeadLetterQuery { consumer: consumer.clone(), after: 0, limit, which };
    shared.store.dead_letters(query).await
}

async fn page_of(shared: &Shared) -> Result<Html<String>, Refused> {
    let last = shared.last().await?;
    let mut consumers = Vec::new();
    for (name, cursor) in shared.store.cursors().await? {
        let letters = letters(shared, &name).await?;
        consumers.push((name, cursor, letters));
    }
    let now = shared::now(None).wall;
    let content = html! {
        div #letters data-live="5" {
            @if consumers.is_empty() {
                section.card { (empty("No consumer has read from this store yet, so nothing could fail.")) }
            }
            @for (name, cursor, letters) in &consumers {
                section.card {
                    h2 { bdi { (name) } }
                    (progress(cursor, last))
                    @if letters.is_empty() {
                        (empty("It has no dead letters."))
                    } @else {
                        (table(shared, name, letters, now))
                    }
                }
            }
        }
    };
    Ok(framed(shared, Tab::Letters, "Dead letters", content))
}

fn progress(cursor: &Cursor, last: u64) -> Markup {
    let totals = cursor.totals;
    html! {
        p.faint {
            (words::counted(totals.handled, "event", "events")) " handled, "
            (words::count(cursor.progress.unfinished(last))) " to go, "
            (words::count(totals.stale)) " stale; "
            (words::count(totals.dead)) " ever became a dead letter."
        }
    }
}

fn table(
    shared: &Shared,
    consumer: &ConsumerName,
    letters: &[DeadLetter],
    now: Timestamp,
) -> Markup {
    let action = shared.at("/dead-letters/redrive");
    html! {
        div.wide {
            table {
                thead { tr { th.number { "Seq" } th { "Failed" } th.number { "Attempts" } th { "Why" } th { "Key" } th.end { span.hidden { "Change" } } } }
                tbody {
                    @for letter in letters.iter().take(SHOWN) {
                        tr {
                            td.number { a href=(shared.at(&format!("/events/{}", letter.seq))) { (letter.seq) } }
                            td { (words::short(letter.last_failed_at, now)) }
                            td.number { (letter.attempts) }
                            td.reason { bdi { (letter.reason) } }
                            td.key { bdi { (letter.key.as_deref().unwrap_or("not stored any more")) } }
                            td.end {
                                @if letter.redrive {
                                    span.pill.later { "to be tried again" }
                                } @else {
                                    form.inline data-post=(action) {
                                        input type="hidden" name="consumer" value=(consumer);
                                        input type="hidden" name="first" value=(letter.seq);
                                        input type="hidden" name="last" value=(letter.seq);
                                        button.quiet aria-label=(format!("Try event {} again", letter.seq)) { "Try again" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if letters.len() > SHOWN { p.note { "Only the first " (SHOWN) " are shown." } }
        form data-post=(action) {
            input type="hidden" name="consumer" value=(consumer);
            button data-confirm=(format!("Have all dead letters of {consumer} tried again?")) { "Try all again" }
        }
    }
}
