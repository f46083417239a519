//! A caller with `poll`: it looks on while helpers run the items, so that it polls on time even while one item takes
//! minutes. Where no helper comes, it runs the items itself and polls between them.

use super::GRACE;
use super::board::Posting;
use super::call::Call;
use super::worker::{Patience, Worker};
use crate::job::user::Poll;
use crate::job::{Cause, Outcome};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

pub fn look_on(call: &Call, posting: Option<&Posting>, poll: &Poll, outcome: &mut Outcome) {
    let first_due = call.started + poll.every;
    let mut due = first_due;
    let mut own: Option<Worker> = None;
    loop {
        let now = Instant::now();
        call.check_deadline(now);
        if now >= due {
            if !ask(call, poll) {
                call.halt.raise(Cause::Poll);
            }
            due = now + poll.every;
        }
        let helped = posting.is_some_and(Posting::has_helpers);
        if !helped && call.exhausted() && !call.has_returned() {
            break;
        }
        let nobody_comes = posting.is_none_or(|posting| now >= first_due || !posting.has_seats());
        if !helped && nobody_comes && own.as_ref().is_none_or(|own| !own.was_refused()) {
            if own.is_none() && !posting.is_none_or(Posting::give_up_seat) {
                break; // every seat was taken by a worker that was refused
            }
            if posting.is_some() && outcome.remark.is_none() {
                outcome.remark = Some(format!(
                    "no helper had taken an item within {} ms: the calling thread ran items itself between polls",
                    poll.every.as_millis()
                ));
            }
            own.get_or_insert_with(|| Worker::new(call)).step(now, Patience::Looks);
            continue;
        }
        let refused_for_good =
            !helped && posting.is_none_or(|posting| !posting.has_seats() || now >= first_due + GRACE);
        if refused_for_good {
            break;
        }
        if let Some(posting) = posting {
            let next = call.deadline.filter(|_| !call.halt.stops()).map_or(due, |deadline| deadline.min(due));
            posting.wait(Some(next.saturating_duration_since(now).max(Duration::from_micros(50))), || call.exhausted());
        }
    }
    drop(own);
    ask(call, poll);
}

/// Polls, and answers whether the call is to go on.
fn ask(call: &Call, poll: &Poll) -> bool {
    let failed = call.failed.load(Relaxed);
    let done = call.done.load(Relaxed).max(failed);
    poll.call(call.job.items(), done, failed, call.started.elapsed())
}
