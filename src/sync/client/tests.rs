//! Peers that are half dead: with less patience than a C program has, so that the tests need none.

use super::{Failure, Handle, Watch};
use crate::abi::status::*;
use std::ffi::{c_int, c_void};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(300);

/// A server that does as it is told, for one connection.
struct Peer {
    folder: PathBuf,
    thread: Option<thread::JoinHandle<()>>,
}

impl Peer {
    fn that(serves: impl FnOnce(UnixStream) + Send + 'static) -> Peer {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("parmap-peer-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        let listener = UnixListener::bind(folder.join("s")).unwrap();
        let thread = thread::spawn(move || serves(listener.accept().unwrap().0));
        Peer { folder, thread: Some(thread) }
    }

    /// Answers PING, reads what comes next, answers that, and stays until the client closes.
    fn that_answers(answer: impl AsRef<[u8]> + Send + 'static) -> Peer {
        Peer::that(move |mut stream| {
            greet(&mut stream);
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer.as_ref());
            while stream.read(&mut [0; 1024]).is_ok_and(|len| len > 0) {}
        })
    }

    fn open(&self, patience: Duration) -> (Handle, Result<(), Failure>) {
        let mut handle = Handle::new();
        let opened = handle.open(Some(format!("unix://{}/s", self.folder.display()).as_bytes()), patience);
        (handle, opened)
    }

    fn connected(&self) -> Handle {
        let (handle, opened) = self.open(SHORT);
        opened.unwrap();
        handle
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
        if !thread::panicking() {
            self.thread.take().unwrap().join().unwrap();
        }
    }
}

fn greet(stream: &mut UnixStream) {
    let mut ping = [0; 14];
    stream.read_exact(&mut ping).unwrap();
    assert_eq!(&ping, b"*1\r\n$4\r\nPING\r\n");
    stream.write_all(b"+PONG\r\n").unwrap();
}

fn assert_fails<T: std::fmt::Debug>(result: Result<T, Failure>, status: par_status, part: &str) {
    let failure = result.unwrap_err();
    assert_eq!(failure.status, status, "{}", failure.sentence);
    assert!(failure.sentence.contains(part), "{}", failure.sentence);
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let peer = Peer::that(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let (mut handle, opened) = peer.open(SHORT);
    assert_fails(opened, PAR_ESYNC, "has not answered");
    assert_fails(handle.get(b"key"), PAR_ESYNC, "could not be opened");
}

#[test]
fn a_server_that_falls_silent_is_given_up_even_in_a_wait_for_ever() {
    let peer = Peer::that_answers("");
    let mut handle = peer.connected();
    handle.set_watch(Some(never_stop())).unwrap();
    assert_fails(handle.pop(b"queue", u64::MAX), PAR_ESYNC, "has not answered");
    assert_fails(handle.pop(b"queue", u64::MAX), PAR_ESYNC, "no connection");
    drop(handle);
}

#[test]
fn a_wait_for_a_silent_server_can_be_stopped() {
    let peer = Peer::that_answers("");
    let (mut handle, opened) = peer.open(Duration::from_secs(3600));
    opened.unwrap();
    unsafe extern "C" fn stop(_: *mut c_void) -> c_int {
        1
    }
    // SAFETY: the function needs nothing.
    handle.set_watch(Some(unsafe { Watch::new(stop, std::ptr::null_mut(), SHORT) })).unwrap();
    assert_fails(handle.get(b"key"), PAR_ECANCELED, "stopped by poll");
    drop(handle);
}

fn never_stop() -> Watch {
    unsafe extern "C" fn go_on(_: *mut c_void) -> c_int {
        0
    }
    // SAFETY: the function needs nothing.
    unsafe { Watch::new(go_on, std::ptr::null_mut(), Duration::from_millis(20)) }
}

#[test]
fn a_server_that_dribbles_is_waited_for() {
    let peer = Peer::that(|mut stream| {
        greet(&mut stream);
        let _ = stream.read(&mut [0; 1024]);
        for byte in b"$5\r\nhello\r\n" {
            thread::sleep(SHORT / 3);
            stream.write_all(&[*byte]).unwrap();
        }
    });
    let mut handle = peer.connected();
    assert_eq!(handle.get(b"key").unwrap().unwrap().bytes(), b"hello");
}

#[test]
fn a_server_that_hangs_up_in_the_middle_is_gone() {
    let peer = Peer::that(|mut stream| {
        greet(&mut stream);
        let _ = stream.read(&mut [0; 1024]);
        stream.write_all(b"$100\r\nhalf").unwrap();
    });
    let mut handle = peer.connected();
    assert_fails(handle.get(b"key"), PAR_ESYNC, "closed the connection");
    assert_fails(handle.set(b"key", b"value"), PAR_ESYNC, "no connection");
}

#[test]
fn a_server_that_hangs_up_says_why_if_it_does() {
    let peer = Peer::that(|mut stream| stream.write_all(b"-ERR max number of clients reached\r\n").unwrap());
    assert_fails(peer.open(SHORT).1, PAR_ESYNC, "max number of clients");
}

#[test]
fn what_speaks_another_protocol_is_told_apart() {
    let peer = Peer::that(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    assert_fails(peer.open(SHORT).1, PAR_ESYNC, "not Redis's protocol");
}

#[test]
fn answers_that_make_no_sense_are_refused() {
    for (answer, status, part) in [
        ("$999999999999999999\r\n", PAR_ENOMEM, "no memory for a value"),
        ("$99999999999999999999\r\n", PAR_ESYNC, "not Redis's protocol"),
        ("$1\r\nlonger\r\n", PAR_ESYNC, "longer than announced"),
        ("*1000000000\r\n", PAR_ESYNC, "not Redis's protocol"),
        ("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", PAR_ESYNC, "not Redis's protocol"),
        ("\r\n", PAR_ESYNC, "not Redis's protocol"),
        (":1\r\n", PAR_ESYNC, "is it a Redis?"),
        ("-LOADING Redis is loading the dataset in memory\r\n", PAR_ESYNC, "LOADING"),
        ("-OOM command not allowed\r\n", PAR_ENOMEM, "OOM"),
        ("-WRONGTYPE Operation against a key\r\n", PAR_EINVAL, "WRONGTYPE"),
    ] {
        let peer = Peer::that_answers(answer);
        let mut handle = peer.connected();
        assert_fails(handle.get(b"key"), status, part);
        drop(handle);
    }
    let peer = Peer::that_answers("x".repeat(1 << 20));
    let mut handle = peer.connected();
    assert_fails(handle.get(b"key"), PAR_ESYNC, "not Redis's protocol");
}

#[test]
fn a_server_that_stops_reading_is_given_up() {
    let (done, may_end) = std::sync::mpsc::channel::<()>();
    let peer = Peer::that(move |mut stream| {
        greet(&mut stream);
        let _ = may_end.recv();
    });
    let mut handle = peer.connected();
    handle.set_watch(Some(never_stop())).unwrap();
    assert_fails(handle.set(b"key", &vec![0; 8 << 20]), PAR_ESYNC, "has not answered");
    drop(done);
}
