//! System calls of processes.

use libc::{c_int, pid_t, sigset_t};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Exited(i32),
    Signaled(i32),
}

unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

const PTHREAD_CANCEL_DISABLE: c_int = 1;

/// While it lives, a `pthread_cancel` waits: it would unwind the calling thread in the middle of a call. Processes that are
/// forked meanwhile never obey one that came along with the image, and was meant for that thread alone.
pub struct Uncancelable {
    before: c_int,
}

impl Uncancelable {
    pub fn new() -> Uncancelable {
        let mut before = 0;
        // SAFETY: a state of this thread; the old one outlives the call.
        unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &mut before) };
        Uncancelable { before }
    }
}

impl Drop for Uncancelable {
    fn drop(&mut self) {
        // SAFETY: the state that this thread had; nobody asks which it had meanwhile.
        unsafe { pthread_setcancelstate(self.before, ptr::null_mut()) };
    }
}

pub enum Forked {
    Child,
    Parent(pid_t),
    Refused(i32),
}

/// Forks through the C library, whose handlers keep malloc and stdio usable in the child.
pub fn fork() -> Forked {
    // SAFETY: what the child may do is the caller's business.
    match unsafe { libc::fork() } {
        0 => Forked::Child,
        pid if pid > 0 => Forked::Parent(pid),
        _ => Forked::Refused(errno()),
    }
}

pub fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

pub fn own_pid() -> pid_t {
    // SAFETY: a plain system call.
    unsafe { libc::getpid() }
}

pub fn parent_pid() -> pid_t {
    // SAFETY: a plain system call.
    unsafe { libc::getppid() }
}

/// Ends this process at once: no handler runs, nothing is flushed.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: nothing comes after it.
    unsafe { libc::_exit(code) }
}

/// Has the kernel kill this process when `parent` ends, or rather the thread of it that forked.
pub fn die_with(parent: pid_t) {
    // SAFETY: a plain system call.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // A parent in another namespace of processes has no number here.
    if ![parent, 0].contains(&parent_pid()) {
        exit_now(1); // it ended before it could be watched
    }
}

/// What `ps` and `top` show.
pub fn name_process(name: &std::ffi::CStr) {
    // SAFETY: the name is terminated; the kernel cuts it to its room.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// Blocks all signals for this thread and answers which were blocked before.
pub fn block_signals() -> sigset_t {
    let mut before = MaybeUninit::uninit();
    // SAFETY: both sets outlive the calls, and `before` is written.
    unsafe {
        let mut all = MaybeUninit::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    }
}

pub fn set_blocked_signals(signals: &sigset_t) {
    // SAFETY: the set outlives the call.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, signals, ptr::null_mut()) };
}

pub fn set_signal(signal: c_int, action: libc::sighandler_t) {
    // SAFETY: default and ignore alone are passed, which run no code.
    unsafe { libc::signal(signal, action) };
}

/// Waits until a child has changed: true; or until the time is over. SIGCHLD is blocked and not ignored.
pub fn wait_for_child_signal(timeout: Option<Duration>) -> bool {
    let time = timeout.map(timespec);
    // SAFETY: set and time outlive the call; an early answer makes the caller look again.
    unsafe {
        let mut set = MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        libc::sigtimedwait(set.as_ptr(), ptr::null_mut(), time.as_ref().map_or(ptr::null(), ptr::from_ref)) > 0
    }
}

/// A child that has ended, which is then gone; None if there is none now.
pub fn reap_any() -> Option<(pid_t, End)> {
    let mut status = 0;
    match wait(-1, &mut status, libc::WNOHANG) {
        pid if pid > 0 => Some((pid, end_of(status))),
        _ => None,
    }
}

/// Whether this child still runs. One that has ended is gone then.
pub fn runs(pid: pid_t) -> bool {
    wait(pid, &mut 0, libc::WNOHANG) == 0
}

/// Waits until this child is gone, whoever takes note of its end.
pub fn wait_until_gone(pid: pid_t) {
    while wait(pid, &mut 0, 0) < 0 && errno() == libc::EINTR {}
}

fn wait(pid: pid_t, status: &mut c_int, flags: c_int) -> pid_t {
    // SAFETY: the status outlives the call.
    unsafe { libc::waitpid(pid, status, flags) }
}

fn end_of(status: c_int) -> End {
    if libc::WIFSIGNALED(status) {
        End::Signaled(libc::WTERMSIG(status))
    } else {
        End::Exited(libc::WEXITSTATUS(status))
    }
}

pub fn kill(pid: pid_t, signal: c_int) {
    // SAFETY: a plain system call; the caller knows that the number is still its child's.
    unsafe { libc::kill(pid, signal) };
}

/// Whether a process, which need not be a child, is there and has not ended.
pub fn is_alive(pid: pid_t) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // "number (name) state ...", where the name may hold anything.
        Ok(stat) => !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])),
        // SAFETY: signal 0 does nothing.
        Err(_) => unsafe { libc::kill(pid, 0) == 0 },
    }
}

/// Stops a child and waits until it stands still or has ended; false if it does not within the time.
pub fn stop(pid: pid_t, patience: Duration) -> bool {
    kill(pid, libc::SIGSTOP);
    let flags = libc::WSTOPPED | libc::WEXITED | libc::WNOWAIT | libc::WNOHANG;
    for _ in 0..patience.as_millis().max(1) {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: `info` is large enough, and zeroed: WNOHANG leaves it so while nothing has changed.
        let changed = unsafe {
            libc::waitid(libc::P_PID, pid as libc::id_t, info.as_mut_ptr(), flags) == 0
                && info.assume_init().si_pid() != 0
        };
        if changed {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

pub fn yield_cpu() {
    // SAFETY: a plain system call.
    unsafe { libc::sched_yield() };
}

/// Waits until a word in shared memory is no longer `expected`, or the time is over, or a signal came.
pub fn wait_for_word(word: &AtomicU32, expected: u32, timeout: Duration) {
    let time = timespec(timeout);
    // SAFETY: the word and the time outlive the call.
    unsafe { libc::syscall(libc::SYS_futex, ptr::from_ref(word), libc::FUTEX_WAIT, expected, ptr::from_ref(&time)) };
}

pub fn wake_word(word: &AtomicU32) {
    // SAFETY: the kernel takes the address as a name and does not read it.
    unsafe { libc::syscall(libc::SYS_futex, ptr::from_ref(word), libc::FUTEX_WAKE, i32::MAX) };
}

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec { tv_sec: time.as_secs().min(i32::MAX as u64) as libc::time_t, tv_nsec: time.subsec_nanos() as _ }
}
