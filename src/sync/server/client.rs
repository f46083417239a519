//! One connection: its socket, its buffers, and what it has said about itself.

use super::reply::Reply;
use super::request::{Reader, Request};
use super::waiters::Wait;
use super::world::{ClientId, World};
use crate::sync::socket;
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

pub struct Client {
    pub id: ClientId,
    socket: UnixStream,
    /// Bytes that have come and are no whole command yet.
    pub input: Vec<u8>,
    pub reader: Reader,
    output: Vec<u8>,
    /// Of `output`.
    sent: usize,
    /// How long `output` may become.
    limit: usize,
    overflowed: bool,
    /// Ends when its output is sent.
    pub leaving: bool,
    pub resp3: bool,
    pub name: Vec<u8>,
    pub waiting: Option<Wait>,
    /// Is there no more, though it has said something before it went. What it takes would be lost.
    pub hung_up: bool,
    /// Has said something while it was not listened to.
    pub muted: bool,
    pub channels: BTreeSet<Rc<[u8]>>,
    pub watched: Vec<(Rc<[u8]>, u64)>,
    pub queued: Option<Queued>,
    /// Its part of `World::buffered`.
    pub counted: usize,
    /// What the poller was told to look for.
    pub interest: u32,
}

/// Where a command lies among the bytes of all, and where its arguments lie in it.
type Place = (Range<usize>, Box<[Range<u32>]>);

/// The commands of a transaction until EXEC.
#[derive(Default)]
pub struct Queued {
    bytes: Vec<u8>,
    commands: Vec<Place>,
    footprint: usize,
    /// One of them cannot be run, so none will.
    pub spoilt: bool,
}

impl Queued {
    pub fn add(&mut self, request: &Request) {
        let (bytes, places) = request.parts();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.commands.push((start..self.bytes.len(), places.into()));
        self.footprint += size_of_val(places) + size_of::<Place>();
    }

    pub fn len(&self) -> usize {
        self.commands.len()
    }

    pub fn requests(&self) -> impl Iterator<Item = Request<'_>> {
        self.commands.iter().map(|(range, places)| Request::new(&self.bytes[range.clone()], places))
    }
}

impl Client {
    pub fn new(id: ClientId, socket: UnixStream, interest: u32) -> Client {
        Client {
            id,
            socket,
            input: Vec::new(),
            reader: Reader::default(),
            output: Vec::new(),
            sent: 0,
            limit: 0,
            overflowed: false,
            leaving: false,
            resp3: false,
            name: Vec::new(),
            waiting: None,
            hung_up: false,
            muted: false,
            channels: BTreeSet::new(),
            watched: Vec::new(),
            queued: None,
            counted: 0,
            interest,
        }
    }

    pub fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    pub fn receive(&self, room: &mut [u8]) -> io::Result<usize> {
        socket::receive(self.socket.as_fd(), room)
    }

    /// Whether nobody is there to read an answer.
    pub fn is_gone(&self) -> bool {
        socket::is_over(self.socket.as_fd())
    }

    /// How much may be answered from now on, until this is asked anew: once for each command, so that one of many parts
    /// gets no more than another.
    pub fn allow(&mut self, world: &World) {
        self.limit = self.output.len().saturating_add(world.room());
    }

    pub fn reply(&mut self) -> Reply<'_> {
        Reply { out: &mut self.output, resp3: self.resp3, limit: self.limit, overflowed: &mut self.overflowed }
    }

    /// A subscriber's: its unread messages are fewer than others' unread answers.
    pub fn message(&mut self, world: &World) -> Reply<'_> {
        self.allow(world);
        self.limit = self.limit.min(self.sent + world.limits.unread_messages);
        self.reply()
    }

    pub fn unsent(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Whether it asked for more than it may have. What it would read is then in pieces.
    pub fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Answers are about to be written: a buffer that has grown already spares many steps.
    pub fn borrow_output(&mut self, spare: &mut Vec<u8>) {
        if self.output.capacity() == 0 {
            self.output = std::mem::take(spare);
        }
    }

    /// Sends what the socket takes. A buffer that is empty then goes to `spare`.
    pub fn flush(&mut self, spare: &mut Vec<u8>) -> io::Result<()> {
        while self.sent < self.output.len() {
            match socket::send(self.socket.as_fd(), &self.output[self.sent..]) {
                Ok(len) => self.sent += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.sent > self.output.len() / 2 {
                        self.output.drain(..self.sent);
                        self.sent = 0;
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.sent = 0;
        give_back(spare, std::mem::take(&mut self.output));
        Ok(())
    }

    /// Bytes that it makes the server hold.
    pub fn footprint(&self) -> usize {
        let queued = self.queued.as_ref().map_or(0, |queued| queued.bytes.capacity() + queued.footprint);
        let waiting = self.waiting.iter().flat_map(|wait| &wait.keys);
        let names = self.channels.iter().chain(self.watched.iter().map(|(key, _)| key)).chain(waiting);
        let names: usize = names.map(|name| name.len() + NAME_COST).sum();
        self.input.capacity() + self.reader.footprint() + self.output.capacity() + queued + names + self.name.len()
    }

    /// The peer sees the end even while a forked child of the host still holds this socket.
    pub fn shut_down(&self) {
        // The socket goes away in any case.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

/// Keeps a buffer for the next who needs one, unless it is larger than most need.
pub fn give_back(spare: &mut Vec<u8>, mut buffer: Vec<u8>) {
    const LARGEST: usize = 1 << 20;
    if buffer.capacity() > spare.capacity() && buffer.capacity() <= LARGEST {
        buffer.clear();
        *spare = buffer;
    }
}

const NAME_COST: usize = 256;
