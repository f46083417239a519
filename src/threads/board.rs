//! Where callers post their open loops and idle helpers find them.
//!
//! A caller posts a loop in a slot with so many seats. A helper that sees it takes a seat, helps, and leaves. The caller
//! shuts the loop (no new helper may sit down), waits until every helper has left, and clears the slot. Helpers that look
//! at a slot touch nothing but the slot, which is never freed, until they have a seat; from then on the loop behind it
//! stays until they leave. So one word a slot is the whole protocol between a caller and its helpers:
//!
//! ```text
//!   posted: OPEN | seats             join: one seat less, one helper more, only while OPEN
//!   shut:   not OPEN                 leave: one helper less; the last one wakes a caller that is WAITING
//!   clear:  0
//! ```
//!
//! Which caller has a slot is a word of its own, that helpers never see: the word they look at all the time is written with
//! plain stores, for which the caller does not wait.
//!
//! Idle helpers sleep on a count of wake-ups. A helper counts itself as a sleeper, then looks for open loops once more,
//! then sleeps unless the count has moved; a caller opens its loop, then looks for sleepers if it wants one. A full fence
//! stands between the two steps on either side, so one of the two sees the other and no such loop is slept through (Dekker's
//! argument).

use super::futex;
use crate::atomic::{AtomicU32, AtomicUsize, Ordering::*, fence};
use std::time::Duration;

/// A caller that finds no slot works alone.
const SLOTS: usize = if cfg!(loom) { 2 } else { 64 };

const OPEN: u32 = 1 << 30;
const WAITING: u32 = 1 << 29;
const HELPER: u32 = 1;
const SEAT: u32 = 1 << 14;
const COUNT: u32 = SEAT - 1;

/// The most helpers that a loop can have.
pub const MOST_SEATS: usize = COUNT as usize;

#[derive(Debug)]
pub struct Board {
    slots: [Slot; SLOTS],
    /// No slot from here on has ever been used.
    used: OwnLines<AtomicUsize>,
    wake_ups: OwnLines<AtomicU32>,
    sleepers: AtomicU32,
}

/// On cache lines of its own (two, since they are fetched in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
struct OwnLines<T>(T);

#[derive(Debug)]
struct Slot {
    /// 1: a caller has the slot.
    held: OwnLines<AtomicU32>,
    seen_by_helpers: OwnLines<Open>,
}

#[derive(Debug)]
struct Open {
    state: AtomicU32,
    /// The address of the loop. It means something only to those who have a seat.
    posted: AtomicUsize,
}

/// A slot that its caller has, with nothing in it yet.
#[derive(Debug)]
pub struct Reservation<'a> {
    slot: &'a Slot,
}

/// A loop that its caller has posted.
#[derive(Debug)]
pub struct Posting<'a> {
    reserved: Reservation<'a>,
    seats: u32,
}

/// A helper's seat at a loop.
#[derive(Debug)]
pub struct Seat<'a> {
    open: &'a Open,
    /// What was posted; it stays until this seat is left.
    pub posted: usize,
}

fn seats(state: u32) -> u32 {
    (state / SEAT) & COUNT
}

fn helpers(state: u32) -> u32 {
    state & COUNT
}

fn has_room(state: u32) -> bool {
    state & OPEN != 0 && seats(state) > 0
}

impl Board {
    pub fn new() -> Board {
        let slot = |_| Slot {
            held: OwnLines(AtomicU32::new(0)),
            seen_by_helpers: OwnLines(Open { state: AtomicU32::new(0), posted: AtomicUsize::new(0) }),
        };
        Board {
            slots: std::array::from_fn(slot),
            used: OwnLines(AtomicUsize::new(0)),
            wake_ups: OwnLines(AtomicU32::new(0)),
            sleepers: AtomicU32::new(0),
        }
    }

    /// A slot for a loop. None when every one is taken.
    pub fn reserve(&self) -> Option<Reservation<'_>> {
        let number = (0..SLOTS).find(|&number| {
            let held = &self.slots[number].held.0;
            held.load(Relaxed) == 0 && held.compare_exchange(0, 1, Acquire, Relaxed).is_ok()
        })?;
        if self.used.0.load(Relaxed) <= number {
            self.used.0.fetch_max(number + 1, Relaxed);
        }
        Some(Reservation { slot: &self.slots[number] })
    }

    /// Takes a seat at any open loop, looking from slot `from` on so that helpers spread over concurrent loops. `seated` hears
    /// of it as early as can be.
    pub fn join(&self, from: usize, seated: impl Fn(usize)) -> Option<Seat<'_>> {
        let used = self.used.0.load(Relaxed);
        (0..used).find_map(|i| {
            let open = self.slots[(from + i) % used].open();
            open.take_seat(&seated).map(|posted| Seat { open, posted })
        })
    }

    /// Sleeps until woken, unless a loop is open already.
    pub fn sleep(&self) {
        let wake_ups = self.wake_ups.0.load(Relaxed);
        self.sleepers.fetch_add(1, Relaxed);
        fence(SeqCst);
        let used = self.used.0.load(Relaxed);
        if !self.slots[..used].iter().any(|slot| has_room(slot.open().state.load(Relaxed))) {
            futex::wait(&self.wake_ups.0, wake_ups, None);
        }
        self.sleepers.fetch_sub(1, Relaxed);
    }

    /// Wakes one sleeper if there is one.
    pub fn wake_one(&self) {
        fence(SeqCst);
        if self.sleepers.load(Relaxed) > 0 {
            self.wake_ups.0.fetch_add(1, Relaxed);
            futex::wake(&self.wake_ups.0, 1);
        }
    }
}

impl Slot {
    fn open(&self) -> &Open {
        &self.seen_by_helpers.0
    }
}

impl Open {
    fn take_seat(&self, seated: impl Fn(usize)) -> Option<usize> {
        let mut now = self.state.load(Relaxed);
        while has_room(now) {
            match self.state.compare_exchange_weak(now, now - SEAT + HELPER, Acquire, Relaxed) {
                Ok(_) => {
                    let posted = self.posted.load(Relaxed);
                    seated(posted);
                    return Some(posted);
                }
                Err(changed) => now = changed,
            }
        }
        None
    }

    /// Lets no further helper in. Where no seat is left, nothing has to be written for that.
    fn shut(&self) {
        if has_room(self.state.load(Relaxed)) {
            self.state.fetch_and(!OPEN, Relaxed);
        }
    }
}

impl<'a> Reservation<'a> {
    /// Opens a loop with `seats` for helpers. Those that are awake will see it. Plain stores, for which nobody waits.
    pub fn open(self, posted: usize, seats: usize) -> Posting<'a> {
        let seats = seats.min(MOST_SEATS) as u32;
        let Open { state, posted: place } = self.slot.open();
        place.store(posted, Relaxed);
        // Release: whoever takes a seat sees the loop as it is now.
        state.store(OPEN | (seats * SEAT), Release);
        Posting { reserved: self, seats }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        // Release: the caller that has the slot next finds it cleared.
        self.slot.held.0.store(0, Release);
    }
}

impl Posting<'_> {
    fn state(&self) -> &AtomicU32 {
        &self.reserved.slot.open().state
    }

    /// Lets no further helper in.
    pub fn shut(&self) {
        self.reserved.slot.open().shut();
    }

    /// Whether a helper is there that has not left.
    pub fn has_helpers(&self) -> bool {
        // Acquire: when the last one has left, its results are visible here.
        helpers(self.state().load(Acquire)) > 0
    }

    /// Whether some helper could still sit down.
    pub fn has_seats(&self) -> bool {
        has_room(self.state().load(Relaxed))
    }

    /// Whether a helper has ever sat down.
    pub fn was_seen(&self) -> bool {
        seats(self.state().load(Relaxed)) < self.seats
    }

    /// Keeps one seat from helpers, for the caller itself. False when every seat has been taken.
    pub fn give_up_seat(&self) -> bool {
        self.state().fetch_update(Relaxed, Relaxed, |now| (seats(now) > 0).then(|| now - SEAT)).is_ok()
    }

    /// Sleeps until the last helper has left, or the time is over; not at all if no helper is there and the caller is
    /// `ready` to go on without one. May end early.
    pub fn wait(&self, timeout: Option<Duration>, ready: impl Fn() -> bool) {
        // Acquire: if the last helper has left by now, `ready` sees what it did.
        let state = self.state().fetch_or(WAITING, AcqRel) | WAITING;
        if helpers(state) > 0 || !ready() {
            futex::wait(self.state(), state, timeout);
        }
        self.state().fetch_and(!WAITING, Relaxed);
    }
}

impl Drop for Posting<'_> {
    /// Clears the slot. Every helper must have left.
    fn drop(&mut self) {
        self.shut();
        debug_assert!(!self.has_helpers(), "a loop is cleared while helpers are at it");
        self.state().store(0, Relaxed);
    }
}

impl Seat<'_> {
    /// Lets no further helper in: there is nothing left to do.
    pub fn shut(&self) {
        self.open.shut();
    }

    /// Whether another helper would find a seat.
    pub fn has_room(&self) -> bool {
        has_room(self.open.state.load(Relaxed))
    }
}

impl Drop for Seat<'_> {
    /// Leaves. From here on the loop may be gone; the slot is not.
    fn drop(&mut self) {
        // Release: the caller that sees the last helper gone sees what all of them did.
        let before = self.open.state.fetch_sub(HELPER, Release);
        if helpers(before) == 1 && before & WAITING != 0 {
            futex::wake(&self.open.state, i32::MAX);
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::Board;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    /// What a caller posts: plain memory, which only the protocol of the board keeps from races.
    struct Loop(UnsafeCell<u32>);

    impl Loop {
        fn add(&self, amount: u32) {
            // SAFETY: loom reports the race if another thread is here at the same time.
            self.0.with_mut(|value| unsafe { *value += amount });
        }
    }

    /// A caller's part: posts, waits for its helpers if any has come, and reads what they did.
    fn call(board: &Board) -> u32 {
        let posted = Loop(UnsafeCell::new(0));
        let posting = board.reserve().expect("a slot is free").open(std::ptr::from_ref(&posted).expose_provenance(), 1);
        posting.shut();
        while posting.has_helpers() {
            posting.wait(None, || true);
        }
        posted.add(10);
        drop(posting);
        posted.0.with(|value| unsafe { *value }) // SAFETY: as in `add`.
    }

    fn help(board: &Board) -> bool {
        let Some(seat) = board.join(0, |_| {}) else { return false };
        // SAFETY: only `call` posts, and only loops.
        let posted = unsafe { &*std::ptr::with_exposed_provenance::<Loop>(seat.posted) };
        posted.add(1);
        seat.shut();
        true
    }

    #[test]
    fn a_loop_stays_until_its_helpers_have_left() {
        loom::model(|| {
            let board = Arc::new(Board::new());
            let helper = thread::spawn({
                let board = board.clone();
                move || help(&board)
            });
            let (first, second) = (call(&board), call(&board));
            let helped = helper.join().unwrap();
            assert_eq!(first + second, 20 + u32::from(helped));
        });
    }

    #[test]
    fn two_callers_never_share_a_slot() {
        loom::model(|| {
            let board = Arc::new(Board::new());
            let other = thread::spawn({
                let board = board.clone();
                move || call(&board)
            });
            let helper = thread::spawn({
                let board = board.clone();
                move || help(&board)
            });
            let sum = call(&board) + other.join().unwrap();
            assert_eq!(sum, 20 + u32::from(helper.join().unwrap()));
        });
    }

    #[test]
    fn no_posting_is_slept_through() {
        loom::model(|| {
            let board = Arc::new(Board::new());
            let helper = thread::spawn({
                let board = board.clone();
                move || {
                    while !help(&board) {
                        board.sleep();
                    }
                }
            });
            let posted = Loop(UnsafeCell::new(0));
            let posting =
                board.reserve().expect("a slot is free").open(std::ptr::from_ref(&posted).expose_provenance(), 1);
            board.wake_one();
            helper.join().unwrap(); // loom reports a deadlock if the helper sleeps for ever
            assert!(!posting.has_helpers());
            drop(posting);
            assert_eq!(posted.0.with(|value| unsafe { *value }), 1); // SAFETY: as in `add`.
        });
    }

    #[test]
    fn the_last_helper_wakes_the_caller_that_waits() {
        loom::model(|| {
            let board = Arc::new(Board::new());
            let posted = Loop(UnsafeCell::new(0));
            let posting =
                board.reserve().expect("a slot is free").open(std::ptr::from_ref(&posted).expose_provenance(), 1);
            let seat = board.join(0, |_| {}).expect("a seat is free");
            drop(seat);
            let seat = board.join(0, |_| {});
            assert!(seat.is_none(), "one seat serves one helper");
            posting.wait(None, || true);
            drop(posting);
        });
    }
}
