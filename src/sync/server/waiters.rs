//! Who waits for an element of which list, longest first, and until when.

use super::world::ClientId;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

#[derive(Default)]
pub struct Waiters {
    queues: HashMap<Rc<[u8]>, VecDeque<ClientId>>,
    deadlines: BTreeSet<(u64, ClientId)>,
    /// Lists that have got elements while somebody waited for them.
    ready: Vec<Rc<[u8]>>,
}

/// What a connection waits for.
pub struct Wait {
    pub keys: Vec<Rc<[u8]>>,
    pub left: bool,
    pub until: Option<u64>,
}

impl Waiters {
    pub fn add(&mut self, client: ClientId, wait: &Wait) {
        for key in &wait.keys {
            self.queues.entry(key.clone()).or_default().push_back(client);
        }
        if let Some(until) = wait.until {
            self.deadlines.insert((until, client));
        }
    }

    pub fn remove(&mut self, client: ClientId, wait: &Wait) {
        for key in &wait.keys {
            if let Some(queue) = self.queues.get_mut(key) {
                // The one who was served is the first.
                if queue.front() == Some(&client) {
                    queue.pop_front();
                } else {
                    queue.retain(|&other| other != client);
                }
                if queue.is_empty() {
                    self.queues.remove(key);
                }
            }
        }
        if let Some(until) = wait.until {
            self.deadlines.remove(&(until, client));
        }
    }

    /// The list has got elements.
    pub fn notice(&mut self, key: &[u8]) {
        if let Some((key, _)) = self.queues.get_key_value(key) {
            self.ready.push(key.clone());
        }
    }

    pub fn next_ready(&mut self) -> Option<Rc<[u8]>> {
        self.ready.pop()
    }

    /// Who has waited longest.
    pub fn first(&self, key: &[u8]) -> Option<ClientId> {
        self.queues.get(key)?.front().copied()
    }

    pub fn next_deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|&(until, _)| until)
    }

    /// Somebody whose wait is over at `now`.
    pub fn overdue(&self, now: u64) -> Option<ClientId> {
        self.deadlines.first().filter(|&&(until, _)| until <= now).map(|&(_, client)| client)
    }
}
