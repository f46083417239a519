//! How a rank waits: awake while an answer may come any moment, then with naps that grow, so that it burns no core.

use std::time::{Duration, Instant};

/// Looks again at once for so long: an answer over shared memory takes microseconds.
const AWAKE: Duration = Duration::from_micros(100);
/// So many looks come before all else: an answer that is on its way is often here before the clock is read.
const EAGER: u32 = 50;
/// Naps are short for so long.
const LIGHT: Duration = Duration::from_millis(2);
const SHORT_NAP: Duration = Duration::from_micros(20);
const LONG_NAP: Duration = Duration::from_micros(200);
/// One that has waited for so long dozes: each nap costs some 15 us. (Not amid a call on ranks, where others wait for hand-outs.)
const DOZES_FROM: Duration = Duration::from_millis(50);
const DOZE: Duration = Duration::from_micros(900);
/// Reading the clock costs more than a look.
const LOOKS_A_READING: u32 = 32;
/// A thread that speaks while others of its process work is awake for so long: they may need its CPU. (It never yields: then
/// it might get the CPU back milliseconds later, while one that sleeps gets it as soon as it wakes.)
const AWAKE_BESIDE_WORKERS: Duration = Duration::from_micros(20);

#[derive(Debug, Default)]
pub struct Patience {
    /// Awake for so much longer.
    longer: Duration,
    beside_workers: bool,
    eager: u32,
    looks: u32,
    is_long: bool,
    since: Option<Instant>,
}

impl Patience {
    /// While so many bytes move, each look moves some of them along: they may go at a billion bytes a second.
    pub fn for_bytes(len: usize) -> Patience {
        Patience { longer: Duration::from_nanos(len as u64), ..Patience::default() }
    }

    pub fn beside_workers() -> Patience {
        Patience { beside_workers: true, ..Patience::default() }
    }

    /// Call it when a look found nothing. Whether the host wants the wait to end, where it can.
    pub fn rest(&mut self) -> bool {
        if self.eager < EAGER {
            self.eager += 1;
            return self.eager == 1 && super::pause::look();
        }
        match self.nap() {
            Some(nap) => {
                let dozes = self.since.is_some_and(|since| since.elapsed() > DOZES_FROM + self.longer);
                std::thread::sleep(if dozes { DOZE } else { nap });
                return super::pause::look();
            }
            // Another rank may want this CPU to come to its answer.
            None if self.looks.is_multiple_of(8) => std::thread::yield_now(),
            None => std::hint::spin_loop(),
        }
        false
    }

    /// How long to sleep before the next look; None: look at once.
    pub fn nap(&mut self) -> Option<Duration> {
        self.looks = self.looks.wrapping_add(1);
        if self.since.is_some() && self.looks < LOOKS_A_READING {
            return None;
        }
        let waited = self.since.get_or_insert_with(Instant::now).elapsed();
        let awake = if self.beside_workers { AWAKE_BESIDE_WORKERS } else { AWAKE };
        match waited {
            _ if waited < awake + self.longer => {
                self.looks = 1;
                None
            }
            _ if waited < LIGHT + self.longer => Some(SHORT_NAP),
            _ => {
                self.is_long = true;
                Some(LONG_NAP)
            }
        }
    }

    /// Whether naps have grown long.
    pub fn is_long(&self) -> bool {
        self.is_long
    }

    /// Something came: the next may come soon.
    pub fn restart(&mut self) {
        *self = Patience { beside_workers: self.beside_workers, ..Patience::default() };
    }
}
