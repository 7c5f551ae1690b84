//! `aaa events tail --tui`: events on the whole terminal.
//!
//! `state` knows what keys and events do and `draw` how that looks; only this file touches the
//! terminal and the store.

mod draw;
mod state;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use aaa_store::SqliteReader;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use self::state::{Effect, Key, Notice, State};
use super::{PAGE, cannot_read, open, page, query, resend};
use crate::{
    cli::TailArgs,
    credentials::Credentials,
    exit::{Exit, Failure},
    forward::{Forwarder, secret},
    output, signals,
};

/// How often to look for events.
const LOOK: Duration = Duration::from_millis(200);

/// How many of those that are there are shown at the beginning.
const BEFORE: u64 = 200;

pub(super) async fn run(args: TailArgs, credentials: &Credentials) -> Result<(), Failure> {
    if !output::is_terminal() {
        let words = "--tui draws on a terminal, and stdout is none";
        return Err(Exit::Usage.with(words).advise("leave it out, or use --json for a program"));
    }
    let store = open(&args.store)?;
    let after = match args.after {
        Some(after) => after,
        None => {
            let stats = store.stats().await.map_err(|error| cannot_read(&error))?;
            stats.last_seq.unwrap_or(0).saturating_sub(BEFORE)
        }
    };
    let forwarder = match args.resend_to {
        Some(to) => {
            let again = format!("`{to}`");
            Some((Forwarder::new(to, secret(None, credentials)?)?, again))
        }
        None => None,
    };
    let mut query = query(after, args.filter);
    query.limit = PAGE;
    let failed = |error| Exit::Failed.of("could not draw on the terminal", error);
    let terminal = ratatui::try_init().map_err(failed)?;
    let keys = Keys::read();
    let view = View { store, forwarder, terminal, keys };
    let done = view.show(query).await;
    // Whatever happened, the terminal is as it was before.
    let restored = ratatui::try_restore().map_err(failed);
    done.and(restored)
}

struct View {
    store: SqliteReader,
    /// Who sends again, and where to, in words.
    forwarder: Option<(Forwarder, String)>,
    terminal: DefaultTerminal,
    keys: Keys,
}

impl View {
    async fn show(mut self, mut query: aaa_webhook::inbox::EventQuery) -> Result<(), Failure> {
        let mut signal = std::pin::pin!(signals::end());
        let (notices, mut noticed) = mpsc::unbounded_channel();
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let resends_to = self.forwarder.as_ref().map(|(_, to)| to.clone());
        let mut state = State::new(resends_to);
        loop {
            let draw = |frame: &mut ratatui::Frame<'_>| draw::draw(&mut state, frame);
            self.terminal
                .draw(draw)
                .map_err(|error| Exit::Failed.of("could not draw on the terminal", error))?;
            tokio::select! {
                _ = &mut signal => return Ok(()),
                key = self.keys.next() => match key.map(|key| state.key(key)) {
                    // Nobody can press a key any more.
                    None | Some(Effect::End) => return Ok(()),
                    Some(Effect::Resend(seq)) => self.resend(seq, notices.clone()),
                    Some(Effect::Nothing) => {}
                },
                Some(notice) = noticed.recv() => state.tell(notice),
                _ = looks.tick() => {
                    let page = page(&self.store, &query).await?;
                    if let Some(last) = page.last() {
                        query.after = last.seq;
                        state.arrived(page);
                    }
                }
            }
        }
    }

    fn resend(&self, seq: u64, notices: mpsc::UnboundedSender<Notice>) {
        let Some((forwarder, _)) = self.forwarder.clone() else { return };
        let store = self.store.clone();
        tokio::spawn(async move {
            let notice = match resend::one(&store, &forwarder, seq).await {
                Ok(words) => Notice::good(words),
                Err(failure) => Notice::bad(failure.to_string()),
            };
            let _ = notices.send(notice);
        });
    }
}

/// Reads keys in a thread of its own, since reading waits.
struct Keys {
    keys: mpsc::Receiver<Key>,
    ended: Arc<AtomicBool>,
}

impl Keys {
    fn read() -> Self {
        let (sender, keys) = mpsc::channel(16);
        let ended = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ended);
        tokio::task::spawn_blocking(move || {
            while !until.load(SeqCst) {
                match event::poll(LOOK) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(_) => return,
                }
                let key = match event::read() {
                    Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => meaning(key),
                    // The next picture has the new size.
                    Ok(Event::Resize(..)) => Some(Key::Other),
                    Ok(_) => None,
                    Err(_) => return,
                };
                if key.is_some_and(|key| sender.blocking_send(key).is_err()) {
                    return;
                }
            }
        });
        Self { keys, ended }
    }

    async fn next(&mut self) -> Option<Key> {
        self.keys.recv().await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.ended.store(true, SeqCst);
    }
}

fn meaning(key: KeyEvent) -> Option<Key> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c' | 'd') if control => Key::Interrupt,
        KeyCode::Char(_) if control => return None,
        KeyCode::Char(char) => Key::Char(char),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}
