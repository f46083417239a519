//! How long a call waits, and who is asked in between.

use super::Failure;
use super::handle::Watch;
use std::time::{Duration, Instant};

/// One question waits no longer than this on the server: then it must answer, which shows that it is alive.
pub const LONGEST_SLICE: Duration = Duration::from_secs(5);

/// The end of a wait. `timeout_ms` counts from its making; 0 does not wait, and `u64::MAX` is for ever.
pub struct Deadline {
    /// None: never.
    at: Option<Instant>,
}

impl Deadline {
    pub fn after(timeout_ms: u64) -> Deadline {
        // What no clock can reach is for ever.
        let at = Instant::now().checked_add(Duration::from_millis(timeout_ms)).filter(|_| timeout_ms != u64::MAX);
        Deadline { at }
    }

    /// What the next question may wait on the server: at most `longest`, at least a millisecond. None: the time is over.
    pub fn slice(&self, longest: Duration, watch: Option<&Watch>) -> Option<Duration> {
        let longest = watch.map_or(longest, |watch| watch.every.min(longest)).max(Duration::from_millis(1));
        let Some(at) = self.at else { return Some(longest) };
        let left = at.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| left.clamp(Duration::from_millis(1), longest))
    }
}

/// As the server takes it: seconds, with milliseconds, and never 0, which would be for ever.
pub fn seconds(slice: Duration) -> String {
    let ms = slice.as_micros().div_ceil(1000).max(1);
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

pub fn heed(watch: Option<&Watch>) -> Result<(), Failure> {
    match watch {
        Some(watch) if watch.says_stop() => Err(Failure::canceled("stopped by poll")),
        _ => Ok(()),
    }
}
