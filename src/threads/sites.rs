//! What items have cost before, by the address of the function that runs them.
//!
//! A call whose items are known to be short wakes nobody; one whose items are unknown or long does so at once. One function
//! may stand for many kernels (a trampoline), so an entry is a hint and no more: the first item of a call checks it. It
//! rises at once and falls by an eighth a call: if one call in a hundred has had long items, waking a helper in vain for
//! some calls costs less than beginning the next long one alone.

use crate::schedule::{MICRO, Picos};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const ENTRIES: usize = 512;

/// Each entry: a tag of the function's address above the cost of an item, both 32 bits. 0 is empty.
static TABLE: [AtomicU64; ENTRIES] = [const { AtomicU64::new(0) }; ENTRIES];

/// Costs are kept in eighths of a nanosecond: from 0.125 ns to half a second.
const STEP: Picos = 125;

#[derive(Clone, Copy, Debug)]
pub struct Site {
    entry: &'static AtomicU64,
    tag: u64,
    /// Items of a unit.
    items: usize,
}

impl Site {
    #[inline]
    pub fn of(function: usize) -> Site {
        // Fibonacci hashing (Knuth, volume 3, 6.4): the top bits depend on all bits of the address.
        let hash = (function as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Site { entry: &TABLE[(hash >> 55) as usize % ENTRIES], tag: hash & 0xffff_ffff, items: 1 }
    }

    /// The same for units of so many items.
    pub fn of_units(function: usize, items: usize) -> Site {
        Site { items, ..Site::of(function) }
    }

    /// What a unit is expected to take; None if nothing is known.
    #[inline]
    pub fn cost(&self) -> Option<Picos> {
        let entry = self.entry.load(Relaxed);
        (entry != 0 && entry >> 32 == self.tag)
            .then_some(((entry & 0xffff_ffff) * STEP).saturating_mul(self.items as u64))
    }

    /// Learns from units of a short call that were expected to take so long. One that took longer, but is short all the same, says
    /// more of the call itself than of its items.
    #[inline]
    pub fn confirm(&self, expected: Picos, time: Picos, units: usize) {
        let news = time.abs_diff(expected) * 8 > expected;
        if news && (time < expected || time > MICRO) {
            self.learn(time, units.saturating_mul(self.items));
        }
    }

    /// Learns from a call whose items took so long together. Writes only when that is news, since many threads read.
    pub fn learn(&self, time: Picos, items: usize) {
        if items == 0 {
            return;
        }
        let cost = (time / items as u64 / STEP).clamp(1, 0xffff_ffff);
        let entry = self.entry.load(Relaxed);
        let before = if entry >> 32 == self.tag { entry & 0xffff_ffff } else { 0 };
        if cost.abs_diff(before) * 8 > before {
            let now = if cost >= before { cost } else { before - (before - cost).div_ceil(8) };
            self.entry.store(self.tag << 32 | now, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Site;

    #[test]
    fn a_site_rises_at_once_and_falls_slowly() {
        let site = Site::of(0x1234_5678);
        assert_eq!(site.cost(), None);
        site.learn(1_000, 1);
        assert_eq!(site.cost(), Some(1_000));
        site.learn(8_000_000, 1);
        assert_eq!(site.cost(), Some(8_000_000));
        site.learn(1_000, 1);
        assert!(site.cost() > Some(6_000_000));
        for _ in 0..100 {
            site.learn(1_000, 1);
        }
        assert!(site.cost() < Some(20_000), "{:?}", site.cost());
    }

    #[test]
    fn a_unit_of_many_items_takes_as_long_as_they_do() {
        let site = Site::of_units(0x2345_6789, 1_000);
        site.confirm(0, 2_000_000, 1);
        assert_eq!(site.cost(), Some(2_000_000));
        assert_eq!(Site::of(0x2345_6789).cost(), Some(2_000));
    }

    #[test]
    fn another_function_is_another_site() {
        Site::of(0x7fff_0000_1000).learn(5_000, 1);
        assert_eq!(Site::of(0x7fff_0000_2000).cost(), None);
    }
}
