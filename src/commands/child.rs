//! A program that was started, held by a pidfd: no reuse of its number, and nobody who reaps it, can confuse us.

use std::ffi::{c_int, c_long};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::time::Duration;

pub struct Child {
    pid: libc::pid_t,
    pidfd: OwnedFd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Exited(i32),
    Signaled(i32),
    /// Somebody else has reaped it, and this kernel does not tell us.
    Unknown,
}

/// How a child ended and what it took. Zeros where somebody else has reaped it.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    pub end: End,
    pub cpu: Duration,
    /// In bytes.
    pub max_rss: u64,
}

impl Child {
    pub fn new(pid: libc::pid_t, pidfd: OwnedFd) -> Child {
        Child { pid, pidfd }
    }

    /// Readable once the child has ended.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    pub fn has_ended(&self) -> bool {
        let mut file = libc::pollfd { fd: self.pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which outlives the call.
        unsafe { libc::poll(&mut file, 1, 0) == 1 }
    }

    /// Sends a signal to the child's process group, or to the child itself where there is no such group. Whether there was
    /// anybody to get it.
    ///
    /// The child has not been reaped, or `knows_groups` holds: until then the group's number is its own.
    pub fn signal_group(&self, signal: c_int) -> bool {
        self.signal_by_pidfd(signal, libc::PIDFD_SIGNAL_PROCESS_GROUP).is_ok()
            // SAFETY: plain system call.
            || !self.knows_groups() && unsafe { libc::kill(-self.pid, signal) } == 0
            || self.signal_by_pidfd(signal, 0).is_ok()
    }

    /// Whether the group can be found by the pidfd, also when the child itself is gone: Linux from 6.9 on, but not valgrind.
    pub fn knows_groups(&self) -> bool {
        let asked = self.signal_by_pidfd(0, libc::PIDFD_SIGNAL_PROCESS_GROUP);
        !matches!(asked, Err(libc::EINVAL | libc::ENOSYS))
    }

    /// Whether the child's process group has a member, be it a zombie.
    pub fn has_group(&self) -> bool {
        self.signal_by_pidfd(0, libc::PIDFD_SIGNAL_PROCESS_GROUP).is_ok()
    }

    /// The child's number, which is its group's; its own until the child is reaped and the group is empty.
    pub fn pid(&self) -> libc::pid_t {
        self.pid
    }

    fn signal_by_pidfd(&self, signal: c_int, flags: u32) -> Result<(), i32> {
        let (pidfd, signal, flags) = (c_long::from(self.pidfd.as_raw_fd()), c_long::from(signal), c_long::from(flags));
        // SAFETY: plain system call; without information of its own the signal is a plain one.
        let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, ptr::null_mut::<u8>(), flags) };
        // SAFETY: the C library's own.
        if sent == 0 { Ok(()) } else { Err(unsafe { *libc::__errno_location() }) }
    }

    /// Waits for the end of the child, which is near, and tells of it.
    pub fn reap(&self) -> Ended {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        let pidfd = c_long::from(self.pidfd.as_raw_fd());
        loop {
            // The C library's own waitid has no resource usage.
            // SAFETY: both structs are as the kernel expects them.
            let (waited, errno) = unsafe {
                let waited = libc::syscall(
                    libc::SYS_waitid,
                    libc::P_PIDFD as c_long,
                    pidfd,
                    info.as_mut_ptr(),
                    libc::WEXITED as c_long,
                    usage.as_mut_ptr(),
                );
                (waited, *libc::__errno_location())
            };
            if waited == 0 {
                break;
            }
            if errno != libc::EINTR {
                return Ended { end: self.end_that_another_reaped(), cpu: Duration::ZERO, max_rss: 0 };
            }
        }
        // SAFETY: both were zeroed, and waitid has filled them in.
        let (info, usage) = unsafe { (info.assume_init(), usage.assume_init()) };
        // SAFETY: waitid gives a siginfo of SIGCHLD's kind.
        let status = unsafe { info.si_status() };
        let end = if info.si_code == libc::CLD_EXITED { End::Exited(status) } else { End::Signaled(status) };
        let cpu = duration(usage.ru_utime) + duration(usage.ru_stime);
        Ended { end, cpu, max_rss: usage.ru_maxrss as u64 * 1024 }
    }

    /// The kernel keeps the exit code for whoever holds a pidfd, from Linux 6.15 on.
    fn end_that_another_reaped(&self) -> End {
        const TRIES: u32 = 1000;
        for _ in 0..TRIES {
            // SAFETY: all zeros is such a struct.
            let mut info: libc::pidfd_info = unsafe { MaybeUninit::zeroed().assume_init() };
            info.mask = u64::from(libc::PIDFD_INFO_EXIT);
            // SAFETY: the struct has the length that the request's number says.
            let asked = unsafe { libc::ioctl(self.pidfd.as_raw_fd(), libc::PIDFD_GET_INFO, &mut info) };
            if asked != 0 {
                break;
            }
            if info.mask & u64::from(libc::PIDFD_INFO_EXIT) != 0 {
                let status = info.exit_code;
                return if libc::WIFSIGNALED(status) {
                    End::Signaled(libc::WTERMSIG(status))
                } else {
                    End::Exited(libc::WEXITSTATUS(status))
                };
            }
            // Whoever reaps it is about to: the kernel writes the code down in that moment.
            std::thread::sleep(Duration::from_micros(100));
        }
        End::Unknown
    }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
}
