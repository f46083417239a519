//! The workers of one rank: threads of the executor on threads, each taking from the desk until it is closed. The calling
//! thread meanwhile speaks with the other ranks.

use super::desk::{Desk, Taken};
use crate::fork::process_token;
use crate::job::user::{ForkHooks, Items, WorkerHooks};
use crate::job::{Cause, ForWork, Halt, Job, Outcome, Part, Tally, Work};
use crate::options::{Executor, Options};
use crate::schedule::{MICRO, NANO, Picos};
use crate::signals::SignalsBlocked;
use crate::threads::{self, Inside, Solo};
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Of units that take less, several may start between two looks whether to stop.
const SHORT: Picos = MICRO;
/// So long is the thread that speaks away at most to work, but for the unit (or few of them) that it is in.
const AWAY: Duration = Duration::from_micros(200);

struct Crew<'a> {
    desk: &'a Desk<'a>,
    hooks: Option<WorkerHooks>,
    /// Indices that `worker_start` keeps out.
    refused: Mutex<Vec<usize>>,
    token: u64,
}

/// What the crew has to tell when it has gone.
#[derive(Default)]
pub struct Farewell {
    pub remark: Option<String>,
    pub os_error: i32,
}

/// Has the workers work while `speak` runs on this thread, and ends them when it returns. `speak` is to call the worker it
/// gets whenever it has nothing else to do: this thread may have to work, too. `alone`: there is no other.
pub fn work_while<Said>(
    desk: &Desk,
    options: &Options,
    alone: bool,
    speak: impl FnOnce(&mut Worker) -> Said,
) -> (Said, Farewell) {
    let crew = Crew { desk, hooks: options.hooks, refused: Mutex::default(), token: process_token() };
    if alone {
        return (crew.speak_alone(speak), Farewell::default());
    }
    thread::scope(|scope| {
        let _ended = Ended(desk);
        let mut builder = thread::Builder::new().name("parmap-ranks".into());
        if let Some(size) = threads::default_stack_size() {
            builder = builder.stack_size(size);
        }
        let spawned = {
            let _mask = SignalsBlocked::new();
            builder.spawn_scoped(scope, || crew.run())
        };
        match spawned {
            Ok(thread) => {
                let said = speak(&mut Worker::stand_in(&crew));
                if crew.token != process_token() {
                    // The other thread is not here to be waited for.
                    threads::end_the_child();
                }
                desk.close();
                let outcome = thread.join().unwrap_or_default();
                (said, Farewell { remark: outcome.remark, os_error: outcome.os_error })
            }
            Err(error) => {
                let said = crew.speak_alone(speak);
                let remark =
                    format!("the system refused threads ({error}): the calling thread ran all items of its rank");
                (said, Farewell { remark: Some(remark), os_error: error.raw_os_error().unwrap_or(0) })
            }
        }
    })
}

/// Lets the workers go even if the calling thread panics.
struct Ended<'a>(&'a Desk<'a>);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Crew<'_> {
    fn speak_alone<Said>(&self, speak: impl FnOnce(&mut Worker) -> Said) -> Said {
        self.desk.state().caller_works = true;
        speak(&mut Worker { is_caller: true, ..Worker::new(self, 0) })
    }

    /// One call on threads whose items are the workers.
    fn run(&self) -> Outcome {
        let (workers, items) = (self.desk.workers, Items(std::ptr::null_mut()));
        let ctx = std::ptr::from_ref(self).cast_mut().cast();
        let job = Job::new(Work::For(ForWork { function: man, ctx }), workers, 1, true, items);
        // A deadline, though beyond all time, keeps the call from being taken for a short one.
        let options = Options {
            executor: Executor::Threads,
            workers,
            grain: 1,
            keep_going: true,
            timeout: Some(Duration::MAX),
            item_timeout: None,
            cancel: None,
            poll: None,
            hooks: None,
            fork_hooks: ForkHooks::NONE,
            items,
        };
        let outcome = threads::run(&job, &options, Solo::default());
        self.desk.desert();
        outcome
    }

    fn is_refused(&self, index: usize) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(&index)
    }
}

unsafe extern "C" fn man(begin: usize, end: usize, crew: *mut c_void) -> c_int {
    // SAFETY: `run` passes a crew that outlives the call.
    let crew = unsafe { &*crew.cast::<Crew>() };
    for _ in begin..end {
        let mut worker = Worker::new(crew, threads::worker_index());
        while worker.step() {}
    }
    0
}

/// One worker's part in the call.
pub struct Worker<'a> {
    crew: &'a Crew<'a>,
    index: usize,
    /// It is the calling thread, which does not wait for work.
    is_caller: bool,
    admitted: bool,
    hooks: Option<WorkerHooks>,
    last: usize,
    /// What a unit took of late.
    cost: Picos,
}

impl<'a> Worker<'a> {
    fn new(crew: &'a Crew<'a>, index: usize) -> Worker<'a> {
        Worker { crew, index, is_caller: false, admitted: false, hooks: crew.hooks, last: 0, cost: Picos::MAX }
    }

    /// The calling thread in the place of a worker that has taken part. (There are no hooks then.)
    fn stand_in(crew: &'a Crew<'a>) -> Worker<'a> {
        Worker { is_caller: true, admitted: true, hooks: None, ..Worker::new(crew, 0) }
    }

    /// Takes some units and runs them. False: there were none, or this worker is kept out.
    pub fn step(&mut self) -> bool {
        let Crew { desk, token, .. } = self.crew;
        if *token != process_token() {
            return false;
        }
        if !self.admitted && self.crew.is_refused(self.index) {
            return false;
        }
        let taken = if self.is_caller { desk.take_for_the_caller(self.last) } else { desk.take(self.last) };
        let Some(taken) = taken else { return false };
        let first_time = !self.admitted;
        if first_time {
            if self.hooks.is_some_and(|hooks| !hooks.start(self.index)) {
                self.crew.refused.lock().unwrap_or_else(PoisonError::into_inner).push(self.index);
                desk.give_back(taken);
                if self.is_caller {
                    desk.desert();
                }
                return false;
            }
            self.admitted = true;
        }
        self.last = taken.units.len();
        self.run(taken, first_time);
        true
    }

    fn run(&mut self, taken: Taken, first_time: bool) {
        let _inside = self.is_caller.then(|| Inside::enter(self.index));
        let desk = self.crew.desk;
        let job = taken.chunk.as_ref().map_or(desk.job, |chunk| &chunk.job);
        let begun = Instant::now();
        let mut tally = Tally::default();
        let part = Part { units: taken.units.clone(), stride: if self.cost < SHORT { 16 } else { 1 } };
        let run = || match self.is_caller {
            true => run_while_brief(job, part, begun, desk.halt, &mut tally),
            false => job.run(part, desk.halt, &mut tally),
        };
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            desk.halt.raise(Cause::Panicked);
        }
        if self.crew.token != process_token() {
            // A callback forked, and its child came back out of it.
            return;
        }
        let time = begun.elapsed().as_nanos() as Picos * NANO;
        let ran = job.units_in(taken.units.start, tally.done);
        self.cost = time / ran.max(1) as u64;
        let mut rest = taken;
        if self.is_caller && ran < rest.units.len() && !desk.halt.stops() {
            self.last = ran;
            desk.settle(rest.split(ran), ran, &tally, time, first_time);
            desk.give_back(rest);
        } else {
            desk.settle(rest, ran, &tally, time, first_time);
        }
    }
}

/// Runs units on the thread that also speaks, and leaves the rest when they take longer than it meant to be away: by what units
/// took before, or by a grain, they may be far too many. (A range is called as one, and cannot be left.)
fn run_while_brief(job: &Job, part: Part, begun: Instant, halt: &Halt, tally: &mut Tally) {
    if let Work::For(_) = job.work() {
        return job.run(part, halt, tally);
    }
    let Part { mut units, stride } = part;
    while !units.is_empty() && !halt.stops() && begun.elapsed() < AWAY {
        let next = units.end.min(units.start + stride);
        job.run(Part { units: units.start..next, stride }, halt, tally);
        units.start = next;
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        if let Some(hooks) = self.hooks.filter(|_| self.admitted && self.crew.token == process_token()) {
            hooks.stop(self.index);
        }
    }
}
