use crate::abi::bytes::par_bytes;
use crate::abi::status::{PAR_EINVAL, PAR_EPANIC, PAR_OK, par_status};
use crate::abi::sync::{par_sync, par_sync_poll_fn};
use crate::environment;
use crate::sync::{Failure, Handle, Malloced, PATIENCE, Watch};
use std::ffi::{CStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Connects to the meeting point: a Redis (6 or later), or what `par_run` with `PAR_RUN_SYNC` serves. `url` is
/// `redis://[[user]:password@]host[:port][/database]` or `unix:///path`, in which `%20` stands for the byte 0x20, and
/// `?db=N` and `?password=...` may follow. NULL: what the environment's `PAR_SYNC_URL` says, read once.
///
/// `*sync` is set even when this fails, so that `par_sync_message` can tell why, and must be given to `par_sync_close`. A
/// handle is for one thread at a time, and not for a forked child: that opens its own. Calls of a child on its parent's
/// handle are answered with `PAR_EINVAL`.
///
/// Every call below answers `PAR_OK`, or `PAR_EINVAL`: bad argument, or the key holds something else; `PAR_ESYNC`: the server is
/// gone, or has not answered for 10 seconds, and the handle is of no more use; `PAR_ENOMEM`: no memory here, or the server
/// is full; `PAR_EPANIC`: a bug of this library. Only the calls that wait answer `PAR_ETIMEDOUT`. This one answers
/// `PAR_EINVAL` for a URL that is none, and `PAR_ESYNC` for a server that cannot be reached or does not let us in.
///
/// Keys and names are texts that end with a zero. Values are bytes of any kind, at most 512 MiB.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_sync_open(sync: *mut *mut par_sync, url: *const c_char) -> par_status {
    if sync.is_null() {
        return PAR_EINVAL;
    }
    let handle: *mut par_sync = Box::into_raw(Box::new(Handle::new())).cast();
    // SAFETY: the caller passes room for a pointer.
    unsafe { *sync = handle };
    // SAFETY: the handle is new; the URL is NULL or a C string, as the header asks.
    unsafe {
        answer("par_sync_open", handle, |handle| {
            let url = match url.is_null() {
                true => environment::sync_url().map(OsStrExt::as_bytes),
                false => Some(CStr::from_ptr(url).to_bytes()),
            };
            handle.open(url, PATIENCE)
        })
    }
}

/// Ends the connection and frees the handle. Locks that it holds stay until their lease is over. NULL is fine, and so is a
/// handle from before a fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_sync_close(sync: *mut par_sync) {
    if !sync.is_null() {
        // SAFETY: the caller passes what par_sync_open gave, for the last time.
        let handle = unsafe { Box::from_raw(sync.cast::<Handle>()) };
        // Nothing is left to tell if freeing panics.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(handle)));
    }
}

/// The last failure on this handle as one sentence that begins with the name of the call; "" if there was none. The text
/// belongs to the handle and stays until its next failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_sync_message(sync: *const par_sync) -> *const c_char {
    // SAFETY: the caller passes NULL or a handle.
    match unsafe { sync.cast::<Handle>().as_ref() } {
        Some(handle) => handle.message().as_ptr(),
        None => c"par_sync_message: sync is NULL: pass a handle from par_sync_open".as_ptr(),
    }
}

/// From now on `poll(poll_ctx)` is called on the calling thread about every `poll_ms` while a call on this handle waits. If it
/// returns non-zero, the call ends with `PAR_ECANCELED` and has done nothing: no element is lost, no lock is held, no
/// arrival is counted. It must not use the handle. NULL: nobody is asked any more. `poll_ms` 0: 100 ms; waiting calls ask
/// the server as often, so 50 and more are wise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_sync_watch(
    sync: *mut par_sync,
    poll: par_sync_poll_fn,
    poll_ctx: *mut c_void,
    poll_ms: u32,
) -> par_status {
    let every = Duration::from_millis(u64::from(if poll_ms == 0 { 100 } else { poll_ms }));
    // SAFETY: the caller passes NULL or a handle, and a function that may be called with `poll_ctx`.
    unsafe {
        let watch = poll.map(|poll| Watch::new(poll, poll_ctx, every));
        answer("par_sync_watch", sync, |handle| handle.set_watch(watch))
    }
}

/// The key holds these `len` bytes from now on, whatever it held before. `value` may be NULL with `len` 0: an empty value is
/// a value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_sync_set(
    sync: *mut par_sync,
    key: *const c_char,
    value: *const c_void,
    len: usize,
) -> par_status {
    // SAFETY: the caller passes NULL or a handle, a C string, and `len` readable bytes.
    unsafe { answer("par_sync_set", sync, |handle| handle.set(text("key", key)?, bytes(value, len)?)) }
}

/// What the key holds. `*value` is zeroed by the caller, or holds an earlier result, which is freed; the caller gives it back
/// with `par_bytes_free(value, 1)`. If there is no such key, the answer is `PAR_OK` and `{NULL, 0}`; an empty value has `len`
/// 0 and a `data` that is not NULL. On failure `*value` is left as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_sync_get(sync: *mut par_sync, key: *const c_char, value: *mut par_bytes) -> par_status {
    // SAFETY: the caller passes NULL or a handle, a C string, and a par_bytes.
    unsafe {
        answer("par_sync_get", sync, |handle| {
            let (key, value) = (text("key", key)?, room(value)?);
            let got = handle.get(key)?;
            give(value, got);
            Ok(())
        })
    }
}

/// The key is gone, whatever it held. That there was no such key is no failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_sync_delete(sync: *mut par_sync, key: *const c_char) -> par_status {
    // SAFETY: the caller passes NULL or a handle, and a C string.
    unsafe { answer("par_sync_delete", sync, |handle| handle.delete(text("key", key)?)) }
}

/// Adds `by` to the number that the key holds as decimal text (no key counts as 0), in one step that no other client can
/// come between. The sum goes to `*now`, which may be NULL. `PAR_EINVAL`: it holds no number, or the sum has more than 64 bits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_sync_add(sync: *mut par_sync, key: *const c_char, by: i64, now: *mut i64) -> par_status {
    // SAFETY: the caller passes NULL or a handle, a C string, and NULL or room for a number.
    unsafe {
        answer("par_sync_add", sync, |handle| {
            let sum = handle.add(text("key", key)?, by)?;
            if let Some(now) = now.as_mut() {
                *now = sum;
            }
            Ok(())
        })
    }
}

/// Puts a value at the end of a queue. Queues are made by their first value. (In Redis: RPUSH.)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_sync_push(
    sync: *mut par_sync,
    queue: *const c_char,
    value: *const c_void,
    len: usize,
) -> par_status {
    // SAFETY: the caller passes NULL or a handle, a C string, and `len` readable bytes.
    unsafe { answer("par_sync_push", sync, |handle| handle.push(text("queue", queue)?, bytes(value, len)?)) }
}

/// Takes the first value of a queue, and waits for one at most `timeout_ms` (0: not at all; UINT64_MAX: for ever). A value
/// goes to one taker, who has waited longest. (In Redis: BLPOP.) `*value` as with `par_sync_get`.
///
/// `PAR_ETIMEDOUT`: nothing came.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_sync_pop(
    sync: *mut par_sync,
    queue: *const c_char,
    value: *mut par_bytes,
    timeout_ms: u64,
) -> par_status {
    // SAFETY: the caller passes NULL or a handle, a C string, and a par_bytes.
    unsafe {
        answer("par_sync_pop", sync, |handle| {
            let (queue, value) = (text("queue", queue)?, room(value)?);
            let got = handle.pop(queue, timeout_ms)?;
            give(value, Some(got));
            Ok(())
        })
    }
}

/// Waits until `parties` handles have come to the barrier `name`, this one included; all pass the same `parties`. The barrier
/// can be used again at once, any number of times. `timeout_ms` as with `par_sync_pop`; 0 passes only for the last to come.
///
/// `PAR_ETIMEDOUT`: not all came; the message says how many. The arrival is then taken back, as if it had not been. A process
/// that is killed while it waits cannot do that: it has arrived, and the others wait for one party less in this meeting
/// and for one more in the next, where their timeouts say so. An hour after its last use a barrier begins anew.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_sync_barrier(
    sync: *mut par_sync,
    name: *const c_char,
    parties: usize,
    timeout_ms: u64,
) -> par_status {
    // SAFETY: the caller passes NULL or a handle, and a C string.
    unsafe { answer("par_sync_barrier", sync, |handle| handle.barrier(text("name", name)?, parties, timeout_ms)) }
}

/// Takes the lock `name`, and waits for it at most `timeout_ms` (as with `par_sync_pop`). Nobody else has it until
/// `par_sync_unlock`, or until `lease_ms` are over: so a holder that dies costs the others no more than its lease. Choose a
/// lease that is longer than the work; UINT64_MAX lasts until the unlock, come what may.
///
/// `PAR_ETIMEDOUT`: others had it all the time. `PAR_EINVAL`: this handle has it already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_sync_lock(
    sync: *mut par_sync,
    name: *const c_char,
    lease_ms: u64,
    timeout_ms: u64,
) -> par_status {
    // SAFETY: the caller passes NULL or a handle, and a C string.
    unsafe { answer("par_sync_lock", sync, |handle| handle.lock(text("name", name)?, lease_ms, timeout_ms)) }
}

/// Gives the lock back. `PAR_EINVAL`: this handle does not have it. `PAR_ETIMEDOUT`: the lease was over before, so that another
/// may have had the lock meanwhile; whoever has it now keeps it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_sync_unlock(sync: *mut par_sync, name: *const c_char) -> par_status {
    // SAFETY: the caller passes NULL or a handle, and a C string.
    unsafe { answer("par_sync_unlock", sync, |handle| handle.unlock(text("name", name)?)) }
}

/// The frame of every call: what comes of it becomes a status, and the sentence stays with the handle.
///
/// # Safety
/// `sync` is NULL or a handle that no other thread uses now.
unsafe fn answer(call: &str, sync: *mut par_sync, work: impl FnOnce(&mut Handle) -> Result<(), Failure>) -> par_status {
    // SAFETY: the caller of this function promises as much.
    let Some(handle) = (unsafe { sync.cast::<Handle>().as_mut() }) else {
        return PAR_EINVAL;
    };
    match catch_unwind(AssertUnwindSafe(|| work(handle))) {
        Ok(Ok(())) => PAR_OK,
        Ok(Err(failure)) => {
            handle.tell(call, &failure.sentence);
            failure.status
        }
        Err(_) => {
            handle.tell(call, "a bug of libparmap: please report it, with what it printed to stderr");
            PAR_EPANIC
        }
    }
}

/// # Safety
/// `text` is NULL or a C string that lives while the call runs.
unsafe fn text<'a>(name: &str, text: *const c_char) -> Result<&'a [u8], Failure> {
    if text.is_null() {
        return Err(Failure::argument(format!("{name} is NULL: pass a text that ends with a zero")));
    }
    // SAFETY: the caller promises a C string.
    Ok(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// # Safety
/// `value` is NULL or `len` readable bytes that live while the call runs.
unsafe fn bytes<'a>(value: *const c_void, len: usize) -> Result<&'a [u8], Failure> {
    if len == 0 {
        return Ok(&[]);
    }
    if value.is_null() {
        return Err(Failure::argument(format!("value is NULL but len is {len}: pass the bytes, or a len of 0")));
    }
    if len > isize::MAX as usize {
        return Err(Failure::argument(format!("len is {len}, more than memory can hold: check it")));
    }
    // SAFETY: the caller promises `len` readable bytes.
    Ok(unsafe { std::slice::from_raw_parts(value.cast(), len) })
}

/// # Safety
/// `value` is NULL or a par_bytes of the caller's that lives while the call runs.
unsafe fn room<'a>(value: *mut par_bytes) -> Result<&'a mut par_bytes, Failure> {
    // SAFETY: the caller promises NULL or a par_bytes.
    unsafe { value.as_mut() }.ok_or_else(|| Failure::argument("value is NULL: pass a par_bytes for the result"))
}

fn give(value: &mut par_bytes, bytes: Option<Malloced>) {
    // SAFETY: a par_bytes that C passes is zeroed or an earlier result, which is malloc's.
    unsafe { libc::free(value.data) };
    let (data, len) = bytes.map_or((std::ptr::null_mut(), 0), Malloced::into_raw);
    *value = par_bytes { data, len };
}
