//! The file in which an emulator keeps what it knows.

use std::{
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use aaa_emulator::{Emulator, control::Snapshot};

use crate::{
    exit::{Exit, Failure},
    output,
};

/// How long it is between two looks whether something has changed.
const PERIOD: Duration = Duration::from_secs(5);

/// A file that is always whole: it is written beside its place and then put there.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
}

impl StateFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Reads what was kept; nothing, if there is no file yet.
    pub(super) fn load(&self) -> Result<Option<Snapshot>, Failure> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failure("cannot be read", error)),
        };
        let snapshot = serde_json::from_slice(&text).map_err(|error| {
            self.failure("is no state of an emulator", error)
                .advise("move it away to begin anew, or name another file")
        })?;
        Ok(Some(snapshot))
    }

    /// Writes what has changed since so many changes, for as long as the emulator runs. That it
    /// cannot is told, once.
    pub(super) async fn keep(&self, emulator: &Emulator, mut kept: u64) -> Infallible {
        let mut was_told = false;
        let mut every = tokio::time::interval(PERIOD);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let changes = emulator.changes();
            if changes == kept {
                continue;
            }
            match self.save(emulator).await {
                Ok(()) => kept = changes,
                Err(failure) if !was_told => {
                    output::note(format_args!("{failure}; it is tried again"));
                    was_told = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Writes everything.
    pub(super) async fn save(&self, emulator: &Emulator) -> Result<(), Failure> {
        let snapshot = emulator.export();
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || write(&path, &snapshot)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|error| self.failure("cannot be written", error))
    }

    fn failure(&self, what: &str, error: impl std::fmt::Display) -> Failure {
        Exit::Failed.of(&format!("the state in {} {what}", self.path.display()), error)
    }
}

/// Nobody else reads it: there are direct messages in it.
fn write(path: &Path, snapshot: &Snapshot) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    let mut writer = io::BufWriter::new(file.as_file_mut());
    serde_json::to_writer(&mut writer, snapshot)?;
    io::Write::flush(&mut writer)?;
    drop(writer);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
