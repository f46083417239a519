//! Which worker of which call this thread is.

use std::cell::Cell;

thread_local! {
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

pub fn worker_index() -> usize {
    INDEX.get()
}

/// While it lives, this thread is worker `index` of the innermost call.
pub struct Inside {
    outer: usize,
    index: usize,
}

impl Inside {
    #[inline]
    pub fn enter(index: usize) -> Inside {
        Inside { outer: INDEX.replace(index), index }
    }
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        // The usual short call is not nested: it need not look its thread up again.
        if self.outer != self.index {
            INDEX.set(self.outer);
        }
    }
}
