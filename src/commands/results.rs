//! The caller's array of outcomes: written command by command, and given back.

use super::capture::{Captured, release};
use super::child::{End, Ended};
use crate::abi::bytes::par_bytes;
use crate::abi::commands::par_outcome;
use crate::abi::status::*;
use crate::job::user::Items;
use std::ptr;
use std::time::Duration;

/// Bits of `par_outcome.reserved[0]`: what is a mapping, and no memory of `malloc`.
const OUT_IS_MAPPED: u64 = 1;
const ERR_IS_MAPPED: u64 = 2;

const EMPTY: par_bytes = par_bytes { data: ptr::null_mut(), len: 0 };

/// What became of one command, the last time that it was started.
#[derive(Debug)]
pub struct Attempt {
    pub item: par_item,
    /// How often it has been started.
    pub number: u32,
    pub wall: Duration,
    pub cpu: Duration,
    pub max_rss: u64,
    pub out: Option<Captured>,
    pub err: Option<Captured>,
}

impl Attempt {
    /// One of which there is nothing to tell but how it ended.
    pub fn bare(item: par_item, number: u32) -> Attempt {
        Attempt { item, number, wall: Duration::ZERO, cpu: Duration::ZERO, max_rss: 0, out: None, err: None }
    }

    pub fn failed(&self) -> bool {
        self.item.state != PAR_ITEM_OK
    }
}

/// How a command ended by itself.
pub fn item(ended: &Ended) -> par_item {
    match ended.end {
        End::Exited(0) => par_item { state: PAR_ITEM_OK, code: 0 },
        End::Exited(code) => par_item { state: PAR_ITEM_EXITED, code },
        End::Signaled(signal) => par_item { state: PAR_ITEM_SIGNALED, code: signal },
        End::Unknown => par_item { state: PAR_ITEM_FAILED, code: libc::ECHILD },
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Results {
    outcomes: *mut par_outcome,
    items: Items,
}

impl Results {
    /// Marks all n as not run.
    ///
    /// # Safety
    /// Both are NULL or room for n, the outcomes while the call lasts.
    pub unsafe fn new(outcomes: *mut par_outcome, items: Items, n: usize) -> Results {
        // SAFETY: the caller of this function promises as much. All zeros is an outcome of a command that did not run.
        unsafe { clear(outcomes, n) };
        items.clear(n);
        Results { outcomes, items }
    }

    /// Hands an attempt over as the outcome of command `index`, which has none yet.
    pub fn set(&self, index: usize, attempt: Attempt) {
        let (out, out_is_mapped) = bytes(attempt.out, OUT_IS_MAPPED);
        let (err, err_is_mapped) = bytes(attempt.err, ERR_IS_MAPPED);
        let outcome = par_outcome {
            item: attempt.item,
            attempts: attempt.number,
            reserved0: 0,
            wall_ns: attempt.wall.as_nanos() as u64,
            cpu_ns: attempt.cpu.as_nanos() as u64,
            max_rss: attempt.max_rss,
            out,
            err,
            reserved: [out_is_mapped | err_is_mapped, 0, 0, 0],
        };
        // SAFETY: the index is below n.
        unsafe { self.outcomes.add(index).write(outcome) };
        self.items.set(index..index + 1, attempt.item);
    }
}

/// Output as C sees it, and `bit` if it is mapped.
fn bytes(captured: Option<Captured>, bit: u64) -> (par_bytes, u64) {
    let Some(captured) = captured else { return (EMPTY, 0) };
    let (data, len, mapped) = captured.into_raw();
    (par_bytes { data: data.cast(), len }, if mapped { bit } else { 0 })
}

/// # Safety
/// NULL, or room for n outcomes.
pub unsafe fn clear(outcomes: *mut par_outcome, n: usize) {
    if !outcomes.is_null() {
        // SAFETY: the caller promises the room, and zeros are an outcome.
        unsafe { ptr::write_bytes(outcomes, 0, n) };
    }
}

/// Gives back what an outcome holds, and leaves it empty.
pub fn free(outcome: &mut par_outcome) {
    for (bytes, bit) in [(&mut outcome.out, OUT_IS_MAPPED), (&mut outcome.err, ERR_IS_MAPPED)] {
        // SAFETY: `set` wrote it so, and what was given back is NULL.
        unsafe { release(bytes.data.cast(), bytes.len, outcome.reserved[0] & bit != 0) };
        *bytes = EMPTY;
    }
    outcome.reserved = [0; 4];
}
