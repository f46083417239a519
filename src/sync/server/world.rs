//! What commands work on, and how much of everything there may be.

use super::store::Store;
use super::waiters::Waiters;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// Nobody is disconnected for bytes as few as this.
pub const HARMLESS: usize = 64 << 10;

/// Names a connection. No two of a server have the same.
pub type ClientId = u64;

/// How much hostile or careless clients can make the server take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once: each is a descriptor of the host.
    pub clients: usize,
    /// Bytes of keys and values. Commands that would add to more are refused.
    pub data: usize,
    /// Bytes of unfinished commands and unread answers of all connections. Who goes beyond is disconnected.
    pub buffers: usize,
    /// Bytes of unread messages of one subscriber. Who goes beyond is disconnected.
    pub unread_messages: usize,
    /// Channels, or watched keys, of one connection.
    pub names: usize,
}

impl Limits {
    /// A quarter of the memory that the process may have for data, an eighth for buffers, half of its descriptors.
    pub fn of_this_machine() -> Limits {
        const MOST_CLIENTS: usize = 10_000;
        // SAFETY: sysconf takes any name.
        let (pages, page) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
        let memory = usize::try_from(pages).unwrap_or(0).saturating_mul(usize::try_from(page).unwrap_or(0));
        let memory = memory.max(1 << 30).min(resource_limit(libc::RLIMIT_AS));
        let files = resource_limit(libc::RLIMIT_NOFILE);
        Limits {
            clients: (files / 2).clamp(8, MOST_CLIENTS),
            data: memory / 4,
            buffers: memory / 8,
            unread_messages: 32 << 20,
            names: 10_000,
        }
    }
}

fn resource_limit(resource: libc::__rlimit_resource_t) -> usize {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `limit` is writable; a failure leaves it as it is.
    unsafe { libc::getrlimit(resource, &mut limit) };
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}

/// All that connections share.
pub struct World {
    pub limits: Limits,
    pub store: Store,
    pub waiters: Waiters,
    /// Who listens to which channel.
    pub channels: HashMap<Rc<[u8]>, BTreeSet<ClientId>>,
    /// Messages on their way to subscribers.
    pub published: Vec<Message>,
    /// Bytes of all connections' buffers.
    pub buffered: usize,
    pub clients: usize,
}

pub struct Message {
    pub channel: Rc<[u8]>,
    pub text: Box<[u8]>,
}

impl World {
    pub fn new(limits: Limits) -> World {
        World {
            limits,
            store: Store::default(),
            waiters: Waiters::default(),
            channels: HashMap::new(),
            published: Vec::new(),
            buffered: 0,
            clients: 0,
        }
    }

    pub fn now(&self) -> u64 {
        self.store.now
    }

    /// Bytes that an answer may still take. Whoever asks for little gets it, though others have taken all there is.
    pub fn room(&self) -> usize {
        self.limits.buffers.saturating_sub(self.buffered).max(HARMLESS)
    }

    pub fn unsubscribe(&mut self, client: ClientId, channel: &[u8]) {
        if let Some(listeners) = self.channels.get_mut(channel) {
            listeners.remove(&client);
            if listeners.is_empty() {
                self.channels.remove(channel);
            }
        }
    }
}
