//! Sockets: never a SIGPIPE for the host, and a signal is no error unless the caller wants to know of it.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Writes what fits. `WouldBlock` when nothing does.
pub fn send(socket: BorrowedFd, bytes: &[u8]) -> io::Result<usize> {
    retried(|| {
        // SAFETY: `bytes` is readable for its length.
        counted(unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) })
    })
}

/// Reads what has come. 0: the peer has closed. `WouldBlock` when nothing has come.
pub fn receive(socket: BorrowedFd, room: &mut [u8]) -> io::Result<usize> {
    retried(|| receive_once(socket, room))
}

/// As `send`, and `Interrupted` when a signal came first. The parts go as if they were one.
pub fn send_parts_once(socket: BorrowedFd, parts: &[IoSlice]) -> io::Result<usize> {
    // SAFETY: zeroes are an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    // An IoSlice is an iovec, and what is sent is only read.
    message.msg_iov = parts.as_ptr().cast_mut().cast();
    message.msg_iovlen = parts.len();
    // SAFETY: the message's parts are readable for their lengths.
    counted(unsafe { libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_NOSIGNAL) })
}

/// As `receive`, and `Interrupted` when a signal came first.
pub fn receive_once(socket: BorrowedFd, room: &mut [u8]) -> io::Result<usize> {
    receive_with(socket, room, 0)
}

/// As `receive_once`, and never waits.
pub fn receive_now(socket: BorrowedFd, room: &mut [u8]) -> io::Result<usize> {
    receive_with(socket, room, libc::MSG_DONTWAIT)
}

fn receive_with(socket: BorrowedFd, room: &mut [u8], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: `room` is writable for its length.
    counted(unsafe { libc::recv(socket.as_raw_fd(), room.as_mut_ptr().cast(), room.len(), flags) })
}

/// Whether the peer has closed and left nothing to read.
pub fn is_over(socket: BorrowedFd) -> bool {
    match retried(|| receive_with(socket, &mut [0], libc::MSG_PEEK | libc::MSG_DONTWAIT)) {
        Ok(len) => len == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

/// A connection to a socket in the file system; `patience` is for a server that has no time to accept it.
pub fn connect_unix(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    // SAFETY: zeroes are an empty address.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let path = path.as_os_str().as_bytes();
    if path.len() >= address.sun_path.len() || path.contains(&0) {
        let most = address.sun_path.len() - 1;
        return Err(io::Error::other(format!("the path of a socket has at most {most} bytes and no zero")));
    }
    for (to, from) in address.sun_path.iter_mut().zip(path) {
        *to = *from as libc::c_char;
    }
    // SAFETY: makes a new descriptor.
    let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    let stream = UnixStream::from(unsafe { OwnedFd::from_raw_fd(socket) });
    // It holds for connecting, too.
    stream.set_write_timeout(Some(patience))?;
    let len = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: the address is whole.
    let connected = retried(|| counted(unsafe { libc::connect(socket, (&raw const address).cast(), len) } as isize));
    match connected {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::Error::other(format!("it has not accepted for {} s", patience.as_secs())))
        }
        other => other.map(|_| stream),
    }
}

fn counted(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn retried(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
