//! `worker_start` and `worker_stop` of a call.
//!
//! A worker runs its start once it has a hand-out, so that a worker without items runs none. If its start refuses, the
//! hand-out goes back, and a worker that has been let in takes it. So nobody who has been let in leaves while another's
//! start is still being decided: its hand-out may come back. If nobody is let in, the items stay where they are.

use super::worker::Patience;
use crate::job::user::WorkerHooks;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub struct Door {
    hooks: WorkerHooks,
    inside: Mutex<Inside>,
    decided: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    /// Workers that are about to take their first hand-out, or whose start is running.
    deciding: usize,
    admitted: usize,
    /// Hand-outs of workers that were refused.
    returned: Vec<Range<usize>>,
}

impl Door {
    pub fn new(hooks: WorkerHooks) -> Door {
        Door { hooks, inside: Mutex::default(), decided: Condvar::new() }
    }

    /// Lets a worker in with its first hand-out, if there is one to take.
    pub fn enter(
        &self,
        worker: usize,
        take: impl FnOnce() -> Option<Range<usize>>,
    ) -> Result<Option<Range<usize>>, Refused> {
        self.lock().deciding += 1;
        let _decision = Decision { door: self };
        let Some(first) = take() else { return Ok(None) };
        if self.hooks.start(worker) {
            self.lock().admitted += 1;
            Ok(Some(first))
        } else {
            self.lock().returned.push(first);
            Err(Refused)
        }
    }

    /// For a worker that is inside and finds nothing left: takes a hand-out that came back. One that waits, does so until
    /// none can come back any more.
    pub fn take_returned(&self, patience: Patience) -> Option<Range<usize>> {
        let mut inside = self.lock();
        loop {
            if let Some(range) = inside.returned.pop() {
                return Some(range);
            }
            if inside.deciding == 0 || patience == Patience::Looks {
                return None;
            }
            inside = self.decided.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether a hand-out came back and has not been taken.
    pub fn has_returned(&self) -> bool {
        !self.lock().returned.is_empty()
    }

    pub fn leave(&self, worker: usize) {
        self.hooks.stop(worker);
    }

    /// Whether any worker has been let in.
    pub fn admitted_any(&self) -> bool {
        self.lock().admitted > 0
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The worker's start kept it out.
pub struct Refused;

/// A worker between its first hand-out and the answer of its start.
struct Decision<'a> {
    door: &'a Door,
}

impl Drop for Decision<'_> {
    fn drop(&mut self) {
        self.door.lock().deciding -= 1;
        self.door.decided.notify_all();
    }
}
