//! What the workers of one rank share with its calling thread: units to be done, and what came of them.
//!
//! On rank 0 the units are what is left of the whole call, and the calling thread takes from it for other ranks; on other
//! ranks they are what rank 0 has handed out.

use super::chunk::Chunk;
use super::share;
use crate::job::{Halt, Job, Tally};
use crate::schedule::Picos;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Units that one worker has.
pub struct Taken {
    pub units: Range<usize>,
    /// None: the arrays of this rank itself.
    pub chunk: Option<Arc<Chunk>>,
}

impl Taken {
    pub fn split(&mut self, at: usize) -> Taken {
        let begin = self.units.start;
        self.units.start += at;
        Taken { units: begin..begin + at, chunk: self.chunk.clone() }
    }

    fn follows(&self, other: &Taken) -> bool {
        self.units.start == other.units.end
            && self.chunk.as_ref().map(Arc::as_ptr) == other.chunk.as_ref().map(Arc::as_ptr)
    }
}

pub struct Desk<'a> {
    pub job: &'a Job,
    pub halt: &'a Halt<'a>,
    /// The fewest units handed out at once.
    pub grain: usize,
    pub workers: usize,
    /// Whether the calling thread may take the place of the one worker while units are brief.
    may_stand_in: bool,
    state: Mutex<State>,
    /// For workers: there is something to take, or nothing ever more.
    work: Condvar,
    /// For the calling thread: something to look at.
    news: Condvar,
}

#[derive(Default)]
pub struct State {
    queue: VecDeque<Taken>,
    /// Units that workers have.
    pub out: usize,
    pub idle: usize,
    closed: bool,
    /// The calling thread works, and no worker does.
    pub caller_works: bool,
    /// It did, and a unit took so long that nobody was served.
    was_surprised: bool,
    /// No worker is left.
    pub deserted: bool,
    news: bool,
    /// Since the calling thread last took them.
    pub tally: Tally,
    /// Altogether.
    pub busy: Picos,
    pub took_part: usize,
    /// What a unit took of late.
    pub cost: Option<Picos>,
    /// Chunks of which nobody has anything any more.
    pub finished: Vec<Arc<Chunk>>,
    /// Units of this rank's own arrays that were taken and did not run.
    pub gaps: Vec<Range<usize>>,
}

impl State {
    /// Units that nobody has taken.
    pub fn left(&self) -> usize {
        self.queue.iter().map(|taken| taken.units.len()).sum()
    }

    /// How long the workers will find something to take; None if that is not known, or if units take too long to be
    /// fetched ahead.
    pub fn supply(&self, workers: usize) -> Option<Picos> {
        let cost = self.cost.filter(|&cost| cost < share::LONG)?;
        Some(cost.saturating_mul(self.left() as u64) / workers as u64)
    }
}

impl<'a> Desk<'a> {
    pub fn new(job: &'a Job, halt: &'a Halt<'a>, grain: usize, workers: usize) -> Desk<'a> {
        Desk {
            may_stand_in: false,
            job,
            halt,
            grain: job.unit_grain(grain),
            workers,
            state: Mutex::default(),
            work: Condvar::new(),
            news: Condvar::new(),
        }
    }

    /// Where there is one worker, the calling thread takes its place while units are brief.
    pub fn with_stand_in(mut self, may: bool) -> Desk<'a> {
        self.may_stand_in = may && self.workers == 1;
        self
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Units that workers may take from now on.
    pub fn add(&self, units: Range<usize>, chunk: Option<Arc<Chunk>>) {
        if !units.is_empty() {
            self.state().queue.push_back(Taken { units, chunk });
            self.work.notify_all();
        }
    }

    /// For a worker: its next units, `last` being how many it had before. It waits for some. None: there are none, and never
    /// will be.
    pub fn take(&self, last: usize) -> Option<Taken> {
        let mut state = self.state();
        while !state.closed && !self.halt.stops() {
            if !state.caller_works {
                if let Some(taken) = self.take_some(&mut state, last, share::MOST_HERE) {
                    return Some(taken);
                }
                state.news = true;
                self.news.notify_one();
            }
            state.idle += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
        None
    }

    /// The same for the calling thread, which does not wait. None also if it is not to work.
    pub fn take_for_the_caller(&self, last: usize) -> Option<Taken> {
        let mut state = self.state();
        if !state.caller_works || state.closed || self.halt.stops() {
            return None;
        }
        self.take_some(&mut state, last, share::MOST_OF_A_CALLER)
    }

    fn take_some(&self, state: &mut State, last: usize, most: Picos) -> Option<Taken> {
        let (left, cost) = (state.left(), state.cost);
        let first = state.queue.front_mut()?;
        // A hand-out never spans two stretches, so a stretch is what may be cut.
        let sized = share::for_a_worker(left, self.workers, cost, most, last, self.grain);
        let len = first.units.len();
        let size = if len.saturating_sub(sized) < self.grain { len } else { sized };
        let taken = first.split(size);
        if first.units.is_empty() {
            state.queue.pop_front();
        }
        state.out += taken.units.len();
        Some(taken)
    }

    /// For rank 0, on behalf of another rank; `size` answers how many of what is left. None: nothing is left.
    pub fn take_for_a_rank(&self, size: impl FnOnce(usize, Option<Picos>) -> usize) -> Option<Range<usize>> {
        let mut state = self.state();
        let (left, cost) = (state.left(), state.cost);
        let first = state.queue.front_mut()?;
        let sized = size(left, cost);
        let len = first.units.len();
        let taken = first.split(if len.saturating_sub(sized) < self.grain { len } else { sized });
        if first.units.is_empty() {
            state.queue.pop_front();
        }
        Some(taken.units)
    }

    /// A worker that was refused, or is not to go on, gives back what it took.
    pub fn give_back(&self, taken: Taken) {
        let mut state = self.state();
        state.out -= taken.units.len();
        match state.queue.front_mut() {
            Some(first) if first.follows(&taken) => first.units.start = taken.units.start,
            _ => state.queue.push_front(taken),
        }
        self.work.notify_one();
    }

    /// A worker is done with what it took, the first `ran` units of which have run.
    pub fn settle(&self, taken: Taken, ran: usize, tally: &Tally, time: Picos, first_time: bool) {
        let mut state = self.state();
        state.out -= taken.units.len();
        state.tally.add(tally);
        state.busy += time;
        state.took_part += usize::from(first_time);
        if ran > 0 {
            let cost = (time / ran as u64).max(1);
            state.cost = Some(cost);
            if self.may_stand_in {
                self.choose_who_works(&mut state, cost, ran, time);
            }
        }
        self.note(&mut state, taken, ran);
        state.news |= state.out == 0 && state.queue.is_empty() || self.halt.stops();
        if state.news {
            self.news.notify_one();
        }
    }

    /// A thread that speaks beside one that works costs the latter its CPU again and again, wherever there are as many workers
    /// as CPUs. While units are brief one thread can do both, as it is soon back to speak; what takes long is a worker's.
    fn choose_who_works(&self, state: &mut State, cost: Picos, ran: usize, time: Picos) {
        if state.caller_works && time > share::SURPRISE {
            (state.caller_works, state.was_surprised) = (false, true);
            self.work.notify_all();
        } else if !state.was_surprised && ran >= share::EVIDENCE && cost < share::BRIEF && !state.caller_works {
            (state.caller_works, state.news) = (true, true);
        }
    }

    fn note(&self, state: &mut State, taken: Taken, ran: usize) {
        match taken.chunk {
            Some(chunk) if chunk.settle(taken.units.clone(), ran) => state.finished.push(chunk),
            Some(_) => {}
            None if ran < taken.units.len() => state.gaps.push(taken.units.start + ran..taken.units.end),
            None => {}
        }
    }

    /// Takes everything that nobody has: it is not going to run here. Answers the units.
    pub fn clear(&self) -> Vec<Range<usize>> {
        let mut state = self.state();
        let rest: Vec<Taken> = state.queue.drain(..).collect();
        let units = rest.iter().map(|taken| taken.units.clone()).collect();
        for taken in rest.into_iter().filter(|taken| taken.chunk.is_some()) {
            self.note(&mut state, taken, 0);
        }
        units
    }

    /// There is nothing to be done any more, or it is not to be done.
    pub fn wake_all(&self) {
        self.work.notify_all();
    }

    pub fn close(&self) {
        self.state().closed = true;
        self.work.notify_all();
    }

    /// The last worker has gone.
    pub fn desert(&self) {
        let mut state = self.state();
        state.deserted = true;
        state.news = true;
        self.news.notify_one();
    }

    /// For the calling thread: sleeps for so long, or until there are news.
    pub fn sleep(&self, time: Duration) {
        let state = self.state();
        let mut state = if state.news {
            state
        } else {
            self.news.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
        };
        state.news = false;
    }
}
