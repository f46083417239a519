//! A caller with `poll`: it looks on while helpers run the items, so that it polls on time even while one item takes
//! minutes. Where no helper comes, it runs the items itself and polls between them.

use super::board::Posting;
use super::call::Call;
use super::caller::{GRACE, Opening};
use super::worker::{Patience, Worker};
use crate::job::user::Poll;
use crate::job::{Cause, Tally};
use std::time::{Duration, Instant};

pub fn look_on(opening: &mut Opening, poll: &Poll) {
    let call = opening.call;
    let started = Instant::now();
    if call.job.items() > 0 {
        opening.open_and_wake();
    }
    let first_due = started + poll.every;
    let mut due = first_due;
    let mut own: Option<Worker> = None;
    loop {
        if call.forked() {
            return; // helpers that are there are the parent's, and would be waited for in vain
        }
        let now = Instant::now();
        call.check_deadline();
        if now >= due {
            if !ask(call, poll, started) {
                call.halt.raise(Cause::Poll);
            }
            due = now + poll.every;
        }
        let posting = opening.posting.as_ref();
        // Seats first: a helper that sits down between the two looks is then seen as one that may come, or as one that is
        // there, and never as neither.
        let seats = posting.is_some_and(Posting::has_seats);
        let helped = posting.is_some_and(Posting::has_helpers);
        if !helped && call.exhausted() && !call.has_returned() {
            // A helper may have sat down and taken the last hand-out between the two looks. Once no more can sit down,
            // a look tells for good whether one is there.
            posting.inspect(|posting| posting.shut());
            if posting.is_some_and(Posting::has_helpers) {
                continue;
            }
            break;
        }
        let nobody_comes = !seats || now >= first_due;
        if !helped && nobody_comes && own.as_ref().is_none_or(|own| !own.was_refused()) {
            if own.is_none() && !posting.is_none_or(Posting::give_up_seat) {
                if seats {
                    continue; // the last seat has just been taken
                }
                break; // every seat was taken by a worker that was refused
            }
            if posting.is_some() && opening.remark.is_none() {
                opening.remark = Some(format!(
                    "no helper had taken an item within {} ms: the calling thread ran items itself between polls",
                    poll.every.as_millis()
                ));
            }
            own.get_or_insert_with(|| Worker::of_caller(call, None)).step(Patience::Looks);
            continue;
        }
        let Some(posting) = posting.filter(|_| helped || seats && now < first_due + GRACE) else {
            break; // whoever came was refused, and nobody else can be expected
        };
        let next = call.deadline.filter(|_| !call.halt.stops()).map_or(due, |deadline| deadline.min(due));
        let time = next.saturating_duration_since(now).max(Duration::from_micros(50));
        posting.wait(Some(time), || call.exhausted());
    }
    drop(own);
    ask(call, poll, started);
}

/// Polls, and answers whether the call is to go on.
fn ask(call: &Call, poll: &Poll, started: Instant) -> bool {
    let Tally { done, failed, .. } = call.tally();
    poll.call(call.job.items(), done.max(failed), failed, started.elapsed())
}
