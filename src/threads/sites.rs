//! What items have cost before, by the function that runs them and by how many there were, to within a factor of two.
//!
//! A call whose items are known to be short wakes nobody; one whose items are unknown or long does so at once. One function
//! may stand for many kernels (a trampoline), and as a rule those are called for different numbers of items. Where they are
//! not, an entry is a hint and no more: the first item of a call checks it. It rises at once and falls by an eighth a call: if
//! one call in a hundred has had long items, waking a helper in vain for some calls costs less than beginning the next long
//! one alone. What the function has cost for any number of items is a hint for one that is new.

use crate::schedule::{MICRO, Picos};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const ENTRIES: usize = 1024;

/// Each entry: a tag of what it is about above the cost of an item, both 32 bits. 0 is empty.
static TABLE: [AtomicU64; ENTRIES] = [const { AtomicU64::new(0) }; ENTRIES];

/// Costs are kept in eighths of a nanosecond: from 0.125 ns to half a second.
const STEP: Picos = 125;

#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// For about so many items, and for any number.
    sized: Entry,
    any: Entry,
    /// Items of a unit.
    items: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    place: &'static AtomicU64,
    tag: u64,
}

impl Entry {
    #[inline]
    fn of(key: u64) -> Entry {
        // Fibonacci hashing (Knuth, volume 3, 6.4): the top bits depend on all bits of the key.
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Entry { place: &TABLE[(hash >> 54) as usize % ENTRIES], tag: hash & 0xffff_ffff }
    }

    #[inline]
    fn cost(self) -> Option<u64> {
        let entry = self.place.load(Relaxed);
        (entry != 0 && entry >> 32 == self.tag).then_some(entry & 0xffff_ffff)
    }

    /// Writes only what is news, since many threads read.
    fn learn(self, cost: u64) {
        let before = self.cost().unwrap_or(0);
        if cost.abs_diff(before) * 8 > before {
            let now = if cost >= before { cost } else { before - (before - cost).div_ceil(8) };
            self.place.store(self.tag << 32 | now, Relaxed);
        }
    }
}

impl Site {
    /// `n` is how many items the call has.
    #[inline]
    pub fn of(function: usize, n: usize) -> Site {
        // Times any odd number that is far from the one above: sizes must not look like addresses nearby.
        let size = u64::from(usize::BITS - n.leading_zeros()).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let function = function as u64;
        Site { sized: Entry::of(function.wrapping_add(size)), any: Entry::of(function), items: 1 }
    }

    /// The same for units of so many items.
    pub fn of_units(function: usize, n: usize, items: usize) -> Site {
        Site { items, ..Site::of(function, n) }
    }

    /// What a unit is expected to take; None if nothing is known.
    #[inline]
    pub fn cost(&self) -> Option<Picos> {
        let cost = self.sized.cost().or_else(|| self.any.cost())?;
        Some((cost * STEP).saturating_mul(self.items as u64))
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

    /// Learns from a call whose items took so long together.
    pub fn learn(&self, time: Picos, items: usize) {
        if items > 0 {
            let cost = (time / items as u64 / STEP).clamp(1, 0xffff_ffff);
            self.sized.learn(cost);
            self.any.learn(cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Site;

    #[test]
    fn a_site_rises_at_once_and_falls_slowly() {
        let site = Site::of(0x1234_5678, 10);
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
        let site = Site::of_units(0x2345_6789, 1_000_000, 1_000);
        site.confirm(0, 2_000_000, 1);
        assert_eq!(site.cost(), Some(2_000_000));
        assert_eq!(Site::of(0x2345_6789, 1_000_000).cost(), Some(2_000));
    }

    #[test]
    fn another_function_is_another_site() {
        Site::of(0x7fff_0000_1000, 10).learn(5_000, 1);
        assert_eq!(Site::of(0x7fff_0000_2000, 10).cost(), None);
    }

    #[test]
    fn calls_for_few_items_and_for_many_are_told_apart() {
        let (few, many) = (Site::of(0x3456_7890, 64), Site::of(0x3456_7890, 1_000));
        many.learn(2_000, 1);
        assert_eq!(few.cost(), Some(2_000), "nothing else is known");
        for _ in 0..100 {
            few.learn(20_000_000, 1);
            many.learn(2_000, 1);
            assert_eq!((few.cost(), many.cost()), (Some(20_000_000), Some(2_000)));
        }
        assert!(Site::of(0x3456_7890, 8).cost() > Some(10_000_000), "what is new may be long");
    }
}
