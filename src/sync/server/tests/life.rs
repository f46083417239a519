//! From start to end, and what a fork makes of it.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

#[test]
fn the_socket_lies_in_a_private_folder_that_goes_with_the_server() {
    let server = Server::start().unwrap();
    let folder = Path::new(&socket_of(&server)).parent().unwrap().to_path_buf();
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o7777, 0o700);
    let mut peer = Peer::of(&server);
    peer.ask("PING", "+PONG\r\n");
    let begin = Instant::now();
    drop(server);
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert!(!folder.exists());
    assert_eq!(peer.rest(), "");
}

#[test]
fn a_forked_child_that_drops_its_copy_leaves_the_server_alone() {
    let server = Server::start().unwrap();
    let mut peer = Peer::of(&server);
    peer.ask("SET key value", "+OK\r\n");
    let copy = &raw const server;
    // SAFETY: the child does nothing but drop and end.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: the child's copy is its own, and it ends before it could be dropped again.
        unsafe {
            drop(copy.read());
            libc::_exit(0);
        }
    }
    let mut status = -1;
    // SAFETY: `status` is writable.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    peer.ask("GET key", "$5\r\nvalue\r\n");
    Peer::of(&server).ask("PING", "+PONG\r\n");
}

#[test]
fn the_thread_takes_no_signal_of_the_hosts() {
    let server = Server::start().unwrap();
    Peer::of(&server).ask("PING", "+PONG\r\n");
    let mut masks = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap_or_default();
        if status.contains("Name:\tparmap-sync\n") {
            let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap();
            masks.push(u64::from_str_radix(mask, 16).unwrap());
        }
    }
    assert!(!masks.is_empty());
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGALRM, libc::SIGCHLD, libc::SIGUSR1, libc::SIGPIPE] {
        assert!(masks.iter().all(|mask| mask & 1 << (signal - 1) != 0), "signal {signal}");
    }
    drop(server);
}

#[test]
fn a_path_that_means_something_in_urls_is_written_so_that_it_does_not() {
    assert_eq!(super::super::encoded(b"/tmp/a b?c%d@\xff/sync"), "/tmp/a%20b%3Fc%25d%40%FF/sync");
}
