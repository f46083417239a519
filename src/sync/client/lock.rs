//! A lock with a lease: one key that its owner alone deletes, and a list that wakes one of those who wait.
//!
//! The key holds a word that only this taking of the lock knows, and goes by itself when the lease is over. To unlock is to
//! delete the key if it still holds that word; WATCH and EXEC make that one step. The list only wakes: who is woken tries
//! like everybody else, and who dies when it has been woken costs the others a slice of their wait.

use super::answer::Answer;
use super::values::shown;
use super::waiting::{Deadline, heed};
use super::{Failure, Handle};
use std::time::{Duration, Instant};

const SLICE: Duration = Duration::from_secs(1);
/// Who waits takes its token at once; after this it wakes nobody.
const TOKEN_KEPT_MS: &[u8] = b"1000";
/// Thirty thousand years: a longer lease could overflow the server's clock, and is as good as none.
const LONGEST_LEASE_MS: u64 = 1_000_000_000_000_000;

/// A lock that this handle has.
pub struct Held {
    name: Vec<u8>,
    word: String,
    lease_ms: u64,
    /// None: for ever.
    until: Option<Instant>,
}

impl Held {
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }
}

impl Handle {
    pub fn lock(&mut self, name: &[u8], lease_ms: u64, timeout_ms: u64) -> Result<(), Failure> {
        if lease_ms == 0 {
            return Err(Failure::argument(
                "lease_ms is 0: pass how long the lock may be held, UINT64_MAX for as long as it takes",
            ));
        }
        self.held.retain(|held| held.name != name || !held.is_over());
        if self.held.iter().any(|held| held.name == name) {
            return Err(Failure::argument(format!(
                "this handle holds '{}' already: it would wait for itself",
                shown(name)
            )));
        }
        let (key, free) = keys(name);
        let word =
            random_word().map_err(|error| Failure::gone(format!("the system gives no random bytes: {error}")))?;
        let deadline = Deadline::after(timeout_ms);
        loop {
            let asked = Instant::now();
            let remaining = match self.try_lock(&key, &word, lease_ms)? {
                None => {
                    let until = asked.checked_add(Duration::from_millis(lease_ms));
                    self.held.push(Held { name: name.into(), word, lease_ms, until });
                    return Ok(());
                }
                Some(ms) => ms,
            };
            // When the lease ends nobody wakes us.
            let longest = u64::try_from(remaining).map_or(SLICE, |ms| SLICE.min(Duration::from_millis(ms)));
            let Some(slice) = deadline.slice(longest, self.watch.as_ref()) else {
                let name = shown(name);
                return Err(Failure::timed_out(match remaining {
                    0.. => format!("'{name}' was held by others for {timeout_ms} ms, now for {remaining} ms more"),
                    _ => format!("'{name}' was held by others for {timeout_ms} ms"),
                }));
            };
            self.wait_for_element(&free, slice)?;
            heed(self.watch.as_ref())?;
        }
    }

    /// None: locked. Otherwise for how many milliseconds another has it; below 0: nobody knows.
    fn try_lock(&mut self, key: &[u8], word: &str, lease_ms: u64) -> Result<Option<i64>, Failure> {
        let lease = lease_ms.to_string();
        let set: [&[u8]; 6] = [b"SET", key, word.as_bytes(), b"NX", b"PX", lease.as_bytes()];
        let set = if lease_ms > LONGEST_LEASE_MS { &set[..4] } else { &set[..] };
        let [locked, remaining] = self.ask_all([set, &[b"PTTL", key]])?;
        let (locked, remaining) = (locked.done()?, remaining.integer()?);
        Ok((!locked).then_some(remaining))
    }

    pub fn unlock(&mut self, name: &[u8]) -> Result<(), Failure> {
        let Some(at) = self.held.iter().position(|held| held.name == name) else {
            self.connection()?;
            return Err(Failure::argument(format!("this handle does not hold '{}': lock it first", shown(name))));
        };
        let held = self.held.remove(at);
        let (key, free) = keys(name);
        let [watched, word] = self.ask_all([&[b"WATCH", &key], &[b"GET", &key]])?;
        watched.done()?;
        // A key of another kind is not ours either.
        let is_ours = matches!(word, Answer::Bulk(Some(word)) if word.bytes() == held.word.as_bytes());
        if is_ours && self.release(&key, &free)? {
            return Ok(());
        }
        if !is_ours {
            self.ask(&[b"UNWATCH"], Duration::ZERO)?.done()?;
        }
        Err(Failure::timed_out(format!(
            "the lease of {} ms on '{}' was over before: another may have had the lock since",
            held.lease_ms,
            shown(name)
        )))
    }

    /// Whether the key was still as it was watched.
    fn release(&mut self, key: &[u8], free: &[u8]) -> Result<bool, Failure> {
        let [multi, a, b, c, d, done] = self.ask_all([
            &[b"MULTI"],
            &[b"DEL", key],
            &[b"DEL", free],
            &[b"RPUSH", free, b"1"],
            &[b"PEXPIRE", free, TOKEN_KEPT_MS],
            &[b"EXEC"],
        ])?;
        for answer in [multi, a, b, c, d] {
            answer.done()?;
        }
        match done {
            Answer::Array(items) => Ok(items.is_some()),
            other => Err(other.unexpected("a list")),
        }
    }
}

fn keys(name: &[u8]) -> (Vec<u8>, Vec<u8>) {
    ([b"par:lock:", name].concat(), [b"par:lock-free:", name].concat())
}

/// 32 hexadecimal digits that nobody guesses and no forked process has, too.
fn random_word() -> std::io::Result<String> {
    let mut bytes = [0u8; 16];
    // SAFETY: `bytes` is writable for its length. So few bytes come at once or not at all.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got != bytes.len() as isize {
        return Err(std::io::Error::last_os_error());
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
