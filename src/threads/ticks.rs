//! A clock that is cheap enough for loops of a microsecond: the CPU's time stamp counter, in picoseconds.
//!
//! It steers hand-outs and predictions only. It may be off by a few percent, or differ between CPUs, and nothing but speed
//! suffers; deadlines and reports use the system's clock.

use crate::schedule::Picos;

/// A moment.
#[derive(Clone, Copy, Debug)]
pub struct Tick(u64);

impl Tick {
    pub const LONG_AGO: Tick = Tick(0);

    #[inline]
    pub fn now() -> Tick {
        Tick(counter::read())
    }

    /// The time since `earlier`, or 0 if the clock seems to have gone back.
    #[inline]
    pub fn since(self, earlier: Tick) -> Picos {
        counter::picos(self.0.saturating_sub(earlier.0))
    }

    pub fn to_bits(self) -> u64 {
        self.0
    }

    pub fn from_bits(bits: u64) -> Tick {
        Tick(bits)
    }
}

/// x86-64: the counter runs at a constant rate near the nominal one; how fast, the first call measures.
#[cfg(target_arch = "x86_64")]
mod counter {
    use crate::schedule::Picos;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::time::{Duration, Instant};

    /// Picoseconds of 1024 ticks; 0 before it is measured.
    static RATE: AtomicU64 = AtomicU64::new(0);

    #[inline]
    pub fn read() -> u64 {
        // SAFETY: every x86-64 CPU has the instruction.
        unsafe { core::arch::x86_64::_rdtsc() }
    }

    #[inline]
    pub fn picos(ticks: u64) -> Picos {
        let rate = match RATE.load(Relaxed) {
            0 => measure(),
            rate => rate,
        };
        match ticks.checked_mul(rate) {
            Some(product) => product >> 10,
            None => u64::MAX >> 10,
        }
    }

    /// The clock of the system is read between two readings of the counter. Where they lie far apart, the thread was
    /// interrupted: the closest of several is taken.
    #[cold]
    fn measure() -> u64 {
        let reading = || {
            let mut best = (u64::MAX, 0, Instant::now());
            for _ in 0..5 {
                let (before, time) = (read(), Instant::now());
                let apart = read().saturating_sub(before);
                if apart < best.0 {
                    best = (apart, before, time);
                }
            }
            (best.1, best.2)
        };
        let (first, start) = reading();
        while start.elapsed() < Duration::from_micros(20) {}
        let (last, end) = reading();
        let picos = end.duration_since(start).as_nanos() as u64 * 1000;
        // Whatever happened: such counters run at 1 to 5 GHz.
        let rate = (picos * 1024 / last.saturating_sub(first).max(1)).clamp(200 * 1024, 1000 * 1024);
        RATE.store(rate, Relaxed);
        rate
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod counter {
    use crate::schedule::{NANO, Picos};

    pub fn read() -> u64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the time is a timespec of our own.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }

    pub fn picos(nanoseconds: u64) -> Picos {
        nanoseconds.saturating_mul(NANO)
    }
}
