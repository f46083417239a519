//! chili: a binary tree of joins, down to single items; a scope per calling thread is kept, because making one takes a lock.

use super::interface::*;
use ::chili::{Config, Scope, ThreadPool};
use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::num::NonZero;
use std::sync::OnceLock;

static POOL: OnceLock<ThreadPool> = OnceLock::new();

thread_local! {
    /// More than one where calls are nested: the outer call holds its own.
    static SCOPES: RefCell<Vec<Scope<'static>>> = const { RefCell::new(Vec::new()) };
}

unsafe extern "C" fn start(workers: usize) -> c_int {
    let config = Config { thread_count: NonZero::new(workers), ..Config::default() };
    c_int::from(POOL.set(ThreadPool::with_config(config)).is_err())
}

fn with_scope<R>(work: impl FnOnce(&mut Scope<'_>) -> R) -> R {
    let kept = SCOPES.with_borrow_mut(Vec::pop);
    let mut scope = kept.unwrap_or_else(|| POOL.get().expect("start made the pool").scope());
    let result = work(&mut scope);
    SCOPES.with_borrow_mut(|scopes| scopes.push(scope));
    result
}

/// Runs `leaf` for each of begin..end. chili runs the second closure at once and offers the first to others.
fn each(scope: &mut Scope<'_>, begin: usize, end: usize, leaf: &(impl Fn(usize) + Sync)) {
    match end - begin {
        0 => {}
        1 => leaf(begin),
        n => {
            let middle = begin + n / 2;
            scope.join(|scope| each(scope, middle, end, leaf), |scope| each(scope, begin, middle, leaf));
        }
    }
}

fn folded(scope: &mut Scope<'_>, begin: usize, end: usize, folding: &Folding) -> Accumulator {
    if end - begin <= 1 {
        return folding.fold_range(folding.identity, begin);
    }
    let middle = begin + (end - begin) / 2;
    let (right, left) =
        scope.join(|scope| folded(scope, middle, end, folding), |scope| folded(scope, begin, middle, folding));
    folding.joined(left, right)
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
    with_scope(|scope| each(scope, 0, n, &|i| items.run(i)));
}

/// chili has no thread count to ask for; so many ranges serve machines of up to some ten cores.
const RANGES: usize = 1024;

unsafe extern "C" fn for_ranges(range: RangeFn, ctx: *mut c_void, n: usize) {
    let ranges = Ranges { range, ctx, n, count: n.clamp(1, RANGES) };
    with_scope(|scope| each(scope, 0, ranges.count, &|r| ranges.run(r)));
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
    let folding = unsafe { Folding::new((fold, combine), ctx, (acc, acc_size), n, RANGES) };
    let sum = with_scope(|scope| folded(scope, 0, folding.count, &folding));
    // SAFETY: as above.
    unsafe { folding.store(sum, acc, acc_size) };
}

#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name follows the C contenders")]
pub static contender_chili: Contender = Contender {
    start,
    map,
    for_ranges: Some(for_ranges),
    reduce: Some(reduce),
    map_bytes: None,
    bytes_resize: None,
    nests: 1,
};
