//! The threads that help: made by rayon, in a pool of our own, and resident.
//!
//! A helper looks at the board for open loops, helps, and goes to sleep when there are none; how long it looks is for
//! `attention` to say. The pool grows to what calls
//! ask for and never shrinks; it is never torn down either, since the library stays loaded. A forked child has none of the
//! threads of its parent: it recognises the inherited pool by its token, leaks it, and makes a new one when it needs one.

use super::attention::Attention;
use super::board::{Board, Seat};
use super::ticks::Tick;
use super::worker::{fetch, help};
use crate::fork::process_token;
use crate::signals::SignalsBlocked;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::*};
use std::sync::{Mutex, PoisonError};

#[derive(Debug)]
pub struct Pool {
    /// Of the process whose threads these are.
    token: u64,
    pub board: Board,
    pub attention: Attention,
    helpers: AtomicUsize,
    /// Each a thread. Dropping one would end it.
    crews: Mutex<Vec<rayon::ThreadPool>>,
}

/// A helper that looks for work looks at the clock after so many looks at the board.
const LOOKS: u32 = 16;

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
            attention: Attention::new(),
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
        let mut helpers = self.helpers.load(Acquire);
        while helpers < wanted {
            match hire_one(helpers) {
                Ok(crew) => {
                    // spawn_broadcast returns at once: the thread begins to look for work on its own.
                    crew.spawn_broadcast(move |_| self.reside(helpers));
                    crews.push(crew);
                    helpers += 1;
                    self.helpers.store(helpers, Release);
                }
                Err(error) => return (helpers, Some(error)),
            }
        }
        (helpers, None)
    }

    /// What a helper does for ever.
    fn reside(&self, helper: usize) {
        loop {
            let awake = self.attention.awake();
            let mut woken = true;
            while let Some(seat) = self.look(helper) {
                // Line 0 is where callers begin.
                help(seat, helper + 1, woken, || self.board.wake_one());
                woken = false;
            }
            drop(awake);
            self.board.sleep();
        }
    }

    /// Looks for an open loop for as long as looking pays.
    fn look(&self, helper: usize) -> Option<Seat<'_>> {
        let start = Tick::now();
        let mut looks = 0u32;
        loop {
            if let Some(seat) = self.board.join(helper, fetch) {
                return Some(seat);
            }
            std::hint::spin_loop();
            looks += 1;
            if looks.is_multiple_of(LOOKS) && Tick::now().since(start) > self.attention.span() {
                return None;
            }
        }
    }
}

/// A crew of one: rayon makes all threads of a pool or none, and what the system has granted is to be kept.
fn hire_one(before: usize) -> Result<rayon::ThreadPool, io::Error> {
    let mut refusal = None;
    let crew = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .spawn_handler(|thread| {
            let mut builder = std::thread::Builder::new().name(format!("parmap-{}", before + 1));
            if let Some(size) = default_stack_size() {
                builder = builder.stack_size(size);
            }
            builder.spawn(move || thread.run()).map(drop).inspect_err(|error| refusal = error.raw_os_error())
        })
        .build();
    crew.map_err(|_| io::Error::from_raw_os_error(refusal.unwrap_or(libc::EAGAIN)))
}

/// What pthread_create would give a thread of the host; Rust's own default is smaller.
pub fn default_stack_size() -> Option<usize> {
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
