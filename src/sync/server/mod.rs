//! The part of Redis that children need to meet, on a Unix socket in a private folder, served by one thread.
//!
//! - `serving`: the thread: accepts, reads, has commands run, sends. `poller`: what it waits with.
//! - `client`: one connection. `request` and `reply`: the protocol, as it comes and as it goes.
//! - `commands`: what each command does. `world`: what they work on, and the limits of everything.
//! - `store`: keys and values. `waiters`: who waits for an element of which list.
//! - `folder`: where the socket lies.
//!
//! Everything that clients can make the server hold is counted against `world::Limits`. The thread blocks all signals, and
//! ends when its `Server` is dropped. A process that was forked from the host has no such thread: dropping its copy does
//! nothing.

mod client;
mod commands;
mod folder;
mod poller;
mod reply;
mod request;
mod serving;
mod store;
#[cfg(test)]
mod tests;
mod waiters;
mod world;

use crate::fork::process_token;
use crate::signals::SignalsBlocked;
use folder::Folder;
use serving::Serving;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;
use world::Limits;

const SOCKET: &str = "sync";

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    url: String,
    folder: Folder,
    /// A byte here ends the thread.
    bell: UnixStream,
    thread: Option<JoinHandle<()>>,
    /// Of the process that the thread runs in.
    process: u64,
}

impl Server {
    pub fn start() -> io::Result<Server> {
        Server::limited(Limits::of_this_machine())
    }

    fn limited(limits: Limits) -> io::Result<Server> {
        let folder = Folder::new(SOCKET)?;
        let path = folder.path().join(SOCKET);
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        let (bell, heard) = UnixStream::pair()?;
        let serving = Serving::prepare(listener, heard)?;
        let blocked = SignalsBlocked::new();
        let thread = std::thread::Builder::new().name("parmap-sync".into()).spawn(move || serving.run(limits))?;
        drop(blocked);
        let url = format!("unix://{}", encoded(path.as_os_str().as_bytes()));
        Ok(Server { url, folder, bell, thread: Some(thread), process: process_token() })
    }

    /// `unix:///path/of/the/socket`, for `PAR_SYNC_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process != process_token() {
            self.folder.leave();
            // Joining would wait for a thread that is in another process.
            std::mem::forget(self.thread.take());
            return;
        }
        // The thread has ended, or the byte ends it.
        let _ = crate::sync::socket::send(self.bell.as_fd(), b"!");
        if let Some(thread) = self.thread.take() {
            // A panic in there has been told on stderr, and there is nobody left to serve.
            let _ = thread.join();
        }
    }
}

/// As URLs spell it: what could mean something else is written as %XX.
fn encoded(path: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    path.iter().map(|&byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
