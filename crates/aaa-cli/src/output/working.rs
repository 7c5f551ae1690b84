//! A sign that something is going on, for a person at a terminal.

use std::{io::IsTerminal, time::Duration};

use tokio::task::JoinHandle;

/// What takes less than this needs no sign.
const SOON: Duration = Duration::from_millis(300);

/// From one picture to the next.
const TURN: Duration = Duration::from_millis(120);

const PICTURES: [&str; 8] = ["⠇", "⠋", "⠙", "⠸", "⢰", "⣠", "⣄", "⡆"];

/// Turns until it ends or is dropped; then its line is empty again.
pub(crate) struct Working {
    task: Option<JoinHandle<()>>,
}

impl Working {
    /// Begins to show what is being done. Without a terminal nothing is shown.
    pub(crate) fn begin(what: impl Into<String>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { task: None };
        }
        let what = super::printable(&what.into());
        let task = tokio::spawn(async move {
            tokio::time::sleep(SOON).await;
            for picture in PICTURES.iter().cycle() {
                super::bar(&format!("{picture} {what}"));
                tokio::time::sleep(TURN).await;
            }
        });
        Self { task: Some(task) }
    }

    /// Ends it.
    pub(crate) fn end(self) {}
}

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            super::bar("");
        }
    }
}
