//! Which sockets can be read or written: epoll, whose cost does not grow with the connections that are idle.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

pub const READABLE: u32 = libc::EPOLLIN as u32;
pub const WRITABLE: u32 = libc::EPOLLOUT as u32;
/// The peer has closed; asked for like the others.
pub const CLOSED: u32 = libc::EPOLLRDHUP as u32;
/// The socket is broken both ways. Told without being asked for.
pub const BROKEN: u32 = (libc::EPOLLHUP | libc::EPOLLERR) as u32;

const MOST_EVENTS: usize = 256;

pub struct Poller {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Poller {
    pub fn new() -> io::Result<Poller> {
        // SAFETY: makes a new descriptor.
        let epoll = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor is new and nobody else's.
        let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
        Ok(Poller { epoll, events: Vec::with_capacity(MOST_EVENTS) })
    }

    /// `token` will name the socket. Closing it ends this.
    pub fn add(&self, socket: RawFd, token: u64, interest: u32) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, socket, token, interest)
    }

    pub fn change(&self, socket: RawFd, token: u64, interest: u32) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, socket, token, interest)
    }

    /// A forked child of the host may hold a copy of the socket, which would keep it here after it is closed.
    pub fn remove(&self, socket: RawFd) {
        // What is not there need not go.
        let _ = self.control(libc::EPOLL_CTL_DEL, socket, 0, 0);
    }

    fn control(&self, what: i32, socket: RawFd, token: u64, interest: u32) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest, u64: token };
        // SAFETY: `event` is readable for the call.
        checked(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), what, socket, &mut event) }).map(drop)
    }

    /// Waits until a socket is ready or `timeout_ms` have passed (-1: for ever). Token and readiness of each.
    pub fn wait(&mut self, timeout_ms: i32, ready: &mut Vec<(u64, u32)>) -> io::Result<()> {
        ready.clear();
        // SAFETY: there is room for as many events, and epoll_wait says how many of them it wrote.
        let count = unsafe {
            let (events, most) = (self.events.as_mut_ptr(), MOST_EVENTS as i32);
            let count = libc::epoll_wait(self.epoll.as_raw_fd(), events, most, timeout_ms);
            self.events.set_len(count.max(0) as usize);
            count
        };
        match checked(count) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => {
                ready.extend(self.events.iter().map(|event| (event.u64, event.events)));
                Ok(())
            }
        }
    }
}

fn checked(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
