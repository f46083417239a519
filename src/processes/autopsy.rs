//! What the end of a worker means: read from its record when it is gone.

use super::shared::Call;
use crate::abi::status::par_item;
use crate::job::{Cause, Work};
use std::sync::atomic::Ordering::Relaxed;

/// Settles what worker `index` left behind. `item` is the outcome of the item that it was in the middle of, if it was: then
/// the answer is true.
pub fn examine(call: &Call, index: usize, item: par_item) -> bool {
    let (job, control, records) = (call.job, call.shared.control, call.shared.records);
    let record = &records[index];
    control.claims.repair(records, index);
    // SAFETY: the worker is gone, and its record is its supervisor's.
    let tally = unsafe { record.tally() };
    let failed_before = tally.failed;

    if let Some(range) = call.shared.line.as_ref().and_then(|line| line.repair(index, record)) {
        job.fail_as(job.items_of(range..range + 1), item, tally);
    }
    let open = record.open();
    let at = record.at.load(Relaxed);
    if open.contains(&at) {
        let culprits = match job.work() {
            Work::For(_) => open.clone(),
            _ => at..at + 1,
        };
        match &call.shared.line {
            // Its result may be in the total by now: it was done when its worker ended.
            Some(line) if line.has_folded(at) => job.settle(job.items_of(culprits.clone()), 0, &control.halt, tally),
            line => {
                job.fail_as(job.items_of(culprits.clone()), item, tally);
                if let Some(line) = line {
                    line.fail(at);
                }
            }
        }
        record.settle(job.items_of(open.start..culprits.end).len());
        control.claims.give_back(record, culprits.end..open.end);
    } else {
        record.take(0..0);
        control.claims.give_back(record, open);
    }

    let found = tally.failed > failed_before;
    if found {
        record.failed.store(tally.failed, Relaxed);
        if !call.options.keep_going {
            control.halt.raise(Cause::Failed);
        }
    }
    found
}
