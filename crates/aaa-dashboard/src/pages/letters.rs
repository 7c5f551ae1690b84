//! What could not be handled, and by whom.

use std::{fmt, sync::Arc};

use aaa_webhook::consumer::{
    ConsumerName, Cursor, CursorError, DeadLetter, DeadLetterQuery, WhichLetters,
};
use axum::{
    extract::State,
    response::{Html, Response},
};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::{Asked, Tab, empty, framed, shown};
use crate::{
    answer::Refused,
    shared::{self, Shared},
    words,
};

/// How many letters of a consumer are shown at once, and how many are counted.
const SHOWN: usize = 100;

/// What is asked for in the address: the letters of one consumer behind one of them, or the first
/// ones of all.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    consumer: String,
    #[serde(default)]
    after: String,
}

pub(crate) async fn page(
    State(shared): State<Arc<Shared>>,
    Asked(wanted): Asked<Wanted>,
) -> Response {
    let content = page_of(&shared, &wanted).await;
    shown(&shared, content)
}

/// How many dead letters there are, as far as they were counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    counted: u64,
    more: bool,
}

impl Count {
    fn add(&mut self, letters: &[DeadLetter]) {
        self.counted += letters.len().min(SHOWN) as u64;
        self.more |= letters.len() > SHOWN;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", words::count(self.counted), if self.more { "+" } else { "" })
    }
}

/// Counts the dead letters that are there: those that became some, whatever was done later, is
/// what a consumer counts.
pub(super) async fn count(shared: &Shared) -> Result<Count, CursorError> {
    let mut sum = Count::default();
    for (consumer, _) in shared.store.cursors().await? {
        sum.add(&letters(shared, &consumer, 0).await?);
    }
    Ok(sum)
}

/// Returns those behind a number, and one more than are shown if there are more.
async fn letters(
    shared: &Shared,
    consumer: &ConsumerName,
    after: u64,
) -> Result<Vec<DeadLetter>, CursorError> {
    let (limit, which) = (SHOWN + 1, WhichLetters::All);
    let query = DeadLetterQuery { consumer: consumer.clone(), after, limit, which };
    shared.store.dead_letters(query).await
}

async fn page_of(shared: &Shared, wanted: &Wanted) -> Result<Html<String>, Refused> {
    let last = shared.last().await?;
    let after: u64 = match wanted.after.as_str() {
        "" => 0,
        text => text.parse().map_err(|_| Refused::wrong("`after` is the number of an event"))?,
    };
    let mut consumers = shared.store.cursors().await?;
    if !wanted.consumer.is_empty() {
        consumers.retain(|(name, _)| name.as_str() == wanted.consumer);
        if consumers.is_empty() {
            return Err(Refused::missing("There is no such consumer."));
        }
    } else if after > 0 {
        return Err(Refused::wrong("`after` needs a `consumer`, whose letters those are"));
    }
    let mut found = Vec::new();
    for (name, cursor) in consumers {
        let letters = letters(shared, &name, after).await?;
        found.push((name, cursor, letters));
    }
    let now = shared::now(None).wall;
    let content = html! {
        div #letters data-live="5" {
            @if found.is_empty() {
                section.card { (empty("No consumer has read from this store yet, so nothing could fail.")) }
            }
            @for (name, cursor, letters) in &found {
                section.card {
                    h2 { bdi { (name) } }
                    (progress(cursor, last))
                    @if letters.is_empty() {
                        (empty(if after == 0 { "It has no dead letters." } else { "It has no more dead letters." }))
                    } @else {
                        (table(shared, name, letters, now))
                    }
                    (pages(shared, name, letters, wanted))
                }
            }
        }
    };
    Ok(framed(shared, Tab::Letters, "Dead letters", content))
}

/// Leads to the next letters of a consumer, and back.
fn pages(shared: &Shared, name: &ConsumerName, letters: &[DeadLetter], wanted: &Wanted) -> Markup {
    let next = letters.get(..SHOWN).filter(|_| letters.len() > SHOWN).and_then(<[_]>::last);
    html! {
        nav.pages aria-label=(format!("Dead letters of {name}")) {
            @if !wanted.after.is_empty() { a href=(shared.at("/dead-letters")) { "First" } }
            @if let Some(next) = next {
                a href=(shared.at(&format!("/dead-letters?consumer={name}&after={}", next.seq))) rel="next" { "Next" }
            }
        }
    }
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
        form data-post=(action) {
            input type="hidden" name="consumer" value=(consumer);
            button data-confirm=(format!("Have all dead letters of {consumer} tried again?")) { "Try all again" }
        }
    }
}
