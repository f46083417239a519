//! The caller's side of a call that may have helpers: when its loop is opened to them, and its own part in it.

use super::WAKE_FROM;
use super::board::{Posting, Reservation};
use super::brief::SHARE_FROM;
use super::call::{Call, First};
use super::crowding;
use super::pool::Pool;
use super::worker::{Patience, Worker};
use crate::options::Options;
use crate::schedule::Picos;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How long a caller whose own start refused waits for a first helper to come. Only then is there nobody to run the items.
pub const GRACE: Duration = Duration::from_secs(1);

/// A loop that is open to helpers, or may become so.
pub struct Opening<'a, 'job> {
    pub call: &'a Call<'job>,
    /// How much there is to do, as far as known.
    work: Picos,
    first: Option<First>,
    reserved: Option<Reservation<'static>>,
    pub posting: Option<Posting<'static>>,
    /// What the caller should be told.
    pub remark: Option<String>,
    pub os_error: i32,
    pool: &'static Pool,
    workers: usize,
    /// How many seats helpers have: a caller that looks on leaves every one to them.
    seats: usize,
    woken: bool,
}

impl<'a, 'job> Opening<'a, 'job> {
    /// `reserved` is where the call may be posted. It is had before the call is written: an atomic step waits until all that was
    /// written before has reached lines that helpers have read, and from here to the first item there is no other.
    pub fn new(
        pool: &'static Pool,
        reserved: Option<Reservation<'static>>,
        call: &'a mut Call<'job>,
        options: &Options,
        workers: usize,
    ) -> Opening<'a, 'job> {
        pool.attention.call_begins();
        let looks_on = options.poll.is_some() && call.job.items() > 0;
        let seats = if looks_on { workers } else { workers - 1 };
        let work = call.work_left();
        let first = (options.poll.is_none() && options.hooks.is_none()).then(|| call.take_first());
        let remark = None;
        Opening { call, work, first, reserved, posting: None, remark, os_error: 0, pool, workers, seats, woken: false }
    }

    /// Opens the loop, or wakes a helper for it, if so much work is worth that now.
    #[inline]
    fn consider(&mut self, work: Picos) {
        if self.woken || self.seats == 0 {
            return;
        }
        if work >= WAKE_FROM {
            self.open_and_wake();
        } else if work >= SHARE_FROM && self.posting.is_none() && self.pool.attention.anyone_is_awake() {
            self.post();
        }
    }

    /// Whether a helper would be of use, and none has been woken.
    fn wants_one(&self) -> bool {
        self.seats > 0 && !self.woken && self.work >= SHARE_FROM
    }

    fn was_helped(&self) -> bool {
        self.posting.as_ref().is_some_and(Posting::was_seen)
    }

    pub fn open_and_wake(&mut self) {
        self.woken = true;
        if self.call.forked() {
            return; // threads made here would outlive the call, for which nobody waits in a forked child
        }
        let (helpers, refusal) = self.pool.hire(self.seats);
        if let Some(error) = refusal {
            let threads = self.workers.min(helpers + self.workers - self.seats);
            self.os_error = error.raw_os_error().unwrap_or(0);
            self.remark = Some(format!(
                "the system refused threads ({error}): the call had {threads} of {} workers",
                self.workers
            ));
        }
        if helpers > 0 {
            self.call.seen.woken_from.store(crowding::here().map_or(0, |cpu| cpu + 1), Relaxed);
            self.post();
            if self.posting.is_some() {
                self.pool.board.wake_one();
                crowding::give_way(|| self.was_helped());
            }
        }
    }

    fn post(&mut self) {
        if let Some(reserved) = self.reserved.take() {
            self.posting = Some(reserved.open(std::ptr::from_ref(self.call).expose_provenance(), self.seats));
        }
    }
}

impl Drop for Opening<'_, '_> {
    fn drop(&mut self) {
        self.pool.attention.call_ends();
    }
}

/// The caller is one of the workers.
pub fn work_along(opening: &mut Opening) {
    let work = opening.work;
    opening.consider(work);
    if opening.wants_one() && opening.pool.attention.regrets(work) {
        opening.open_and_wake();
        opening.woken = false; // if it turns out to be long, it is worth more than the one helper
    }
    let mut worker = Worker::of_caller(opening.call, opening.first.take());
    while worker.step(Patience::Waits) {
        opening.consider(worker.work_left());
    }
    if worker.was_refused() {
        wait_for_somebody_else(opening);
    }
    if opening.wants_one() && !opening.was_helped() {
        opening.pool.attention.worked_alone(work);
    }
}

/// The caller's own start refused: waits until some helper has been let in, or none can be expected any more.
fn wait_for_somebody_else(opening: &Opening) {
    let (Some(posting), Some(door)) = (&opening.posting, &opening.call.door) else { return };
    let end = Instant::now() + GRACE;
    let somebody_may_come = || posting.has_helpers() || posting.has_seats() && Instant::now() < end;
    while !door.admitted_any() && !opening.call.halt.stops() && somebody_may_come() {
        std::thread::sleep(Duration::from_millis(1));
        opening.call.check_deadline();
    }
}
