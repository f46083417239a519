//! Plain rayon: parallel iterators on its global pool, called from a thread that is no member of it, as a C program's would be.

use super::interface::*;
use ::rayon::prelude::*;
use std::ffi::{c_int, c_void};

unsafe extern "C" fn start(workers: usize) -> c_int {
    let built = ::rayon::ThreadPoolBuilder::new().num_threads(workers).build_global();
    c_int::from(built.is_err())
}

unsafe extern "C" fn map(
    item: ItemFn,
    ctx: *mut c_void,
    input: *const c_void,
    in_size: usize,
    output: *mut c_void,
    out_size: usize,
    n: usize,
) {
    let items = Items { item, ctx, input: input.cast(), in_size, output: output.cast(), out_size };
    let items = &items;
    (0..n).into_par_iter().for_each(|i| items.run(i));
}

fn range_count(n: usize) -> usize {
    n.min(::rayon::current_num_threads() * RANGES_PER_THREAD).max(1)
}

unsafe extern "C" fn for_ranges(range: RangeFn, ctx: *mut c_void, n: usize) {
    let ranges = Ranges { range, ctx, n, count: range_count(n) };
    let ranges = &ranges;
    (0..ranges.count).into_par_iter().for_each(|r| ranges.run(r));
}

unsafe extern "C" fn reduce(
    fold: FoldFn,
    combine: CombineFn,
    ctx: *mut c_void,
    acc: *mut c_void,
    acc_size: usize,
    n: usize,
) {
    // SAFETY: the measuring program passes an accumulator of acc_size bytes.
    let folding = unsafe { Folding::new((fold, combine), ctx, (acc, acc_size), n, range_count(n)) };
    let folding = &folding;
    let sum = (0..folding.count)
        .into_par_iter()
        .fold(|| folding.identity, |own, r| folding.fold_range(own, r))
        .reduce(|| folding.identity, |left, right| folding.joined(left, right));
    // SAFETY: as above.
    unsafe { folding.store(sum, acc, acc_size) };
}

#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name follows the C contenders")]
pub static contender_rayon: Contender = Contender {
    start,
    map,
    for_ranges: Some(for_ranges),
    reduce: Some(reduce),
    map_bytes: None,
    bytes_resize: None,
    nests: 1,
};
