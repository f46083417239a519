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
}

impl Inside {
    pub fn enter(index: usize) -> Inside {
        Inside { outer: INDEX.replace(index) }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INDEX.set(self.outer);
    }
}
