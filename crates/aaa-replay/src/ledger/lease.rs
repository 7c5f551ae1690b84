use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::coverage::RunId;

/// Who looks after the replays of a ledger, and until when.
///
/// A lease keeps two processes from asking for the same minutes. It is no fence: a holder that
/// sleeps through the end of its lease may still make one call. So each write to the ledger
/// compares leases, and X itself refuses a second job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Its number, which counts up with each change of holder.
    pub id: LeaseId,
    /// Who holds it.
    pub holder: Holder,
    /// When it ends unless it is taken again, on the clock of the machine.
    pub expires_at: Timestamp,
}

/// The number of a lease.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct LeaseId(pub u64);

/// Whoever holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// What to call it when somebody asks, such as `aaa listen`.
    pub name: String,
    /// Its run.
    pub run: RunId,
    /// What it is.
    pub role: Role,
}

/// What holds a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The one receiver of this store. Another one is only there when the former is gone.
    Listener,
    /// A command beside it.
    Command,
}

impl Lease {
    /// Decides whether `holder` may have the lease until a time, and returns it then.
    ///
    /// It may when nobody holds one, when it is its own, and when it is over (an end that is too
    /// far away was written by a wrong clock, and is over too). A listener takes over from another
    /// one at once, since there is never more than one.
    ///
    /// # Errors
    ///
    /// Returns the lease that somebody else holds.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_replay::{coverage::RunId, ledger::{Holder, Lease, Role}};
    /// use jiff::SignedDuration;
    ///
    /// let minute = SignedDuration::from_mins(1);
    /// let now = "2025-11-22T04:13:00Z".parse::<jiff::Timestamp>()?;
    /// let listen = Holder { name: "aaa listen".into(), run: RunId(1), role: Role::Listener };
    /// let lease = Lease::take(None, &listen, now, now + minute).unwrap();
    /// let command = Holder { name: "aaa replay".into(), run: RunId(2), role: Role::Command };
    /// assert!(Lease::take(Some(&lease), &command, now, now + minute).is_err());
    /// let later = now + minute;
    /// let taken = Lease::take(Some(&lease), &command, later, later + minute).unwrap();
    /// assert!(taken.id > lease.id);
    /// # Ok::<(), jiff::Error>(())
    /// ```
    pub fn take(
        current: Option<&Self>,
        holder: &Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Self, Box<Self>> {
        let Some(current) = current else {
            return Ok(Self { id: LeaseId(1), holder: holder.clone(), expires_at: until });
        };
        let own = current.holder.run == holder.run && current.holder.role == holder.role;
        let id = if own { current.id } else { LeaseId(current.id.0.saturating_add(1)) };
        let far = until.saturating_add(until.duration_since(now)).unwrap_or(Timestamp::MAX);
        let over = current.expires_at <= now || current.expires_at > far;
        let listeners = current.holder.role == Role::Listener && holder.role == Role::Listener;
        if own || over || listeners {
            Ok(Self { id, holder: holder.clone(), expires_at: until })
        } else {
            Err(Box::new(current.clone()))
        }
    }

    /// Gives the lease back: it is over, and its number is not used again.
    #[must_use]
    pub fn released(self) -> Self {
        Self { expires_at: Timestamp::UNIX_EPOCH, ..self }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn holder(run: u64, role: Role) -> Holder {
        Holder { name: format!("run {run}"), run: RunId(run), role }
    }

    #[test]
    fn who_may_have_it() {
        let now: Timestamp = "2025-11-22T04:13:00Z".parse().unwrap();
        let minute = SignedDuration::from_mins(1);
        let lease = Lease::take(None, &holder(1, Role::Listener), now, now + minute).unwrap();
        let second = SignedDuration::from_secs(1);
        for (run, role, at, id) in [
            // Its own, earlier and later.
            (1, Role::Listener, now + second, Some(1)),
            (1, Role::Listener, now + minute * 2, Some(1)),
            // Another listener is there only when this one is gone; a command has to wait.
            (2, Role::Listener, now + second, Some(2)),
            (2, Role::Command, now + second, None),
            (2, Role::Command, now + minute - second, None),
            (2, Role::Command, now + minute, Some(2)),
            // The clock was an hour ahead when it was written.
            (2, Role::Command, now - minute * 60, Some(2)),
        ] {
            let taken = Lease::take(Some(&lease), &holder(run, role), at, at + minute);
            assert_eq!(taken.map(|lease| lease.id.0).ok(), id, "{run} {role:?} {at}");
        }
        let released = lease.released();
        let command = holder(2, Role::Command);
        assert_eq!(Lease::take(Some(&released), &command, now, now + minute).unwrap().id.0, 2);
        // A listener does not push a command aside.
        let held = Lease::take(Some(&released), &command, now, now + minute).unwrap();
        let refused = Lease::take(Some(&held), &holder(3, Role::Listener), now, now + minute);
        assert_eq!(*refused.unwrap_err(), held);
    }
}
