//! fork_union: one slice per thread, or one item per claim. Its pool takes one call at a time, hence the lock.

use super::interface::*;
use ::fork_union::ThreadPool;
use std::ffi::{c_int, c_void};
use std::sync::{Mutex, MutexGuard, OnceLock};

static POOL: OnceLock<Mutex<ThreadPool>> = OnceLock::new();

unsafe extern "C" fn start(workers: usize) -> c_int {
    let Ok(pool) = ThreadPool::try_spawn(workers) else { return 1 };
    c_int::from(POOL.set(Mutex::new(pool)).is_err())
}

fn pool() -> MutexGuard<'static, ThreadPool> {
    POOL.get().expect("start made the pool").lock().expect("no item panics")
}

unsafe extern "C" fn map_slices(
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
    // The work runs when the operation that the call returns is dropped.
    drop(pool().for_slices(n, |first, count| (first.task_index..first.task_index + count).for_each(|i| items.run(i))));
}

unsafe extern "C" fn map_dynamic(
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
    drop(pool().for_n_dynamic(n, |one| items.run(one.task_index)));
}

unsafe extern "C" fn for_slices(range: RangeFn, ctx: *mut c_void, n: usize) {
    let ranges = Ranges { range, ctx, n, count: 1 };
    let ranges = &ranges;
    drop(pool().for_slices(n, |first, count| ranges.run_between(first.task_index, first.task_index + count)));
}

unsafe extern "C" fn for_dynamic(range: RangeFn, ctx: *mut c_void, n: usize) {
    let mut pool = pool();
    let ranges = Ranges { range, ctx, n, count: n.min(pool.threads() * RANGES_PER_THREAD).max(1) };
    let ranges = &ranges;
    drop(pool.for_n_dynamic(ranges.count, |one| ranges.run(one.task_index)));
}

/// Ranges of a reduction; each has an accumulator of its own.
const PARTS: usize = 1024;

unsafe fn reduce_with(
    functions: (FoldFn, CombineFn),
    ctx: *mut c_void,
    (acc, acc_size): (*mut c_void, usize),
    n: usize,
    dynamic: bool,
) {
    let mut pool = pool();
    let count = if dynamic { PARTS } else { pool.threads() };
    // SAFETY: the measuring program passes an accumulator of acc_size bytes.
    let folding = unsafe { Folding::new(functions, ctx, (acc, acc_size), n, count) };
    let folding = &folding;
    let parts: Vec<Mutex<Accumulator>> = (0..folding.count).map(|_| Mutex::new(folding.identity)).collect();
    let part = |r: usize| {
        let mut own = parts[r].lock().expect("no item panics");
        *own = folding.fold_range(*own, r);
    };
    if dynamic {
        drop(pool.for_n_dynamic(folding.count, |one| part(one.task_index)));
    } else {
        drop(pool.for_n(folding.count, |one| part(one.task_index)));
    }
    let sum = parts
        .into_iter()
        .map(|part| part.into_inner().expect("no item panics"))
        .fold(folding.identity, |left, right| folding.joined(left, right));
    // SAFETY: as above.
    unsafe { folding.store(sum, acc, acc_size) };
}

unsafe extern "C" fn reduce_slices(
    fold: FoldFn,
    combine: CombineFn,
    ctx: *mut c_void,
    acc: *mut c_void,
    acc_size: usize,
    n: usize,
) {
    // SAFETY: the arguments are passed on as they came.
    unsafe { reduce_with((fold, combine), ctx, (acc, acc_size), n, false) };
}

unsafe extern "C" fn reduce_dynamic(
    fold: FoldFn,
    combine: CombineFn,
    ctx: *mut c_void,
    acc: *mut c_void,
    acc_size: usize,
    n: usize,
) {
    // SAFETY: the arguments are passed on as they came.
    unsafe { reduce_with((fold, combine), ctx, (acc, acc_size), n, true) };
}

#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name follows the C contenders")]
pub static contender_fork_union_slices: Contender = Contender {
    start,
    map: map_slices,
    for_ranges: Some(for_slices),
    reduce: Some(reduce_slices),
    map_bytes: None,
    bytes_resize: None,
    nests: 0,
};

#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name follows the C contenders")]
pub static contender_fork_union_dynamic: Contender = Contender {
    start,
    map: map_dynamic,
    for_ranges: Some(for_dynamic),
    reduce: Some(reduce_dynamic),
    map_bytes: None,
    bytes_resize: None,
    nests: 0,
};
