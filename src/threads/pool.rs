//! The threads that help: made by rayon, in a pool of our own, and resident.
//!
//! A helper looks at the board for open loops, helps, and goes to sleep when there are none. The pool grows to what calls
//! ask for and never shrinks; it is never torn down either, since the library stays loaded. A forked child has none of the
//! threads of its parent: it recognises the inherited pool by its token, leaks it, and makes a new one when it needs one.

use super::board::Board;
use super::worker::help;
use crate::fork::process_token;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::*};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an idle helper looks for work before it sleeps.
const LOOK: Duration = Duration::from_micros(50);

#[derive(Debug)]
pub struct Pool {
    /// Of the process whose threads these are.
    token: u64,
    pub board: Board,
    helpers: AtomicUsize,
    /// Crews of threads, as they were hired. Dropping one would end its threads.
    crews: Mutex<Vec<rayon::ThreadPool>>,
}

static POOL: AtomicPtr<Pool> = AtomicPtr::new(ptr::null_mut());

/// The pool of this process.
pub fn current() -> &'static Pool {
    let token = process_token();
    loop {
        let pool = POOL.load(Acquire);
        // SAFETY: what POOL pointed to once is never freed.
        if let Some(found) = unsafe { pool.as_ref() }
            && found.token == token
        {
            return found;
        }
        let fresh = Box::into_raw(Box::new(Pool {
            token,
            board: Board::new(),
            helpers: AtomicUsize::new(0),
            crews: Mutex::new(Vec::new()),
        }));
        if POOL.compare_exchange(pool, fresh, AcqRel, Relaxed).is_err() {
            // SAFETY: `fresh` was made above and nobody else has seen it.
            drop(unsafe { Box::from_raw(fresh) });
        }
    }
}

impl Pool {
    /// Has at least `wanted` helpers, or as many as the system grants. Answers how many there are, and the refusal.
    pub fn hire(&'static self, wanted: usize) -> (usize, Option<io::Error>) {
        let helpers = self.helpers.load(Acquire);
        if helpers >= wanted {
            return (helpers, None);
        }
        self.hire_more(wanted)
    }

    #[cold]
    fn hire_more(&'static self, wanted: usize) -> (usize, Option<io::Error>) {
        let mut crews = self.crews.lock().unwrap_or_else(PoisonError::into_inner);
        let _mask = SignalsBlocked::new();
        let mut refusal = None;
        let helpers = self.helpers.load(Acquire);
        let mut missing = wanted.saturating_sub(helpers);
        while missing > 0 {
            match hire_crew(helpers, missing) {
                Ok(crew) => {
                    // spawn_broadcast returns at once: the threads begin to look for work on their own.
                    crew.spawn_broadcast(move |thread| self.reside(helpers + thread.index()));
                    crews.push(crew);
                    self.helpers.store(helpers + missing, Release);
                    return (helpers + missing, refusal);
                }
                Err((granted, error)) => {
                    // The granted ones have been let go with the crew that did not come about.
                    refusal = Some(error);
                    missing = granted.min(missing - 1);
                }
            }
        }
        (helpers, refusal)
    }

    /// What a helper does for ever.
    fn reside(&self, helper: usize) {
        loop {
            let since = Instant::now();
            loop {
                if let Some(seat) = self.board.join(helper) {
                    // Waking is handed on: the caller has woken one helper, each one wakes the next.
                    if seat.has_room() {
                        self.board.wake_one();
                    }
                    help(seat);
                    break;
                }
                if since.elapsed() > LOOK {
                    self.board.sleep();
                    break;
                }
                std::hint::spin_loop();
            }
        }
    }
}

/// All threads or none, since that is how rayon builds: the error has how many were granted before the refusal.
fn hire_crew(before: usize, size: usize) -> Result<rayon::ThreadPool, (usize, io::Error)> {
    let mut granted = 0;
    let mut refusal = None;
    let crew = rayon::ThreadPoolBuilder::new()
        .num_threads(size)
        .spawn_handler(|thread| {
            let mut builder = std::thread::Builder::new().name(format!("parmap-{}", before + thread.index() + 1));
            if let Some(size) = default_stack_size() {
                builder = builder.stack_size(size);
            }
            builder.spawn(move || thread.run()).map(|_| granted += 1).map_err(|error| {
                refusal = error.raw_os_error();
                error
            })
        })
        .build();
    crew.map_err(|_| (granted, io::Error::from_raw_os_error(refusal.unwrap_or(libc::EAGAIN))))
}

/// What pthread_create would give a thread of the host; Rust's own default is smaller.
fn default_stack_size() -> Option<usize> {
    // SAFETY: the attributes are initialised before they are read and destroyed after.
    unsafe {
        let mut attributes = std::mem::zeroed();
        if libc::pthread_attr_init(&mut attributes) != 0 {
            return None;
        }
        let mut size = 0;
        let known = libc::pthread_attr_getstacksize(&attributes, &mut size) == 0;
        libc::pthread_attr_destroy(&mut attributes);
        (known && size > 0).then_some(size)
    }
}

/// Blocks asynchronous signals in this thread, and so in those it makes, until dropped: the host's handlers run in the
/// host's threads. What a fault raises in the thread that makes it stays open.
struct SignalsBlocked {
    before: libc::sigset_t,
}

impl SignalsBlocked {
    fn new() -> SignalsBlocked {
        const OF_FAULTS: [libc::c_int; 7] =
            [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS, libc::SIGABRT];
        // SAFETY: the sets are initialised by the calls that take them.
        unsafe {
            let mut blocked = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigfillset(&mut blocked);
            for signal in OF_FAULTS {
                libc::sigdelset(&mut blocked, signal);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, &mut before);
            SignalsBlocked { before }
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: `before` is the mask that pthread_sigmask gave.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut()) };
    }
}
