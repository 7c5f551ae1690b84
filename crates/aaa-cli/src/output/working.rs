//! A sign that something is going on, for a person at a terminal.

use std::{
    io::IsTerminal,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::task::JoinHandle;

/// What takes less than this needs no sign.
const SOON: Duration = Duration::from_millis(300);

/// From one picture to the next.
const TURN: Duration = Duration::from_millis(120);

/// How long clearing the line may take.
const CLEARED: Duration = Duration::from_millis(200);

const PICTURES: [&str; 8] = ["⠇", "⠋", "⠙", "⠸", "⢰", "⣠", "⣄", "⡆"];

/// Turns until it ends or is dropped; then its line is empty again.
pub(crate) struct Working(Option<Turning>);

struct Turning {
    task: JoinHandle<()>,
    ended: Arc<Mutex<bool>>,
}

impl Working {
    /// Begins to show what is being done. Without a terminal nothing is shown. Nothing else may be
    /// told until it ends.
    pub(crate) fn begin(what: impl Into<String>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let what = super::printable(&what.into());
        let ended = Arc::new(Mutex::new(false));
        let task = tokio::spawn({
            let ended = Arc::clone(&ended);
            async move {
                tokio::time::sleep(SOON).await;
                for picture in PICTURES.iter().cycle() {
                    // No picture comes after the end, whichever thread this is.
                    {
                        let ended = lock(&ended);
                        if *ended {
                            return;
                        }
                        super::bar(&format!("{picture} {what}"));
                    }
                    tokio::time::sleep(TURN).await;
                }
            }
        });
        Self(Some(Turning { task, ended }))
    }

    /// Ends it.
    pub(crate) fn end(self) {}
}

impl Drop for Working {
    fn drop(&mut self) {
        let Some(Turning { task, ended }) = self.0.take() else { return };
        let mut ended = lock(&ended);
        *ended = true;
        task.abort();
        super::bar("");
        // What is printed next goes another way, and must not be written into the picture.
        super::stderr::flush(CLEARED);
    }
}

fn lock(ended: &Mutex<bool>) -> MutexGuard<'_, bool> {
    ended.lock().unwrap_or_else(PoisonError::into_inner)
}
