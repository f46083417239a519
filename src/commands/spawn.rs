//! Starts a program from a child that runs on the host's memory, on a stack of its own, until it has loaded the program. So a
//! start takes the same time whatever the host's size, and the child can write down what went wrong. `vfork` and
//! `posix_spawn` do the same but hold up the caller meanwhile, and give no pidfd. Here the caller goes on: it can start the
//! next, and look after those that run.
//!
//! Between `clone` and `execve` there are nothing but raw system calls: no allocation, no lock, no panic, no `errno`. What the
//! child reads and writes is a `Launch`, which lives until the child has ended. (valgrind makes a fork of it: there the parent
//! does not see what was written, and a program that cannot be loaded exits with 127.)

use super::child::Child;
use super::lookup::Paths;
use super::raw;
use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::*};

/// What to start, and with what.
pub struct Program<'a> {
    /// Where it may be, and which of these to try first.
    pub paths: (Rc<Paths>, usize),
    pub argv: *const *const c_char,
    pub env: Environ,
    pub dir: Option<&'a CStr>,
    /// Standard input, output and error; None: the host's. None of them is below 3.
    pub files: [Option<BorrowedFd<'a>>; 3],
}

/// A NULL-terminated environment: somebody else's, or made for one command.
pub enum Environ {
    Lent(*const *const c_char),
    Made(Vec<*const c_char>),
}

/// What a start failed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The system gives no process, pipe or descriptor: it may do so later.
    Resources,
    Dir,
    Program,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    pub step: Step,
    pub errno: i32,
}

/// The deepest call in it is a system call. A signal cannot come.
const STACK: usize = 16 * 1024;

#[repr(align(64))]
struct Stack(#[allow(dead_code)] [MaybeUninit<u8>; STACK]);

/// All that a child looks at before it has loaded its program: boxed, and not as `Box`, which would be ours alone.
pub struct Launch {
    stack: NonNull<Stack>,
    orders: NonNull<Orders>,
}

/// The child has ended: it is whoever holds the launch that sees to it.
impl Drop for Launch {
    fn drop(&mut self) {
        // SAFETY: both were boxes, and nobody uses them any more.
        unsafe {
            drop(Box::from_raw(self.stack.as_ptr()));
            drop(Box::from_raw(self.orders.as_ptr()));
        }
    }
}

struct Orders {
    paths: Rc<Paths>,
    first: usize,
    argv: *const *const c_char,
    env: Environ,
    dir: *const c_char,
    files: [c_int; 3],
    host: libc::pid_t,
    /// What the child answers: the path that it tries, and the errno that it ends with, at each step's own place.
    path: AtomicUsize,
    dir_errno: AtomicI32,
    program_errno: AtomicI32,
    files_errno: AtomicI32,
}

impl Launch {
    fn orders(&self) -> &Orders {
        // SAFETY: it lives as long as this; what the child writes is atomic.
        unsafe { self.orders.as_ref() }
    }

    /// Why the program was not loaded, once the child has ended.
    pub fn failure(&self) -> Option<Failure> {
        let orders = self.orders();
        let steps = [
            (Step::Resources, &orders.files_errno),
            (Step::Dir, &orders.dir_errno),
            (Step::Program, &orders.program_errno),
        ];
        steps.into_iter().map(|(step, errno)| Failure { step, errno: errno.load(Acquire) }).find(|it| it.errno != 0)
    }

    /// The list of paths, and the index at which the program was found if it was.
    pub fn found(&self) -> (&Rc<Paths>, usize) {
        (&self.orders().paths, self.orders().path.load(Acquire))
    }
}

/// Starts programs, one after the other.
pub struct Spawner {
    /// Whether each start waits until the program is loaded.
    waits: bool,
}

impl Spawner {
    pub fn new() -> Spawner {
        // valgrind knows children that share memory only if their parent waits.
        let under_valgrind = std::env::var("LD_PRELOAD").is_ok_and(|list| list.contains("/vgpreload_"));
        Spawner { waits: under_valgrind || !raw::LEAVES_ERRNO_ALONE }
    }

    pub fn spawn(&mut self, program: Program) -> Result<(Child, Launch), Failure> {
        let launch = Launch {
            stack: NonNull::from(Box::leak(Box::new(Stack([MaybeUninit::uninit(); STACK])))),
            orders: NonNull::from(Box::leak(Box::new(Orders {
                paths: program.paths.0,
                first: program.paths.1,
                argv: program.argv,
                env: program.env,
                dir: program.dir.map_or(ptr::null(), CStr::as_ptr),
                files: program.files.map(|file| file.map_or(-1, |file| file.as_raw_fd())),
                // SAFETY: plain system call.
                host: unsafe { libc::getpid() },
                path: AtomicUsize::new(0),
                dir_errno: AtomicI32::new(0),
                program_errno: AtomicI32::new(0),
                files_errno: AtomicI32::new(0),
            }))),
        };
        let mut cloned = self.clone(&launch);
        if cloned.is_err_and(|errno| matches!(errno, libc::EINVAL | libc::ENOSYS)) && !self.waits {
            // Emulators of Linux know the other kind alone.
            self.waits = true;
            cloned = self.clone(&launch);
        }
        let (pid, pidfd) = cloned.map_err(|errno| Failure { step: Step::Resources, errno })?;
        if pidfd < 0 {
            // Linux before 5.2 does not know the flag.
            // SAFETY: plain system calls; the child is ours and has not been waited for.
            unsafe {
                libc::kill(pid, libc::SIGKILL);
                libc::waitpid(pid, ptr::null_mut(), 0);
            }
            return Err(Failure { step: Step::Resources, errno: libc::ENOSYS });
        }
        // SAFETY: the kernel has just opened it for us.
        Ok((Child::new(pid, unsafe { OwnedFd::from_raw_fd(pidfd) }), launch))
    }

    /// The child's number and its pidfd, or an errno.
    fn clone(&self, launch: &Launch) -> Result<(libc::pid_t, c_int), c_int> {
        let wait = if self.waits { libc::CLONE_VFORK } else { 0 };
        let flags = libc::CLONE_VM | libc::CLONE_PIDFD | libc::SIGCHLD | wait;
        let mut pidfd: c_int = -1;
        // A handler of the host's must not run in the child, on the host's memory.
        let _blocked = AllBlocked::new();
        // SAFETY: the child runs `obey` on a stack that nobody else uses. Both stay where they are until it has ended. Of the
        // arguments behind `pidfd` none is looked at without its flag.
        unsafe {
            let top = launch.stack.as_ptr().add(1).cast::<c_void>();
            match libc::clone(obey, top, flags, launch.orders.as_ptr().cast(), ptr::from_mut(&mut pidfd)) {
                -1 => Err(*libc::__errno_location()),
                pid => Ok((pid, pidfd)),
            }
        }
    }
}

/// Blocks every signal of the calling thread, those that the C library keeps for itself among them.
struct AllBlocked {
    before: u64,
}

const KERNEL_SIGNAL_SET: usize = size_of::<u64>();

impl AllBlocked {
    fn new() -> AllBlocked {
        let mut before = 0;
        set_mask(u64::MAX, &mut before);
        AllBlocked { before }
    }
}

impl Drop for AllBlocked {
    fn drop(&mut self) {
        set_mask(self.before, ptr::null_mut());
    }
}

fn set_mask(mask: u64, before: *mut u64) {
    let (how, mask) = (libc::SIG_SETMASK as usize, ptr::from_ref(&mask).addr());
    // SAFETY: both are as long as the kernel is told, and `before` may be NULL.
    unsafe { raw::call(libc::SYS_rt_sigprocmask, how, mask, before.addr(), KERNEL_SIGNAL_SET) };
}

/// What the child does. It returns only when it has failed, and thereby ends.
extern "C" fn obey(orders: *mut c_void) -> c_int {
    // SAFETY: the parent passes its orders, and keeps them.
    load(unsafe { &*orders.cast::<Orders>() });
    127
}

/// Becomes the program, or writes down why not.
fn load(orders: &Orders) {
    reset_signal_actions();
    // SAFETY: plain system calls, on strings and arrays that the parent holds.
    unsafe {
        raw::call(libc::SYS_setpgid, 0, 0, 0, 0);
        // The parent's thread waits for us to the end, so that it dies only with the host.
        raw::call(libc::SYS_prctl, libc::PR_SET_PDEATHSIG as usize, libc::SIGKILL as usize, 0, 0);
        let parent = raw::call(libc::SYS_getppid, 0, 0, 0, 0);
        if parent != orders.host as isize && parent != 0 {
            return;
        }
        for (to, from) in [(0, orders.files[0]), (1, orders.files[1]), (2, orders.files[2])] {
            if from >= 0
                && let Some(errno) = raw::errno(raw::call(libc::SYS_dup3, from as usize, to, 0, 0))
            {
                return orders.files_errno.store(errno, Release);
            }
        }
        // What the host has open is the host's. Linux before 5.9 has no such call; there the program inherits what the host
        // lets every program inherit.
        raw::call(libc::SYS_close_range, 3, c_int::MAX as usize, 0, 0);
        if !orders.dir.is_null()
            && let Some(errno) = raw::errno(raw::call(libc::SYS_chdir, orders.dir.addr(), 0, 0, 0))
        {
            return orders.dir_errno.store(errno, Release);
        }
    }
    set_mask(0, ptr::null_mut());
    orders.program_errno.store(execute(orders), Release);
}

/// Tries one path after the other, as `execvp` does, and answers an errno.
fn execute(orders: &Orders) -> c_int {
    let env = match &orders.env {
        Environ::Lent(env) => *env,
        Environ::Made(env) => env.as_ptr(),
    };
    let paths = orders.paths.pointers();
    let mut last = libc::ENOENT;
    for turn in 0..=paths.len() {
        // The one that had the program the last time comes first, and then all in their order.
        let index = if turn == 0 { orders.first } else { turn - 1 };
        let again = turn > 0 && index == orders.first;
        let Some(path) = paths.get(index).filter(|_| !again) else { continue };
        orders.path.store(index, Release);
        // SAFETY: strings and arrays are held by the parent.
        let tried = unsafe { raw::call(libc::SYS_execve, path.addr(), orders.argv.addr(), env.addr(), 0) };
        match raw::errno(tried) {
            Some(libc::EACCES) => last = libc::EACCES,
            Some(libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT) => {}
            errno => return errno.unwrap_or(last),
        }
    }
    last
}

/// Gives every signal its default action: `execve` would leave ignored ones ignored, and handlers are the host's.
fn reset_signal_actions() {
    const LAST: usize = 64;
    // The kernel's struct of action, flags, restorer and mask: all zeros is the default action.
    let default = [0u64; 4];
    for signal in 1..=LAST {
        let action = ptr::from_ref(&default).addr();
        // SAFETY: the struct is as long as the kernel's. KILL and STOP are refused, which does no harm.
        unsafe { raw::call(libc::SYS_rt_sigaction as c_long, signal, action, 0, KERNEL_SIGNAL_SET) };
    }
}
