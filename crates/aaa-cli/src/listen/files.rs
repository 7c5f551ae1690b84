//! How many connections the process may hold beside the files that it needs itself.

use aaa_webhook::server::Limits;

use crate::output;

/// Files that are no connections of X's: the store, its log and what it writes for a moment, those
/// of the runtime, calls to X's API, forwarding, metrics.
#[cfg(unix)]
const OWN_FILES: u64 = 192;

/// Raises the limit of open files as far as connections need it. Where that is not allowed, there
/// are fewer connections: a store that cannot open a file would refuse deliveries.
#[cfg(unix)]
pub(super) fn limits() -> Limits {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let mut limits = Limits::default();
    let wanted = OWN_FILES.saturating_add(limits.connections as u64);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut allowed = current.unwrap_or(u64::MAX);
    if allowed < wanted {
        let more = maximum.unwrap_or(u64::MAX).min(wanted);
        let raised = Rlimit { current: Some(more), maximum };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            allowed = more;
        }
    }
    if allowed < wanted {
        let spare = allowed.saturating_sub(OWN_FILES).max(allowed / 4).max(1);
        limits.connections = usize::try_from(spare).unwrap_or(limits.connections);
        output::note(format_args!(
            "warning: this process may open {allowed} files (ulimit -n), so no more than {spare} \
             connections are taken at a time"
        ));
    }
    limits
}

#[cfg(not(unix))]
pub(super) fn limits() -> Limits {
    Limits::default()
}
