//! Reads `par_options` and `par_report`: sizes first, then every field, into what executors see.

use super::ranks;
use crate::abi::options::*;
use crate::abi::status::{PAR_EINVAL, PAR_ENOTSUP, par_item, par_status};
use crate::job::user::{ForkHooks, Items, Poll, WorkerHooks};
use crate::options::{Executor, Options};
use crate::{cpus, environment};
use std::mem::{MaybeUninit, offset_of};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Larger sizes are taken for garbage in an uninitialised struct.
const LARGEST: usize = 4096;
/// `size`, `executor` and `flags`: less says nothing.
const SMALLEST: usize = offset_of!(par_options, workers);
const POLL_MS: u32 = 100;

/// Why nothing ran.
pub struct Refusal {
    pub status: par_status,
    pub sentence: String,
}

impl From<String> for Box<Refusal> {
    fn from(sentence: String) -> Box<Refusal> {
        Box::new(Refusal { status: PAR_EINVAL, sentence })
    }
}

fn not_supported(sentence: &str) -> Box<Refusal> {
    Box::new(Refusal { status: PAR_ENOTSUP, sentence: sentence.into() })
}

/// The options as this library knows them: what an older program left out is zero.
pub struct Known<'a> {
    pub options: &'a par_options,
    /// Where a newer program asks for something that this library does not know.
    unknown_at: Option<usize>,
}

impl Known<'_> {
    /// The same with other options in their place, for a call that has looked at some fields itself.
    pub fn with<'a>(&self, options: &'a par_options) -> Known<'a> {
        Known { options, unknown_at: self.unknown_at }
    }
}

/// # Safety
/// `options` is NULL or begins with its own size in bytes, all of them readable until the call returns.
#[inline]
pub unsafe fn read<'a>(
    options: *const par_options,
    copy: &'a mut MaybeUninit<par_options>,
) -> Result<Known<'a>, Box<Refusal>> {
    static DEFAULTS: Defaults = Defaults(par_options::DEFAULT);
    if options.is_null() {
        return Ok(Known { options: &DEFAULTS.0, unknown_at: None });
    }
    // SAFETY: the size comes first.
    let size = unsafe { ptr::read(options.cast::<usize>()) };
    if size == size_of::<par_options>() {
        // SAFETY: the caller promises as many readable bytes, and every bit pattern is a par_options of numbers, pointers
        // and functions.
        return Ok(Known { options: unsafe { &*options }, unknown_at: None });
    }
    // SAFETY: the caller promises `size` readable bytes.
    unsafe { read_other(options, size, copy) }
}

/// Options of an older or a newer program.
#[cold]
unsafe fn read_other<'a>(
    options: *const par_options,
    size: usize,
    copy: &'a mut MaybeUninit<par_options>,
) -> Result<Known<'a>, Box<Refusal>> {
    if !(SMALLEST..=LARGEST).contains(&size) || !size.is_multiple_of(align_of::<par_options>()) {
        let right = size_of::<par_options>();
        return Err(format!("options->size is {size}, not {right}: initialise options with PAR_OPTIONS_INIT").into());
    }
    let known = copy.write(par_options::DEFAULT);
    let bytes = options.cast::<u8>();
    let common = size.min(size_of::<par_options>());
    // SAFETY: the caller promises `size` readable bytes.
    let unknown_at = unsafe {
        ptr::copy_nonoverlapping(bytes, ptr::from_mut(known).cast(), common);
        let tail = std::slice::from_raw_parts(bytes.add(common), size - common);
        tail.iter().position(|&byte| byte != 0).map(|at| common + at)
    };
    Ok(Known { options: known, unknown_at })
}

/// Whether the options name executor `PAR_MPI`, as far as that can be read before they are checked.
///
/// # Safety
/// As for `read`.
#[inline]
pub unsafe fn name_ranks(options: *const par_options) -> bool {
    // SAFETY: the size comes first, and says whether the executor is there.
    !options.is_null() && unsafe { ptr::read(options.cast::<usize>()) >= SMALLEST && (*options).executor == PAR_MPI }
}

struct Defaults(par_options);

// SAFETY: its pointers are NULL.
unsafe impl Sync for Defaults {}

/// Where the call tells about itself. Err: its size is none.
///
/// # Safety
/// A report that is not NULL begins with its own size in bytes, all of them writable.
#[inline]
pub unsafe fn report<'a>(options: &par_options) -> Result<Option<&'a mut par_report>, Box<Refusal>> {
    // SAFETY: the caller promises NULL or a report; only its size is read before it is known to be one.
    let Some(size) = (unsafe { options.report.cast::<usize>().as_ref() }).copied() else {
        return Ok(None);
    };
    let right = size_of::<par_report>();
    if !(right..=LARGEST).contains(&size) {
        return Err(format!("report->size is {size}, not {right}: set it to sizeof(par_report)").into());
    }
    // SAFETY: the caller promises `size` writable bytes.
    unsafe {
        ptr::write_bytes(options.report.cast::<u8>().add(right), 0, size - right);
        Ok(options.report.as_mut())
    }
}

/// Checks every field and says what executors need to know.
#[inline]
pub fn check(known: &Known, n: usize) -> Result<Options<'static>, Box<Refusal>> {
    let options = known.options;
    if let Some(at) = known.unknown_at {
        return Err(format!(
            "options has a non-zero byte at offset {at}, beyond what this library knows: leave it 0, or link a newer library"
        )
        .into());
    }
    let executor = executor(options.executor)?;
    if options.flags & (PAR_RUN_INHERIT | PAR_RUN_SYNC) != 0 {
        return Err(format!("options->flags is {}: PAR_RUN_* are for par_run alone", options.flags).into());
    }
    if options.flags & !PAR_KEEP_GOING != 0 {
        return Err(format!("options->flags is {}: use PAR_KEEP_GOING or 0", options.flags).into());
    }
    if options.reserved != 0 {
        return Err(format!("options->reserved is {}: leave it 0", options.reserved).into());
    }
    if options.item_timeout_ms != 0 && matches!(executor, Executor::Threads | Executor::Mpi) {
        return Err(not_supported(
            "item_timeout_ms cannot end an item on a thread: use PAR_PROCESSES, or timeout_ms for the whole call",
        ));
    }
    if n.checked_mul(size_of::<par_item>()).is_none_or(|len| len > isize::MAX as usize) && !options.items.is_null() {
        return Err(format!("options->items would need {n} entries, more than memory can hold: check n").into());
    }
    // SAFETY: a cancel flag is an int that outlives the call; others write it as an int, which an atomic load respects.
    let cancel = unsafe { options.cancel.cast_mut().cast::<AtomicI32>().as_ref() };
    Ok(Options {
        executor,
        workers: match workers(options.workers)? {
            default if options.workers == 0 && executor == Executor::Mpi => ranks::workers(default)?,
            workers => workers,
        },
        grain: options.grain.max(1),
        keep_going: options.flags & PAR_KEEP_GOING != 0,
        timeout: (options.timeout_ms > 0).then(|| Duration::from_millis(options.timeout_ms)),
        item_timeout: (options.item_timeout_ms > 0).then(|| Duration::from_millis(options.item_timeout_ms)),
        cancel,
        poll: options.poll.is_some().then(|| Poll {
            function: options.poll,
            ctx: options.poll_ctx,
            every: Duration::from_millis(u64::from(if options.poll_ms == 0 { POLL_MS } else { options.poll_ms })),
        }),
        hooks: (options.worker_start.is_some() || options.worker_stop.is_some()).then_some(WorkerHooks {
            start: options.worker_start,
            stop: options.worker_stop,
            ctx: options.worker_ctx,
        }),
        fork_hooks: ForkHooks {
            before: options.before_fork,
            after_in_parent: options.after_fork_parent,
            after_in_child: options.after_fork_child,
            ctx: options.fork_ctx,
        },
        items: Items(options.items),
    })
}

#[inline]
fn executor(number: u32) -> Result<Executor, Box<Refusal>> {
    match number {
        PAR_THREADS => Ok(Executor::Threads),
        #[cfg(target_os = "linux")]
        PAR_PROCESSES => Ok(Executor::Processes),
        #[cfg(not(target_os = "linux"))]
        PAR_PROCESSES => Err(not_supported("executor PAR_PROCESSES needs Linux: use PAR_THREADS")),
        PAR_MPI => Ok(Executor::Mpi),
        other => Err(format!("options->executor is {other}: use PAR_THREADS, PAR_PROCESSES or PAR_MPI").into()),
    }
}

#[inline]
fn workers(asked: usize) -> Result<usize, Box<Refusal>> {
    if asked > 0 { Ok(asked) } else { default_workers() }
}

/// The default number of workers; 0 before the first call.
static DEFAULT_WORKERS: AtomicUsize = AtomicUsize::new(0);

/// Whether an earlier call has read the environment, and found nothing wrong with it.
#[inline]
pub fn defaults_are_known() -> bool {
    DEFAULT_WORKERS.load(Relaxed) != 0
}

#[inline]
fn default_workers() -> Result<usize, Box<Refusal>> {
    match DEFAULT_WORKERS.load(Relaxed) {
        0 => {
            let workers = environment::workers()?.unwrap_or_else(cpus::available);
            DEFAULT_WORKERS.store(workers, Relaxed);
            Ok(workers)
        }
        workers => Ok(workers),
    }
}
