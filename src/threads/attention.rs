//! When idle helpers stay awake, and when it pays to wake one.
//!
//! Waking a helper costs the caller some 5 to 20 us and takes as long again until it answers; a helper that looks on costs a
//! CPU. Both are decided as one decides whether to rent or to buy (Karlin et al., Competitive snoopy caching, 1988):
//! - A caller whose loop is too short to wake a helper for, and to which none came, adds what one would have saved to
//!   `regret`. When that comes to the price of a wake-up, a helper is woken after all; from then on it is awake.
//! - An idle helper looks for work for twice the usual gap between calls that could use one, but never longer than
//!   `LONGEST`: if calls come no more often than that, it looks no longer than waking it would take.

use super::ticks::Tick;
use crate::schedule::{MICRO, Picos};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// What waking a helper costs its caller, about.
const WAKE_UP: Picos = 20 * MICRO;
/// How long a helper looks at the least: as long as waking it would take.
const SHORTEST: Picos = 20 * MICRO;
/// No helper looks longer than this after the last call.
const LONGEST: Picos = 1_800 * MICRO;

#[derive(Debug)]
pub struct Attention {
    seen_by_all: Shared,
    callers: Callers,
}

/// What helpers write and callers read, or the other way round: it does not change while calls come regularly.
#[derive(Debug)]
#[repr(align(128))]
struct Shared {
    awake: AtomicUsize,
    /// The usual gap between two calls.
    gap: AtomicU64,
}

/// What every call writes, and helpers never read.
#[derive(Debug)]
#[repr(align(128))]
struct Callers {
    regret: AtomicU64,
    last_call: AtomicU64,
}

impl Attention {
    pub fn new() -> Attention {
        Attention {
            seen_by_all: Shared { awake: AtomicUsize::new(0), gap: AtomicU64::new(Picos::MAX) },
            callers: Callers { regret: AtomicU64::new(0), last_call: AtomicU64::new(0) },
        }
    }

    /// A helper is awake while the answer lives.
    pub fn awake(&self) -> Counted<'_> {
        Counted::new(&self.seen_by_all.awake)
    }

    /// Whether a helper would see a loop that is opened now, or soon.
    pub fn anyone_is_awake(&self) -> bool {
        self.seen_by_all.awake.load(Relaxed) > 0
    }

    /// How long a helper that finds nothing looks for more.
    pub fn span(&self) -> Picos {
        match self.seen_by_all.gap.load(Relaxed).saturating_mul(2) {
            longer if longer > 2 * LONGEST => SHORTEST,
            span => span.clamp(SHORTEST, LONGEST),
        }
    }

    /// A call that could use a helper begins.
    pub fn call_begins(&self) {
        let last = Tick::from_bits(self.callers.last_call.load(Relaxed));
        let gap = Tick::now().since(last);
        let usual = self.seen_by_all.gap.load(Relaxed);
        if gap > LONGEST {
            self.callers.regret.store(0, Relaxed);
        }
        // Up at once, down by an eighth: a helper that gave up too early has to be woken, one that looked too long has not.
        let now = if gap >= usual || usual > LONGEST { gap } else { usual - (usual - gap) / 8 };
        // Written only when that is news, since helpers that look for work read it.
        if now.abs_diff(usual) > usual / 16 {
            self.seen_by_all.gap.store(now, Relaxed);
        }
    }

    pub fn call_ends(&self) {
        self.callers.last_call.store(Tick::now().to_bits(), Relaxed);
    }

    /// Whether a helper should be woken for a call of so much work, since many like it found none.
    pub fn regrets(&self, work: Picos) -> bool {
        let enough = self.callers.regret.load(Relaxed).saturating_add(work / 2) >= WAKE_UP;
        if enough {
            self.callers.regret.store(0, Relaxed);
        }
        enough
    }

    /// Nobody came to share so much work.
    pub fn worked_alone(&self, work: Picos) {
        // Racing callers may lose some regret, and only come to the same conclusion later.
        let regret = &self.callers.regret;
        regret.store(regret.load(Relaxed).saturating_add(work / 2), Relaxed);
    }
}

/// Counts one thread while it lives.
#[derive(Debug)]
pub struct Counted<'a>(&'a AtomicUsize);

impl Counted<'_> {
    fn new(count: &AtomicUsize) -> Counted<'_> {
        count.fetch_add(1, Relaxed);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Attention, WAKE_UP};
    use crate::schedule::{MICRO, Picos};

    #[test]
    fn calls_that_nobody_came_to_are_regretted_when_that_has_cost_a_wake_up() {
        let attention = Attention::new();
        let mut calls = 0;
        while !attention.regrets(10 * MICRO) {
            attention.worked_alone(10 * MICRO);
            calls += 1;
        }
        assert_eq!(calls, WAKE_UP / (5 * MICRO) - 1);
        assert!(!attention.regrets(10 * MICRO), "a helper is awake now");
    }

    #[test]
    fn work_of_unknown_size_is_as_much_as_there_can_be() {
        let attention = Attention::new();
        (0..3).for_each(|_| attention.worked_alone(Picos::MAX));
        assert!(attention.regrets(10 * MICRO));
    }
}
