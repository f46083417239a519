//! The server's thread: accepts, reads, has commands run, sends; and sees to it that nobody takes more than there is.

use super::client::{Client, give_back};
use super::commands;
use super::poller::{BROKEN, CLOSED, Poller, READABLE, WRITABLE};
use super::request::Request;
use super::world::{ClientId, HARMLESS, Limits, World};
use crate::sync::socket;
use std::collections::HashMap;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

/// Tokens of what is no connection; those are numbered from `FIRST_CLIENT`.
const LISTENER: u64 = 0;
const BELL: u64 = 1;
const FIRST_CLIENT: ClientId = 2;

/// Read at once. Connections with more to say come around again.
const READ: usize = 256 << 10;
/// A connection with more unread answers than this is not listened to until it has read some.
const BACKLOG: usize = 1 << 20;
/// How long the next question is looked for, if the last one came as soon.
const LOOKED_FOR: Duration = Duration::from_micros(100);
/// Until the next try where the system refuses a descriptor to a new connection.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

const ORDINARY: u32 = READABLE | CLOSED;

pub struct Serving {
    poller: Poller,
    listener: UnixListener,
    bell: UnixStream,
}

impl Serving {
    /// What can fail.
    pub fn prepare(listener: UnixListener, bell: UnixStream) -> io::Result<Serving> {
        let poller = Poller::new()?;
        poller.add(listener.as_raw_fd(), LISTENER, READABLE)?;
        poller.add(bell.as_raw_fd(), BELL, READABLE)?;
        Ok(Serving { poller, listener, bell })
    }

    /// Serves until the bell rings.
    pub fn run(self, limits: Limits) {
        Thread {
            poller: self.poller,
            listener: self.listener,
            _bell: self.bell,
            world: World::new(limits),
            clients: HashMap::new(),
            next_client: FIRST_CLIENT,
            touched: Vec::new(),
            room: vec![0; READ],
            spare_input: Vec::new(),
            spare_output: Vec::new(),
            began: Instant::now(),
            accepts_again: None,
            pause: LOOKED_FOR,
        }
        .serve();
    }
}

struct Thread {
    poller: Poller,
    listener: UnixListener,
    _bell: UnixStream,
    world: World,
    clients: HashMap<ClientId, Client>,
    next_client: ClientId,
    /// Connections that others have written to, or that may go on.
    touched: Vec<ClientId>,
    room: Vec<u8>,
    /// Buffers for whoever needs one for a moment: connections at rest have none.
    spare_input: Vec<u8>,
    spare_output: Vec<u8>,
    began: Instant,
    /// Set while the listener is left alone.
    accepts_again: Option<u64>,
    /// How long nothing came the last time.
    pause: Duration,
}

impl Thread {
    fn serve(&mut self) {
        let mut ready = Vec::new();
        loop {
            if self.wait(&mut ready).is_err() {
                return;
            }
            self.world.store.now = self.began.elapsed().as_millis() as u64;
            for &(token, readiness) in &ready {
                match token {
                    LISTENER => self.accept(),
                    BELL => return self.close_all(),
                    client => self.look_after(client, readiness),
                }
            }
            self.end_waits();
            self.world.store.purge();
            self.settle();
            if self.accepts_again.is_some_and(|at| at <= self.world.now()) {
                self.accepts_again = None;
                // Nothing but memory could be missing, and then the next connection tries again.
                let _ = self.poller.change(self.listener.as_raw_fd(), LISTENER, READABLE);
            }
        }
    }

    /// Waits until there is something to do. While questions come in quick succession it looks for the next one before it
    /// sleeps, since to be woken takes longer than most of them; and lets others run in between.
    fn wait(&mut self, ready: &mut Vec<(u64, u32)>) -> io::Result<()> {
        let begin = Instant::now();
        while self.pause < LOOKED_FOR && begin.elapsed() < LOOKED_FOR {
            self.poller.wait(0, ready)?;
            if !ready.is_empty() {
                self.pause = begin.elapsed();
                return Ok(());
            }
            std::thread::yield_now();
        }
        let timeout = self.timeout();
        self.poller.wait(timeout, ready)?;
        self.pause = begin.elapsed();
        Ok(())
    }

    /// Milliseconds until something is to be done that no socket announces.
    fn timeout(&self) -> i32 {
        let next = [self.world.waiters.next_deadline(), self.world.store.next_expiry(), self.accepts_again];
        let Some(next) = next.into_iter().flatten().min() else {
            return -1;
        };
        let now = self.began.elapsed().as_millis() as u64;
        i32::try_from(next.saturating_sub(now)).unwrap_or(i32::MAX)
    }

    fn accept(&mut self) {
        // A few at a time: those who are here already are served in between.
        const AT_ONCE: usize = 64;
        for _ in 0..AT_ONCE {
            match self.listener.accept() {
                Ok((socket, _)) => self.welcome(socket),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    // No descriptor or no memory. The connection stays in the queue, and polling would tell it for ever.
                    self.accepts_again = Some(self.world.now() + REFUSED_PAUSE.as_millis() as u64);
                    let _ = self.poller.change(self.listener.as_raw_fd(), LISTENER, 0);
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, stream: UnixStream) {
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        if self.clients.len() >= self.world.limits.clients {
            // As Redis says it. Who does not read it sees that the connection is closed.
            let _ = socket::send(stream.as_fd(), b"-ERR max number of clients reached\r\n");
            return;
        }
        let id = self.next_client;
        if self.poller.add(stream.as_raw_fd(), id, ORDINARY).is_ok() {
            self.next_client += 1;
            self.clients.insert(id, Client::new(id, stream, ORDINARY));
            self.world.clients = self.clients.len();
        }
    }

    fn look_after(&mut self, id: ClientId, readiness: u32) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let listens = client.waiting.is_none() && client.unsent() <= BACKLOG && !client.leaving;
        if readiness & (CLOSED | BROKEN) != 0 && !(listens && readiness & READABLE != 0) {
            return self.drop_client(id);
        }
        client.muted = !listens;
        client.hung_up = readiness & BROKEN != 0;
        if readiness & READABLE != 0 && listens && !self.read(id) {
            return self.drop_client(id);
        }
        self.go_on(id);
    }

    /// Whether the connection is still there.
    fn read(&mut self, id: ClientId) -> bool {
        let Some(client) = self.clients.get_mut(&id) else { return true };
        let mut room = mem::take(&mut self.room);
        let there = match client.receive(&mut room) {
            Ok(0) => false,
            Ok(len) => {
                if client.input.is_empty() {
                    client.borrow_output(&mut self.spare_output);
                    let rest = self.run_commands(id, &room[..len]);
                    if rest > 0
                        && let Some(client) = self.clients.get_mut(&id)
                    {
                        client.input = mem::take(&mut self.spare_input);
                        client.input.extend_from_slice(&room[len - rest..len]);
                    }
                } else {
                    client.input.extend_from_slice(&room[..len]);
                }
                true
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        self.room = room;
        there
    }

    /// Sends answers and runs what has come, as far as that goes now, and settles what is looked for next.
    fn go_on(&mut self, id: ClientId) {
        let mut stuck = false;
        loop {
            let Some(client) = self.clients.get_mut(&id) else { return };
            let sent = client.flush(&mut self.spare_output);
            if sent.is_err() || client.has_overflowed() || (client.leaving && client.unsent() == 0) {
                return self.drop_client(id);
            }
            let before = client.input.len();
            if stuck || before == 0 || client.waiting.is_some() || client.unsent() > BACKLOG {
                break;
            }
            client.borrow_output(&mut self.spare_output);
            let mut input = mem::take(&mut client.input);
            let rest = self.run_commands(id, &input);
            input.drain(..before - rest);
            if input.is_empty() {
                give_back(&mut self.spare_input, input);
            } else if let Some(client) = self.clients.get_mut(&id) {
                client.input = input;
            }
            stuck = rest == before;
        }
        self.count(id);
        self.look_for(id);
    }

    /// Runs the commands that are whole, as long as the connection may go on. Answers how many bytes are left.
    fn run_commands(&mut self, id: ClientId, bytes: &[u8]) -> usize {
        let mut at = 0;
        loop {
            let Some(client) = self.clients.get_mut(&id) else { return 0 };
            if client.waiting.is_some() || client.leaving || client.unsent() > BACKLOG || client.has_overflowed() {
                return bytes.len() - at;
            }
            let mut reader = mem::take(&mut client.reader);
            match reader.read(&bytes[at..]) {
                Ok(None) => {
                    client.reader = reader;
                    return bytes.len() - at;
                }
                Ok(Some(len)) => {
                    let request = Request::new(&bytes[at..at + len], reader.places());
                    commands::run(&mut self.world, client, &request);
                    reader.reset();
                    client.reader = reader;
                    at += len;
                    self.hand_over();
                }
                Err(why) => {
                    client.allow(&self.world);
                    client.reply().error(format_args!("ERR Protocol error: {}", why.0));
                    client.leaving = true;
                    return 0;
                }
            }
        }
    }

    /// Elements to those who wait for them, and messages to subscribers.
    fn hand_over(&mut self) {
        while let Some(key) = self.world.waiters.next_ready() {
            while let Some(id) = self.world.waiters.first(&key) {
                if !matches!(self.world.store.list(&key), Ok(Some(_))) {
                    break;
                }
                let Some(client) = self.clients.get_mut(&id) else { break };
                // Whoever died waiting must not take an element along.
                if client.is_gone() {
                    self.drop_client(id);
                    continue;
                }
                let Some(wait) = client.waiting.take() else { break };
                self.world.waiters.remove(id, &wait);
                commands::hand_element(&mut self.world, client, &key, &wait);
                self.touched.push(id);
                self.count(id);
            }
        }
        for message in mem::take(&mut self.world.published) {
            let listeners: Vec<ClientId> =
                self.world.channels.get(&message.channel).into_iter().flatten().copied().collect();
            for id in listeners {
                if let Some(client) = self.clients.get_mut(&id) {
                    commands::hand_message(&self.world, client, &message.channel, &message.text);
                    self.touched.push(id);
                    // At once, so that the next gets no more than there is.
                    self.count(id);
                }
            }
        }
    }

    fn end_waits(&mut self) {
        while let Some(id) = self.world.waiters.overdue(self.world.now()) {
            let Some(client) = self.clients.get_mut(&id) else { return };
            let Some(wait) = client.waiting.take() else { return };
            self.world.waiters.remove(id, &wait);
            client.allow(&self.world);
            client.reply().null_array();
            self.touched.push(id);
        }
    }

    fn settle(&mut self) {
        while let Some(id) = self.touched.pop() {
            self.go_on(id);
        }
    }

    /// Its buffers, against the limit of all.
    fn count(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let footprint = client.footprint();
        self.world.buffered = self.world.buffered - client.counted + footprint;
        client.counted = footprint;
        if self.world.buffered > self.world.limits.buffers && footprint > HARMLESS {
            client.allow(&self.world);
            client.reply().error(format_args!("ERR this connection makes the server hold too many bytes"));
            // It is told if it listens.
            let _ = client.flush(&mut self.spare_output);
            self.drop_client(id);
        }
    }

    fn look_for(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let mut interest = CLOSED;
        // Whoever waits rarely says anything: not to hear it is worth a system call only once it does.
        let may_wait = client.waiting.is_some() && !client.muted;
        if (client.waiting.is_none() || may_wait) && client.unsent() <= BACKLOG && !client.leaving {
            interest |= READABLE;
        }
        if client.unsent() > 0 {
            interest |= WRITABLE;
        }
        if interest != client.interest {
            if self.poller.change(client.descriptor(), id, interest).is_err() {
                return self.drop_client(id);
            }
            client.interest = interest;
        }
    }

    fn drop_client(&mut self, id: ClientId) {
        let Some(client) = self.clients.remove(&id) else { return };
        if let Some(wait) = &client.waiting {
            self.world.waiters.remove(id, wait);
        }
        for channel in &client.channels {
            self.world.unsubscribe(id, channel);
        }
        for (key, _) in &client.watched {
            self.world.store.unwatch(key);
        }
        self.world.buffered -= client.counted;
        self.world.clients = self.clients.len();
        self.poller.remove(client.descriptor());
        client.shut_down();
    }

    fn close_all(&mut self) {
        for client in self.clients.values() {
            client.shut_down();
        }
    }
}
