//! What this thread knows of itself: which worker of which call it is, and how its last short calls came.

use super::ticks::Tick;
use crate::schedule::Picos;
use std::cell::Cell;

pub struct Here {
    index: Cell<usize>,
    /// The last look at the clock in a short call on this thread.
    pub last_look: Cell<Tick>,
    /// What the units since then were expected to take.
    pub unseen: Cell<Picos>,
    /// Short calls come so closely on one another that so many more may be taken to begin at the last look.
    pub guesses: Cell<u32>,
}

thread_local! {
    static HERE: Here = const {
        Here {
            index: Cell::new(0),
            last_look: Cell::new(Tick::LONG_AGO),
            unseen: Cell::new(0),
            guesses: Cell::new(0),
        }
    };
}

pub fn worker_index() -> usize {
    HERE.with(|here| here.index.get())
}

/// While it lives, this thread is worker `index` of the innermost call.
pub struct Inside {
    outer: usize,
}

impl Inside {
    pub fn enter(index: usize) -> Inside {
        Inside { outer: HERE.with(|here| here.index.replace(index)) }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        HERE.with(|here| here.index.set(self.outer));
    }
}

/// Does `work` while this thread is worker 0 of the innermost call, with one look at where the thread is.
#[inline(always)]
pub fn as_caller<Done>(work: impl FnOnce(&Here) -> Done) -> Done {
    struct Leave<'a> {
        here: &'a Here,
        outer: usize,
    }

    impl Drop for Leave<'_> {
        #[inline(always)]
        fn drop(&mut self) {
            self.here.index.set(self.outer);
        }
    }

    HERE.with(|here| {
        let leave = Leave { here, outer: here.index.replace(0) };
        work(leave.here)
    })
}
