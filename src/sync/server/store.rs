//! Keys and what they hold: texts and lists, with a time at which they expire.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

pub enum Value {
    Text(Vec<u8>),
    List(VecDeque<Box<[u8]>>),
}

/// A key that holds the other kind of value.
#[derive(Debug)]
pub struct WrongType;

struct Entry {
    value: Value,
    expires: Option<u64>,
}

/// A key of which somebody wants to know whether it has changed.
#[derive(Default)]
struct Watched {
    watchers: usize,
    changes: u64,
}

/// What a key costs beside its bytes and its value's, and an element of a list beside its own: an upper estimate.
const KEY_COST: usize = 192;
const ELEMENT_COST: usize = 48;

#[derive(Default)]
pub struct Store {
    entries: HashMap<Rc<[u8]>, Entry>,
    expiring: BTreeSet<(u64, Rc<[u8]>)>,
    /// Milliseconds of the server's clock.
    pub now: u64,
    used: usize,
    watched: HashMap<Rc<[u8]>, Watched>,
}

impl Store {
    /// An estimate of the memory that keys and values take, in bytes.
    pub fn used(&self) -> usize {
        self.used
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// From now on changes of the key are counted; answers the key and how many there have been.
    pub fn watch(&mut self, key: &[u8]) -> (Rc<[u8]>, u64) {
        // What has expired is gone before, not afterwards.
        self.live(key);
        let key = self.watched.get_key_value(key).map_or_else(|| key.into(), |(known, _)| known.clone());
        let watched = self.watched.entry(key.clone()).or_default();
        watched.watchers += 1;
        (key, watched.changes)
    }

    /// How many changes of a watched key there have been.
    pub fn changes(&mut self, key: &[u8]) -> u64 {
        self.live(key);
        self.watched.get(key).map_or(0, |watched| watched.changes)
    }

    /// One watcher less.
    pub fn unwatch(&mut self, key: &[u8]) {
        if let Some(watched) = self.watched.get_mut(key) {
            watched.watchers -= 1;
            if watched.watchers == 0 {
                self.watched.remove(key);
            }
        }
    }

    fn touch(&mut self, key: &[u8]) {
        if !self.watched.is_empty()
            && let Some(watched) = self.watched.get_mut(key)
        {
            watched.changes += 1;
        }
    }

    pub fn contains(&mut self, key: &[u8]) -> bool {
        self.live(key).is_some()
    }

    pub fn value(&mut self, key: &[u8]) -> Option<&Value> {
        self.live(key).map(|entry| &entry.value)
    }

    pub fn text(&mut self, key: &[u8]) -> Result<Option<&[u8]>, WrongType> {
        match self.live(key) {
            None => Ok(None),
            Some(Entry { value: Value::Text(text), .. }) => Ok(Some(text)),
            Some(_) => Err(WrongType),
        }
    }

    pub fn list(&mut self, key: &[u8]) -> Result<Option<&VecDeque<Box<[u8]>>>, WrongType> {
        match self.live(key) {
            None => Ok(None),
            Some(Entry { value: Value::List(list), .. }) => Ok(Some(list)),
            Some(_) => Err(WrongType),
        }
    }

    /// The key holds `text` from now on, whatever it held, and expires as it did before.
    pub fn put(&mut self, key: &[u8], text: &[u8]) {
        self.touch(key);
        let Some(entry) = self.live_mut(key) else {
            return self.insert(key, Value::Text(text.to_vec()));
        };
        let before = cost(&entry.value);
        match &mut entry.value {
            Value::Text(old) if old.capacity() / 2 <= text.len() => {
                old.clear();
                old.extend_from_slice(text);
            }
            other => *other = Value::Text(text.to_vec()),
        }
        let after = cost(&entry.value);
        self.used = self.used - before + after;
    }

    /// Answers the list's new length.
    pub fn push<'a>(
        &mut self,
        key: &[u8],
        elements: impl Iterator<Item = &'a [u8]>,
        left: bool,
    ) -> Result<usize, WrongType> {
        if self.list(key)?.is_none() {
            self.insert(key, Value::List(VecDeque::new()));
        }
        self.touch(key);
        let Some(Entry { value: Value::List(list), .. }) = self.entries.get_mut(key) else {
            return Err(WrongType);
        };
        for element in elements {
            self.used += element.len() + ELEMENT_COST;
            let element = element.into();
            if left { list.push_front(element) } else { list.push_back(element) }
        }
        Ok(list.len())
    }

    /// A list that has become empty is no key any more.
    pub fn pop(&mut self, key: &[u8], left: bool) -> Result<Option<Box<[u8]>>, WrongType> {
        let (element, is_empty) = match self.live_mut(key) {
            None => return Ok(None),
            Some(Entry { value: Value::List(list), .. }) => {
                let element = if left { list.pop_front() } else { list.pop_back() };
                (element, list.is_empty())
            }
            Some(_) => return Err(WrongType),
        };
        self.used -= element.as_ref().map_or(0, |element| element.len() + ELEMENT_COST);
        self.touch(key);
        if is_empty {
            self.remove(key);
        }
        Ok(element)
    }

    /// Whether there was such a key.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let Some((key, entry)) = self.entries.remove_entry(key) else {
            return false;
        };
        self.touch(&key);
        self.used -= key.len() + KEY_COST + cost(&entry.value);
        let is_live = entry.expires.is_none_or(|at| at > self.now);
        if let Some(at) = entry.expires {
            self.expiring.remove(&(at, key));
        }
        is_live
    }

    pub fn clear(&mut self) {
        for (key, watched) in &mut self.watched {
            watched.changes += u64::from(self.entries.contains_key(key));
        }
        let watched = std::mem::take(&mut self.watched);
        *self = Store { now: self.now, watched, ..Store::default() };
    }

    /// When the key expires: None, never. None outside: there is no such key.
    pub fn expiry(&mut self, key: &[u8]) -> Option<Option<u64>> {
        self.live(key).map(|entry| entry.expires)
    }

    /// Whether there is such a key.
    pub fn expire(&mut self, key: &[u8], at: Option<u64>) -> bool {
        match self.live(key) {
            None => return false,
            Some(entry) if entry.expires.is_none() && at.is_none() => return true,
            Some(_) => {}
        }
        let Some((key, _)) = self.entries.get_key_value(key) else { return false };
        let key = key.clone();
        self.touch(&key);
        let Some(entry) = self.entries.get_mut(&key) else { return false };
        if let Some(before) = std::mem::replace(&mut entry.expires, at) {
            self.expiring.remove(&(before, key.clone()));
        }
        if let Some(at) = at {
            self.expiring.insert((at, key));
        }
        true
    }

    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let now = self.now;
        let live = self.entries.iter().filter(move |(_, entry)| entry.expires.is_none_or(|at| at > now));
        live.map(|(key, _)| &**key)
    }

    pub fn next_expiry(&self) -> Option<u64> {
        self.expiring.first().map(|&(at, _)| at)
    }

    /// Frees what has expired.
    pub fn purge(&mut self) {
        while let Some((at, key)) = self.expiring.first()
            && *at <= self.now
        {
            let key = key.clone();
            self.remove(&key);
        }
    }

    fn insert(&mut self, key: &[u8], value: Value) {
        self.used += key.len() + KEY_COST + cost(&value);
        self.entries.insert(key.into(), Entry { value, expires: None });
    }

    fn live(&mut self, key: &[u8]) -> Option<&Entry> {
        self.live_mut(key).map(|entry| &*entry)
    }

    /// The entry, unless its time is over; then it is gone.
    fn live_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        if !self.expiring.is_empty() {
            let expired = |entry: &Entry| entry.expires.is_some_and(|at| at <= self.now);
            if self.entries.get(key).is_some_and(expired) {
                self.remove(key);
                return None;
            }
        }
        self.entries.get_mut(key)
    }
}

fn cost(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.capacity(),
        Value::List(list) => list.iter().map(|element| element.len() + ELEMENT_COST).sum(),
    }
}
