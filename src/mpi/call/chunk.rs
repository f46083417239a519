//! Units that rank 0 handed to this rank, with the memory they run in.

use crate::abi::bytes::par_bytes;
use crate::abi::status::par_item;
use crate::job::{Job, Place, Work};
use std::ops::Range;
use std::ptr;
use std::slice;
use std::sync::{Mutex, PoisonError};

/// What a received item may be aligned to; its place within the hand-out is as it was within the array.
pub const ALIGNMENT: usize = 64;

/// Received bytes of any type.
#[derive(Debug, Default)]
pub struct Block {
    lines: Vec<Line>,
    len: usize,
}

#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
struct Line([u8; ALIGNMENT]);

impl Block {
    /// None: no memory.
    pub fn new(len: usize) -> Option<Block> {
        let mut lines = Vec::new();
        let wanted = len.div_ceil(ALIGNMENT);
        lines.try_reserve_exact(wanted).ok()?;
        lines.resize(wanted, Line([0; ALIGNMENT]));
        Some(Block { lines, len })
    }

    /// The same memory for other bytes, where it has room for them.
    pub fn reuse(mut self, len: usize) -> Option<Block> {
        if len.div_ceil(ALIGNMENT) > self.lines.len() {
            return Block::new(len);
        }
        self.len = len;
        Some(self)
    }

    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the lines are as many bytes or more.
        unsafe { slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }

    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.lines.as_mut_ptr().cast()
    }
}

/// How far apart results of a reduce lie.
pub fn stride(acc_size: usize) -> usize {
    acc_size.next_multiple_of(ALIGNMENT)
}

pub struct Chunk {
    pub units: Range<usize>,
    pub job: Job,
    outcomes: *mut par_item,
    folds: *mut u8,
    stride: usize,
    /// What the pointers above and those of the job point to; workers write there.
    memory: (Block, Vec<par_bytes>, Vec<par_item>, Block),
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    open: usize,
    ran: Vec<Range<usize>>,
}

// SAFETY: each unit's memory is written by the worker that has it, and read when all have left.
unsafe impl Send for Chunk {}
// SAFETY: the same.
unsafe impl Sync for Chunk {}

impl Chunk {
    /// `input` is what `job::apart` reads; for a map of bytes as `pack_entries` made it. None: no memory.
    pub fn new(
        job: &Job,
        units: Range<usize>,
        mut input: Block,
        wants_outcomes: bool,
        identity: &[u8],
    ) -> Option<Chunk> {
        let mut entries = Vec::new();
        let mut folds = Block::default();
        let mut step = 0;
        match job.work() {
            Work::Bytes(_) => entries = unpack_entries(&mut input, units.len()),
            Work::Reduce(reduce) => {
                step = stride(reduce.acc_size);
                folds = Block::new(units.len() * step)?;
            }
            _ => {}
        }
        let mut outcomes = Vec::new();
        if wants_outcomes || step > 0 {
            outcomes.try_reserve_exact(units.len()).ok()?;
            outcomes.resize(units.len(), par_item::default());
        }
        let places = if outcomes.is_empty() { ptr::null_mut() } else { outcomes.as_mut_ptr() };
        let place = Place {
            input: input.as_mut_ptr(),
            entries: entries.as_ptr(),
            outcomes: places,
            folds: folds.as_mut_ptr(),
            stride: step,
            identity: identity.as_ptr(),
        };
        Some(Chunk {
            job: job.apart(units.start, place),
            outcomes: places,
            folds: place.folds,
            stride: step,
            progress: Mutex::new(Progress { open: units.len(), ran: Vec::new() }),
            units,
            memory: (input, entries, outcomes, folds),
        })
    }

    /// The memory of its input, for the next chunk.
    pub fn into_block(self) -> Block {
        self.memory.0
    }

    /// Notes that nobody has these units any more, the first `ran` of which have run. Whether they were the last.
    pub fn settle(&self, units: Range<usize>, ran: usize) -> bool {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.open -= units.len();
        if ran > 0 {
            progress.ran.push(units.start..units.start + ran);
        }
        progress.open == 0
    }

    /// The units that have run, as few ranges as possible. All of the chunk is settled.
    pub fn ran(&self) -> Vec<Range<usize>> {
        let mut ran = self.progress.lock().unwrap_or_else(PoisonError::into_inner).ran.clone();
        ran.sort_unstable_by_key(|range| range.start);
        let mut joined: Vec<Range<usize>> = Vec::new();
        for range in ran {
            match joined.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => joined.push(range),
            }
        }
        joined
    }

    /// The outcomes of units that have run; empty if nobody wants them.
    pub fn outcomes_of(&self, units: Range<usize>) -> &[par_item] {
        if self.outcomes.is_null() {
            return &[];
        }
        // SAFETY: the units are of this chunk, and their workers have left.
        unsafe { slice::from_raw_parts(self.outcomes.add(units.start - self.units.start), units.len()) }
    }

    /// The results of folded ranges that have run.
    pub fn folds_of(&self, units: Range<usize>) -> &[u8] {
        let at = (units.start - self.units.start) * self.stride;
        // SAFETY: the same.
        unsafe { slice::from_raw_parts(self.folds.add(at), units.len() * self.stride) }
    }
}

/// Entries of any length, one behind the other: all lengths, then what they hold, each aligned as malloc's memory is.
pub fn pack_entries<'a>(entries: impl Iterator<Item = &'a [u8]> + Clone) -> Option<Vec<u8>> {
    let count = entries.clone().count();
    let room: usize = entries.clone().map(|entry| entry.len().next_multiple_of(16)).sum();
    let mut packed = Vec::new();
    packed.try_reserve_exact((8 * count).next_multiple_of(16) + room).ok()?;
    entries.clone().for_each(|entry| packed.extend_from_slice(&(entry.len() as u64).to_ne_bytes()));
    packed.resize((8 * count).next_multiple_of(16), 0);
    for entry in entries {
        packed.extend_from_slice(entry);
        packed.resize(packed.len().next_multiple_of(16), 0);
    }
    Some(packed)
}

/// Where each of `count` packed entries lies.
pub fn packed_entries(packed: &[u8], count: usize) -> Vec<Range<usize>> {
    let mut at = (8 * count).next_multiple_of(16);
    let lens =
        packed.chunks_exact(8).take(count).map(|len| u64::from_ne_bytes(len.try_into().expect("8 bytes")) as usize);
    lens.map(|len| {
        let begin = at.min(packed.len());
        at += len.next_multiple_of(16);
        begin..(begin + len).min(packed.len())
    })
    .collect()
}

fn unpack_entries(input: &mut Block, count: usize) -> Vec<par_bytes> {
    let places = packed_entries(input.bytes(), count);
    let base = input.as_mut_ptr();
    let entry = |place: Range<usize>| match place.len() {
        0 => par_bytes { data: ptr::null_mut(), len: 0 },
        len => par_bytes { data: base.wrapping_add(place.start).cast(), len },
    };
    places.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::{pack_entries, packed_entries};

    #[test]
    fn entries_of_any_length_survive_the_journey() {
        let entries = [&b"one"[..], b"", b"a longer one than sixteen", b"0123456789abcdef"];
        let packed = pack_entries(entries.into_iter()).unwrap();
        let places = packed_entries(&packed, entries.len());
        for (entry, place) in entries.iter().zip(places) {
            assert_eq!(place.start % 16, 0);
            assert_eq!(*entry, &packed[place]);
        }
    }
}
