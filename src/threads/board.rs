//! Where callers post their open loops and idle helpers find them.
//!
//! A caller posts a loop in a slot with so many seats. A helper that sees it takes a seat, helps, and leaves. The caller
//! shuts the loop (no new helper may sit down), waits until every helper has left, and clears the slot. Helpers that look
//! at a slot touch nothing but the slot, which is never freed, until they have a seat; from then on the loop behind it
//! stays until they leave. So one word a slot is the whole protocol:
//!
//! ```text
//!   posted: HELD | OPEN | seats      join: one seat less, one helper more, only while OPEN
//!   shut:   HELD                     leave: one helper less; the last one wakes a caller that is WAITING
//!   clear:  0
//! ```
//!
//! Idle helpers sleep on a count of postings. A helper counts itself as a sleeper, then looks for open loops once more,
//! then sleeps unless the count has moved; a caller opens its loop, then looks for sleepers. A full fence stands between the
//! two steps on either side, so one of the two sees the other and no posting is slept through (Dekker's argument).

use super::futex;
use crate::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::*, fence};
use std::time::Duration;

/// As many loops as there are bits to find them by. A caller that finds no slot works alone.
const SLOTS: usize = if cfg!(loom) { 2 } else { 64 };

const HELD: u32 = 1 << 31;
const OPEN: u32 = 1 << 30;
const WAITING: u32 = 1 << 29;
const HELPER: u32 = 1;
const SEAT: u32 = 1 << 14;
const COUNT: u32 = SEAT - 1;

/// The most helpers that a loop can have.
pub const MOST_SEATS: usize = COUNT as usize;

#[derive(Debug)]
pub struct Board {
    /// Bit s: slot s has an open loop with a seat left. A hint, except that it is set before sleepers are looked for.
    open: Line<AtomicU64>,
    slots: [Line<Slot>; SLOTS],
    postings: Line<AtomicU32>,
    sleepers: AtomicU32,
}

/// On cache lines of its own (two, since they are fetched in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line<T>(T);

#[derive(Debug)]
struct Slot {
    state: AtomicU32,
    /// The address of the loop. It means something only to those who have a seat.
    posted: AtomicUsize,
}

/// The caller's hold on its slot.
#[derive(Debug)]
pub struct Posting<'a> {
    board: &'a Board,
    slot: usize,
}

/// A helper's seat at a loop.
#[derive(Debug)]
pub struct Seat<'a> {
    board: &'a Board,
    slot: usize,
    /// What was posted; it stays until this seat is left.
    pub posted: usize,
}

fn seats(state: u32) -> u32 {
    (state / SEAT) & COUNT
}

fn helpers(state: u32) -> u32 {
    state & COUNT
}

impl Board {
    pub fn new() -> Board {
        let slot = |_| Line(Slot { state: AtomicU32::new(0), posted: AtomicUsize::new(0) });
        Board {
            open: Line(AtomicU64::new(0)),
            slots: std::array::from_fn(slot),
            postings: Line(AtomicU32::new(0)),
            sleepers: AtomicU32::new(0),
        }
    }

    /// Opens a loop with `seats` for helpers and wakes one of them if all are asleep. None when every slot is taken.
    pub fn post(&self, posted: usize, seats: usize) -> Option<Posting<'_>> {
        let seats = seats.min(MOST_SEATS) as u32;
        let slot = (0..SLOTS).find(|&s| {
            let state = &self.slots[s].0.state;
            state.load(Relaxed) == 0 && state.compare_exchange(0, HELD, Acquire, Relaxed).is_ok()
        })?;
        self.slots[slot].0.posted.store(posted, Relaxed);
        // The hint comes before the loop is open: after it, a quick helper could have shut the loop already, and the hint
        // would stay behind. Release: whoever takes a seat sees the loop as it is now.
        self.open.0.fetch_or(1 << slot, Relaxed);
        self.slots[slot].0.state.store(HELD | OPEN | (seats * SEAT), Release);
        self.wake_one();
        Some(Posting { board: self, slot })
    }

    /// Takes a seat at any open loop, looking from slot `from` on. `seated` hears of it as early as can be.
    pub fn join(&self, from: usize, seated: impl Fn(usize)) -> Option<Seat<'_>> {
        let from = from % SLOTS;
        let mut open = self.open.0.load(Relaxed);
        while open != 0 {
            // The first open slot from `from` on, so that helpers spread over concurrent loops.
            let above = open & (!0 << from);
            let slot = if above != 0 { above } else { open }.trailing_zeros() as usize;
            if let Some(posted) = self.take_seat(slot, &seated) {
                return Some(Seat { board: self, slot, posted });
            }
            open &= !(1 << slot);
        }
        None
    }

    fn take_seat(&self, slot: usize, seated: impl Fn(usize)) -> Option<usize> {
        let Slot { state, posted } = &self.slots[slot].0;
        let mut now = state.load(Relaxed);
        loop {
            if now & OPEN == 0 || seats(now) == 0 {
                return None;
            }
            match state.compare_exchange_weak(now, now - SEAT + HELPER, Acquire, Relaxed) {
                Ok(_) => {
                    let posted = posted.load(Relaxed);
                    seated(posted);
                    if seats(now) == 1 {
                        self.hide(slot);
                    }
                    return Some(posted);
                }
                Err(changed) => now = changed,
            }
        }
    }

    /// Only for those whose presence keeps the slot from being cleared: else it could hide the loop that comes next.
    fn hide(&self, slot: usize) {
        self.open.0.fetch_and(!(1 << slot), Relaxed);
    }

    fn shut(&self, slot: usize) {
        if self.slots[slot].0.state.fetch_and(!OPEN, Relaxed) & OPEN != 0 {
            self.hide(slot);
        }
    }

    /// Sleeps until something is posted, unless something is open already.
    pub fn sleep(&self) {
        let postings = self.postings.0.load(Relaxed);
        self.sleepers.fetch_add(1, Relaxed);
        fence(SeqCst);
        if self.open.0.load(Relaxed) == 0 {
            futex::wait(&self.postings.0, postings, None);
        }
        self.sleepers.fetch_sub(1, Relaxed);
    }

    /// Wakes one sleeper if there is one.
    pub fn wake_one(&self) {
        fence(SeqCst);
        if self.sleepers.load(Relaxed) > 0 {
            self.postings.0.fetch_add(1, Relaxed);
            futex::wake(&self.postings.0, 1);
        }
    }
}

impl Posting<'_> {
    fn state(&self) -> &AtomicU32 {
        &self.board.slots[self.slot].0.state
    }

    /// Lets no further helper in.
    pub fn shut(&self) {
        self.board.shut(self.slot);
    }

    /// Whether a helper is there that has not left.
    pub fn has_helpers(&self) -> bool {
        // Acquire: when the last one has left, its results are visible here.
        helpers(self.state().load(Acquire)) > 0
    }

    /// Whether some helper could still sit down.
    pub fn has_seats(&self) -> bool {
        let state = self.state().load(Relaxed);
        state & OPEN != 0 && seats(state) > 0
    }

    /// Keeps one seat from helpers, for the caller itself. False when every seat has been taken.
    pub fn give_up_seat(&self) -> bool {
        self.board.slots[self.slot]
            .0
            .state
            .fetch_update(Relaxed, Relaxed, |now| (seats(now) > 0).then(|| now - SEAT))
            .is_ok()
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
        self.state().store(0, Release);
    }
}

impl Seat<'_> {
    /// Lets no further helper in: there is nothing left to do.
    pub fn shut(&self) {
        self.board.shut(self.slot);
    }

    /// Whether another helper would find a seat.
    pub fn has_room(&self) -> bool {
        let state = self.board.slots[self.slot].0.state.load(Relaxed);
        state & OPEN != 0 && seats(state) > 0
    }
}

impl Drop for Seat<'_> {
    /// Leaves. From here on the loop may be gone; the slot is not.
    fn drop(&mut self) {
        let state = &self.board.slots[self.slot].0.state;
        // Release: the caller that sees the last helper gone sees what all of them did.
        let before = state.fetch_sub(HELPER, Release);
        if helpers(before) == 1 && before & WAITING != 0 {
            futex::wake(state, i32::MAX);
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
        let posting = board.post(std::ptr::from_ref(&posted).addr(), 1).expect("a slot is free");
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
        let posted = unsafe { &*(seat.posted as *const Loop) };
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
                        thread::yield_now(); // a hint that comes before its loop: look again
                    }
                }
            });
            let posted = Loop(UnsafeCell::new(0));
            let posting = board.post(std::ptr::from_ref(&posted).addr(), 1).expect("a slot is free");
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
            let posting = board.post(std::ptr::from_ref(&posted).addr(), 1).expect("a slot is free");
            let seat = board.join(0, |_| {}).expect("a seat is free");
            drop(seat);
            let seat = board.join(0, |_| {});
            assert!(seat.is_none(), "one seat serves one helper");
            posting.wait(None, || true);
            drop(posting);
        });
    }
}
