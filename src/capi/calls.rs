use super::{answer::answer, arguments};
use crate::abi::bytes::par_bytes;
use crate::abi::callbacks::{par_bytes_fn, par_combine_fn, par_fold_fn, par_map_fn, par_range_fn};
use crate::abi::options::par_options;
use crate::abi::status::par_status;
use std::ffi::c_void;

/// The parallel form of
///
///     for (size_t i = 0; i < n; i++)
///         if (fn((const char *)in + i * in_size, (char *)out + i * out_size, ctx))
///             break;
///
/// with every item run exactly once, by any worker, in any order.
///
/// `in` holds n items of `in_size` bytes, `out` has room for n results of `out_size` bytes; both stay the caller's. `in`
/// and `out` may be the same array if both sizes are equal; any other overlap is refused. `out` may be NULL with `out_size`
/// 0. With n == 0 the arrays may be NULL. `ctx` is passed on untouched and shared by all workers.
///
/// When some item fails, no new item starts unless `PAR_KEEP_GOING` is set, and items below the reported one may then be
/// NOT_RUN. The output of a failed item is unspecified, that of an item not run untouched.
///
/// `options` may be NULL. The memory that a call on threads takes does not depend on n.
///
/// Answers `PAR_OK`: all n items ran and returned 0. `PAR_EITEM`: some item failed. `PAR_ECANCELED`, `PAR_ETIMEDOUT`: stopped
/// before all had run. `PAR_EINVAL`: bad argument, nothing ran. `PAR_EWORKER`: `worker_start` refused in every worker, or
/// worker processes died before their first item. `PAR_EAGAIN`: no worker process could be forked. `PAR_ENOMEM`: no memory to
/// share with worker processes, which takes as much as `out`. `PAR_ENOTSUP`: this executor cannot do that, as in a callback
/// of a `PAR_MPI` call another one. `PAR_EMPI`: MPI cannot be had, or failed. `PAR_EPANIC`: a bug of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_map(
    r#fn: par_map_fn,
    ctx: *mut c_void,
    r#in: *const c_void,
    in_size: usize,
    out: *mut c_void,
    out_size: usize,
    n: usize,
    options: *const par_options,
) -> par_status {
    // SAFETY: the caller passes NULL or readable options, as the header asks.
    unsafe { answer("par_map", n, options, |whose| arguments::map(whose, r#fn, ctx, r#in, in_size, out, out_size, n)) }
}

/// The parallel form of
///
///     fn(0, n, ctx);
///
/// where `fn(begin, end, ctx)` stands for `for (size_t i = begin; i < end; i++) ...`: the items are handed out as
/// consecutive ranges, so that the inner loop can be inlined and vectorised. Every index is in exactly one range; with
/// `grain` g no range but the last is shorter than g. A range that fails marks all its items failed.
///
/// Otherwise as `par_map`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_for(
    r#fn: par_range_fn,
    ctx: *mut c_void,
    n: usize,
    options: *const par_options,
) -> par_status {
    // SAFETY: the caller passes NULL or readable options, as the header asks.
    unsafe { answer("par_for", n, options, |_| arguments::range(r#fn, ctx)) }
}

/// The parallel form of
///
///     fold(0, n, acc, ctx);
///
/// where `fold(begin, end, acc, ctx)` folds the items `begin <= i < end` into `acc`. `acc` holds the identity on entry, the
/// result on return, and is `acc_size` bytes that may be copied bit by bit.
///
/// The items are cut into at most 1024 consecutive ranges, which depend on `n` and `grain` alone. Each range is folded into
/// a copy of the identity, aligned to 64 bytes; then `combine(acc, other, ctx)` adds the results from left to right:
///
///     for (size_t r = 0; r < ranges; r++)
///         combine(acc, result[r], ctx);
///
/// So a floating-point sum has the same bits with any number of workers, and `combine` need not be commutative. `combine`
/// runs in one worker at a time.
///
/// `acc` is written at the end: on `PAR_OK`, and with `PAR_KEEP_GOING` also on `PAR_EITEM`, where it is the combination of
/// the ranges that did not fail. Otherwise it still holds the identity.
///
/// Answers as `par_map`, and `PAR_ENOMEM` when there is no memory for a copy of `acc`; a call holds at most 1024 of them,
/// usually one or two per worker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_reduce(
    fold: par_fold_fn,
    combine: par_combine_fn,
    ctx: *mut c_void,
    acc: *mut c_void,
    acc_size: usize,
    n: usize,
    options: *const par_options,
) -> par_status {
    // SAFETY: the caller passes NULL or readable options, as the header asks.
    unsafe { answer("par_reduce", n, options, |_| arguments::reduce(fold, combine, ctx, acc, acc_size, n)) }
}

/// The parallel form of
///
///     for (size_t i = 0; i < n; i++)
///         if (fn(in[i].data, in[i].len, &out[i], ctx))
///             break;
///
/// for items and results of any length. `out` is n of `par_bytes`, zeroed by the caller (or holding earlier results, which
/// `par_bytes_resize` reuses); `fn` makes its result in `*out` with `par_bytes_resize`. The caller gives the results back
/// with `par_bytes_free(out, n)`, whatever the call answered. `in` and `out` must not overlap. An entry of `in` may be
/// `{NULL, 0}`. In worker processes, a result that finds no memory on its way back ends the call with `PAR_ENOMEM`.
///
/// Otherwise as `par_map`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_map_bytes(
    r#fn: par_bytes_fn,
    ctx: *mut c_void,
    r#in: *const par_bytes,
    out: *mut par_bytes,
    n: usize,
    options: *const par_options,
) -> par_status {
    // SAFETY: the caller passes NULL or readable options, and n readable entries of `in`, as the header asks.
    unsafe { answer("par_map_bytes", n, options, |whose| arguments::bytes(whose, r#fn, ctx, r#in, out, n)) }
}
