use crate::abi::bytes::par_bytes;
use crate::abi::mpi::*;
use crate::abi::status::*;
use crate::mpi::{Failure, collectives, messages, pause, session};
use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Instant;

/// Becomes a rank of the MPI job that a launcher (mpiexec, srun) started; without one, rank 0 of 1 with nothing loaded.
///
/// Every call below does this by itself, so that it need not be called. The first such call of a rank waits until every
/// rank has made one. The library that belongs to the launcher is found and loaded then; the environment's
/// `PAR_MPI_LIBRARY` names another. A program that has called `MPI_Init` itself keeps its MPI, and one that calls it later
/// must ask `MPI_Initialized` first, as for any library.
///
/// These calls are for one thread at a time (any thread, unless the program initialised MPI below
/// MPI_THREAD_SERIALIZED), for the rank itself and not for its forked children, and not for callbacks of a call with
/// executor `PAR_MPI`.
///
/// A rank that ends with exit status 0 waits until all do so, and MPI is finalized; one that ends with another status
/// takes the whole job down. (Neither holds where the program initialised MPI itself, nor for `_exit`, of which the launcher
/// alone hears: MPICH 4 counts an `_exit(0)` as success.)
///
/// All calls below answer `PAR_OK`, or `PAR_EINVAL`: bad argument. `PAR_ENOMEM`. `PAR_ENOTSUP`: called in a callback of a
/// `PAR_MPI` call. `PAR_EMPI`: there is no library for this launcher, or MPI failed, or is finalized; `par_mpi_message`
/// says which.
#[unsafe(no_mangle)]
pub extern "C" fn par_mpi_init() -> par_status {
    run("par_mpi_init", || session::enter().map(drop))
}

/// This process's number among the ranks, from 0. -1 if MPI cannot be had: `par_mpi_message` says why.
#[unsafe(no_mangle)]
pub extern "C" fn par_mpi_rank() -> c_int {
    number("par_mpi_rank", |(rank, _)| rank)
}

/// How many ranks there are. -1 if MPI cannot be had: `par_mpi_message` says why.
#[unsafe(no_mangle)]
pub extern "C" fn par_mpi_size() -> c_int {
    number("par_mpi_size", |(_, size)| size)
}

/// The MPI library that is loaded, its version and its file, or "none". The text lives as long as the process.
#[unsafe(no_mangle)]
pub extern "C" fn par_mpi_library() -> *const c_char {
    static NAME: Text<512> = Text::empty();
    let mut known = None;
    run("par_mpi_library", || {
        known = session::library_name()?;
        Ok(())
    });
    NAME.set(format_args!("{}", known.unwrap_or("none")));
    NAME.as_ptr()
}

/// One plain sentence about the last par_mpi call that failed; empty if none has. The text lives as long as the process, and
/// changes with the next failure.
#[unsafe(no_mangle)]
pub extern "C" fn par_mpi_message() -> *const c_char {
    MESSAGE.as_ptr()
}

/// Writes the name of the machine that this rank runs on, terminated, cut to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_mpi_processor_name(name: *mut c_char, size: usize) -> par_status {
    run("par_mpi_processor_name", || {
        if name.is_null() || size == 0 {
            return Err(Failure::argument("there is no room for the name: pass an array and its size"));
        }
        let known = session::enter()?.session().processor_name()?.unwrap_or_else(host_name);
        let fits = cut(&known, size - 1);
        // SAFETY: the caller passes room for `size` bytes, which are as many or more.
        let room = unsafe { slice::from_raw_parts_mut(name.cast::<u8>(), fits + 1) };
        room[..fits].copy_from_slice(&known.as_bytes()[..fits]);
        room[fits] = 0;
        Ok(())
    })
}

/// Sends `len` bytes to the rank `destination`, this rank included. Any length, also 0; `tag` is yours, from 0 to 32767.
///
/// Returns when `data` may be changed again. Whether the message has been received by then is not known: a long one may
/// wait for its receiver, so two ranks that both send long ones first wait for ever, but a rank may always send to itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_mpi_send(data: *const c_void, len: usize, destination: c_int, tag: c_int) -> par_status {
    run("par_mpi_send", || {
        check_data("data", data, len)?;
        // SAFETY: the caller passes so many bytes, as checked.
        let data = unsafe { bytes(data, len) };
        messages::send(session::enter()?.session(), data, destination, tag)
    })
}

/// Waits for a message and receives it. `message` is zeroed or holds an earlier one, whose memory is freed; the caller
/// gives the new one back with `par_bytes_free(message, 1)`. An empty message is `{NULL, 0}`.
///
/// `source` is a rank, this one included, and `tag` a number, or either is `PAR_MPI_ANY`. `*from` and `*with_tag` are set to
/// what the message has; both may be NULL. Messages from one rank with one tag come in the order in which they were sent.
///
/// `PAR_EMPI` also where a rank would wait for itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_mpi_receive(
    message: *mut par_bytes,
    source: c_int,
    tag: c_int,
    from: *mut c_int,
    with_tag: *mut c_int,
) -> par_status {
    run("par_mpi_receive", || {
        // SAFETY: the caller passes NULL or a par_bytes, and NULL or places for ints.
        let (message, from, with_tag) = unsafe { (message.as_mut(), from.as_mut(), with_tag.as_mut()) };
        let message = message.ok_or_else(|| Failure::argument("message is NULL: pass a zeroed par_bytes"))?;
        let (source, tag) = ((source != PAR_MPI_ANY).then_some(source), (tag != PAR_MPI_ANY).then_some(tag));
        let received = messages::receive(session::enter()?.session(), source, tag)?;
        // SAFETY: what the caller's par_bytes holds is malloc's.
        unsafe { messages::put(received.bytes, message) };
        from.into_iter().for_each(|from| *from = received.source);
        with_tag.into_iter().for_each(|tag| *tag = received.tag);
        Ok(())
    })
}

/// As `par_mpi_receive`, into memory of the caller's: `data` has room for `room` bytes. `*len` is set to the length of the
/// message; it may be NULL.
///
/// A message that is longer than `room` is lost, and the answer is `PAR_EINVAL`; `*len` is what would have been needed, and what
/// `data` holds is not specified. This
/// is the cheapest way to receive: a message of up to 4096 bytes takes no memory, and comes as fast as by MPI itself but for
/// some 50 ns. A longer one is two messages to MPI: its length, and its bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_mpi_receive_into(
    data: *mut c_void,
    room: usize,
    len: *mut usize,
    source: c_int,
    tag: c_int,
    from: *mut c_int,
    with_tag: *mut c_int,
) -> par_status {
    run("par_mpi_receive_into", || {
        check_data("data", data, room)?;
        // SAFETY: the caller passes NULL or places for numbers.
        let (len, from, with_tag) = unsafe { (len.as_mut(), from.as_mut(), with_tag.as_mut()) };
        let (source, tag) = ((source != PAR_MPI_ANY).then_some(source), (tag != PAR_MPI_ANY).then_some(tag));
        // SAFETY: the caller passes so many bytes, as checked.
        let data = if room == 0 { &mut [] } else { unsafe { slice::from_raw_parts_mut(data.cast(), room) } };
        let received = messages::receive_in_place(session::enter()?.session(), data, source, tag)?;
        len.into_iter().for_each(|len| *len = received.len);
        from.into_iter().for_each(|from| *from = received.source);
        with_tag.into_iter().for_each(|tag| *tag = received.tag);
        messages::check_room(&received, room)
    })
}

/// Has `look(ctx)` run, on the thread that waits, whenever a par_mpi call of this process has to wait: at once, after 0.1 ms,
/// then at least every millisecond. Where it answers non-zero, `par_mpi_receive` and `par_mpi_receive_into` answer
/// `PAR_ECANCELED`, and no message is lost; other calls cannot be taken back and go on. NULL: nothing runs any more.
///
/// For hosts that must handle signals or let other threads in meanwhile. Set it for one call at a time, around it.
#[unsafe(no_mangle)]
pub extern "C" fn par_mpi_while_waiting(look: par_mpi_wait_fn, ctx: *mut c_void) {
    pause::set(look, ctx);
}

/// Gives the `len` bytes that the rank `root` has in `data` to all ranks. Every rank makes the same call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_mpi_broadcast(data: *mut c_void, len: usize, root: c_int) -> par_status {
    run("par_mpi_broadcast", || {
        check_data("data", data, len)?;
        // SAFETY: the caller passes so many bytes, as checked.
        unsafe { collectives::broadcast(session::enter()?.session(), data.cast(), len, root) }
    })
}

/// Gives every rank its share of the `all` of rank `root`: rank r gets the `each` bytes that begin at `r * each` in `mine`.
/// `all` is not read on other ranks. Every rank makes the same call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_mpi_scatter(
    all: *const c_void,
    mine: *mut c_void,
    each: usize,
    root: c_int,
) -> par_status {
    run("par_mpi_scatter", || {
        check_data("mine", mine, each)?;
        let mut access = session::enter()?;
        check_all(access.session(), all, each, root)?;
        // SAFETY: the caller passes so many bytes, as checked.
        unsafe { collectives::scatter(access.session(), all.cast(), mine.cast(), each, root) }
    })
}

/// Brings the `each` bytes of every rank's `mine` to the `all` of rank `root`, those of rank r to `r * each`. `all` is not
/// written on other ranks. Every rank makes the same call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_mpi_gather(mine: *const c_void, all: *mut c_void, each: usize, root: c_int) -> par_status {
    run("par_mpi_gather", || {
        check_data("mine", mine, each)?;
        let mut access = session::enter()?;
        check_all(access.session(), all, each, root)?;
        // SAFETY: the caller passes so many bytes, as checked.
        unsafe { collectives::gather(access.session(), mine.cast(), all.cast(), each, root) }
    })
}

/// Combines the `count` elements of every rank's `in`, one by one: the result comes to the `out` of rank `root`, where the
/// two may be the same array. `out` is not written on other ranks. Every rank makes the same call.
///
/// `type` is `PAR_INT8` to `PAR_DOUBLE`, `op` is `PAR_SUM` to `PAR_BXOR`. In which order floating-point numbers are
/// combined is for MPI to say; `par_reduce` has the same bits always.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_mpi_reduce(
    r#in: *const c_void,
    out: *mut c_void,
    count: usize,
    r#type: u32,
    op: u32,
    root: c_int,
) -> par_status {
    run("par_mpi_reduce", || {
        let width = width(r#type)?;
        check_operation(r#type, op)?;
        let len = count.checked_mul(width).filter(|&len| len <= isize::MAX as usize);
        let len = len.ok_or_else(|| Failure::argument(format!("count is {count}, more than memory can hold")))?;
        check_data("in", r#in, len)?;
        let mut access = session::enter()?;
        if access.session().rank == root {
            check_data("out", out, len)?;
        }
        let kind = (r#type as usize - 1, width);
        // SAFETY: the caller passes so many elements, as checked.
        unsafe { collectives::reduce(access.session(), r#in.cast(), out.cast(), count, kind, op as usize - 1, root) }
    })
}

/// Waits until every rank has come here.
#[unsafe(no_mangle)]
pub extern "C" fn par_mpi_barrier() -> par_status {
    run("par_mpi_barrier", || collectives::barrier(session::enter()?.session()))
}

/// Seconds since some moment in the past; the moment may differ between ranks.
#[unsafe(no_mangle)]
pub extern "C" fn par_mpi_wtime() -> f64 {
    static START: Mutex<Option<Instant>> = Mutex::new(None);
    catch_unwind(|| {
        let mut start = START.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        start.get_or_insert_with(Instant::now).elapsed().as_secs_f64()
    })
    .unwrap_or(0.0)
}

/// Ends all ranks at once, whatever they do, with exit status `code` (0 counts as 1, since an abort is no success). It does
/// not return.
#[unsafe(no_mangle)]
pub extern "C" fn par_mpi_abort(code: c_int) {
    // Of an exit status, the last eight bits are seen.
    let code = if code & 0xff == 0 { 1 } else { code };
    let _ = catch_unwind(|| session::abort(code));
    // SAFETY: a process without other ranks ends here; nothing of it runs any more.
    unsafe {
        libc::fflush(std::ptr::null_mut());
        libc::_exit(code)
    }
}

/// Ends MPI, if it began here. Waits until every rank has come here. Not needed: the normal end of a program does the same.
/// Afterwards every call but this one, `par_mpi_wtime` and `par_mpi_abort` answers `PAR_EMPI`.
#[unsafe(no_mangle)]
pub extern "C" fn par_mpi_finalize() -> par_status {
    run("par_mpi_finalize", session::finalize)
}

/// A text that C reads at any time: it ends with a zero byte at every moment.
struct Text<const ROOM: usize>([AtomicU8; ROOM]);

static MESSAGE: Text<512> = Text::empty();

impl<const ROOM: usize> Text<ROOM> {
    const fn empty() -> Text<ROOM> {
        Text([const { AtomicU8::new(0) }; ROOM])
    }

    /// Cut to the room there is.
    fn set(&self, text: std::fmt::Arguments) {
        let text = text.to_string();
        let fits = cut(&text, ROOM - 1);
        let bytes = text.as_bytes()[..fits].iter().copied().chain(std::iter::repeat(0));
        self.0.iter().zip(bytes).for_each(|(place, byte)| place.store(byte, Relaxed));
    }

    fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

/// The frame of every call: what went wrong becomes the message and a status, and no panic gets through.
fn run(name: &str, call: impl FnOnce() -> Result<(), Failure>) -> par_status {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => PAR_OK,
        Ok(Err(failure)) => {
            MESSAGE.set(format_args!("{name}: {}", failure.sentence));
            failure.status
        }
        Err(_) => {
            MESSAGE.set(format_args!("{name}: a bug of libparmap: please report it, with what it printed to stderr"));
            PAR_EPANIC
        }
    }
}

fn number(name: &str, which: impl Fn((i32, i32)) -> i32) -> c_int {
    let mut answer = -1;
    run(name, || {
        let known = match session::known() {
            Some(known) => known,
            None => {
                let mut access = session::enter()?;
                let session = access.session();
                (session.rank, session.size)
            }
        };
        answer = which(known);
        Ok(())
    });
    answer
}

fn check_data(name: &str, data: *const c_void, len: usize) -> Result<(), Failure> {
    if data.is_null() && len > 0 {
        return Err(Failure::argument(format!(
            "{name} is NULL but there are {len} bytes: pass them, or a length of 0"
        )));
    }
    if len > isize::MAX as usize {
        return Err(Failure::argument(format!("{name} has {len} bytes, more than memory can hold")));
    }
    Ok(())
}

fn check_all(session: &session::Session, all: *const c_void, each: usize, root: c_int) -> Result<(), Failure> {
    let len = each.saturating_mul(session.size as usize);
    if session.rank == root { check_data("all", all, len) } else { Ok(()) }
}

fn width(kind: u32) -> Result<usize, Failure> {
    match kind {
        PAR_INT8 | PAR_UINT8 => Ok(1),
        PAR_INT32 | PAR_UINT32 | PAR_FLOAT => Ok(4),
        PAR_INT64 | PAR_UINT64 | PAR_DOUBLE => Ok(8),
        _ => Err(Failure::argument(format!("type is {kind}: use PAR_INT8 to PAR_DOUBLE"))),
    }
}

fn check_operation(kind: u32, operation: u32) -> Result<(), Failure> {
    match operation {
        PAR_SUM | PAR_PROD | PAR_MIN | PAR_MAX => Ok(()),
        PAR_BAND | PAR_BOR | PAR_BXOR if kind == PAR_FLOAT || kind == PAR_DOUBLE => Err(Failure::argument(format!(
            "op is {operation}, which is for integers: use PAR_SUM, PAR_PROD, PAR_MIN or PAR_MAX with floating-point numbers"
        ))),
        PAR_BAND | PAR_BOR | PAR_BXOR => Ok(()),
        _ => Err(Failure::argument(format!("op is {operation}: use PAR_SUM to PAR_BXOR"))),
    }
}

/// # Safety
/// `data` has `len` bytes, or is NULL and `len` is 0.
unsafe fn bytes<'a>(data: *const c_void, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: the caller says so.
    unsafe { slice::from_raw_parts(data.cast(), len) }
}

/// How much of a text fits, in whole characters.
fn cut(text: &str, room: usize) -> usize {
    (0..=text.len().min(room)).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0)
}

fn host_name() -> String {
    let mut name = [0u8; 256];
    // SAFETY: the last byte stays zero.
    unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(0);
    String::from_utf8_lossy(&name[..end]).into_owned()
}
