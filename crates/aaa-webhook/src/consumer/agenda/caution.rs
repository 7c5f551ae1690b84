//! Finds the event whose handler ends the whole process.
//!
//! A failure that nobody lives to tell of leaves no trace but an opening that was never followed
//! by an end. So each opening counts as a death until a save says otherwise, which costs nothing:
//! the saves are there anyhow. Only when the process died again and again without the cursor
//! moving, whatever may have been in flight is tried alone, and noted in the store before.

use super::super::storage::{Cursor, Trial};

/// After so many deaths without the cursor moving, items are tried alone.
const DEATHS: u32 = 2;

/// An item that the process died of so often, alone, becomes a dead letter.
const TRIALS: u32 = 2;

/// What is known and suspected of deaths.
#[derive(Debug)]
pub(super) struct Caution {
    /// How often the process died before this run, and where the cursor stood.
    deaths: u32,
    cursor: u64,
    /// How many of the events that are read next may have been in flight when it died.
    doubtful: usize,
    /// What it died of, as far as that is known.
    suspect: Option<Trial>,
    /// What is to be tried now, and whether the store knows.
    trial: Option<(Trial, Noted)>,
    alone: bool,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noted {
    No,
    Saving,
    Yes,
}

impl Caution {
    /// Looks at what the runs before left. `window` is how many unfinished events they knew,
    /// about.
    pub(super) fn new(cursor: &Cursor, window: usize) -> Self {
        let careful = cursor.deaths >= DEATHS || cursor.trial.is_some();
        Self {
            deaths: cursor.deaths,
            cursor: cursor.progress.cursor(),
            // A page and what had ended without being noted come on top.
            doubtful: if careful { window.saturating_mul(2).saturating_add(1024) } else { 0 },
            suspect: cursor.trial,
            trial: None,
            alone: false,
            ended: false,
        }
    }

    /// Says whether what is read now may have been in flight.
    pub(super) fn is_careful(&self) -> bool {
        self.doubtful > 0
    }

    /// Says whether an item that was just read may have been in flight.
    pub(super) fn doubts(&mut self, events: usize) -> bool {
        let doubts = self.doubtful > 0;
        self.doubtful = self.doubtful.saturating_sub(events);
        doubts
    }

    /// Learns that everything was read that there was.
    pub(super) fn all_read(&mut self) {
        self.doubtful = 0;
    }

    /// Says whether something is being tried alone.
    pub(super) fn is_alone(&self) -> bool {
        self.alone
    }

    /// Says whether a doubtful item may begin, which is when the store knows of it. If not, that
    /// has to be saved first.
    pub(super) fn may_try(&mut self, seq: u64) -> bool {
        match &self.trial {
            Some((trial, noted)) if trial.seq == seq => *noted == Noted::Yes,
            _ => {
                let before = self.suspect.filter(|suspect| suspect.seq == seq);
                let deaths = before.map_or(0, |suspect| suspect.deaths).saturating_add(1);
                self.trial = Some((Trial { seq, deaths }, Noted::No));
                false
            }
        }
    }

    /// Learns that a doubtful item begins.
    pub(super) fn begins(&mut self) {
        self.alone = true;
    }

    /// Learns that an attempt of a doubtful item ended, and the process lives.
    pub(super) fn survived(&mut self, seq: u64) {
        self.alone = false;
        self.trial = None;
        self.suspect = self.suspect.filter(|suspect| suspect.seq != seq);
    }

    /// Returns what the process died of too often.
    pub(super) fn hopeless(&self) -> Option<Trial> {
        self.suspect.filter(|suspect| suspect.deaths >= TRIALS)
    }

    /// Learns that it is not tried any more.
    pub(super) fn gave_up(&mut self) {
        self.suspect = None;
    }

    /// Learns that the run ends as it should.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Returns what the next opening shall find if this run says nothing more. `free` tells that
    /// nothing is under way that the cursor does not wait for.
    pub(super) fn save(&mut self, cursor: u64, free: bool) -> (u32, Option<Trial>) {
        let deaths = if self.ended {
            0
        } else if cursor > self.cursor && free {
            1
        } else {
            self.deaths.saturating_add(1)
        };
        let trial = self.trial.as_mut().map(|(trial, noted)| {
            if *noted == Noted::No {
                *noted = Noted::Saving;
            }
            *trial
        });
        (deaths, trial)
    }

    /// Learns that this is durable.
    pub(super) fn saved(&mut self) {
        if let Some((_, noted)) = &mut self.trial
            && *noted == Noted::Saving
        {
            *noted = Noted::Yes;
        }
    }
}
