//! Checks the arguments of each call and makes its `Job`. A sentence says what is wrong, and what to do.

use crate::abi::bytes::par_bytes;
use crate::abi::callbacks::*;
use crate::job::{BytesWork, ForWork, MapWork, ReduceWork, Work};
use std::ffi::c_void;
use std::ptr;

/// Why nothing ran: a sentence without the name of the call.
pub type Refusal = String;

/// The largest array that a pointer difference can measure.
const LARGEST: usize = isize::MAX as usize;

/// Whether this process's `in` is the one that counts: on ranks other than 0 it may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    Here,
    Elsewhere,
}

#[allow(clippy::too_many_arguments)]
pub fn map(
    whose: Input,
    function: par_map_fn,
    ctx: *mut c_void,
    input: *const c_void,
    in_size: usize,
    output: *mut c_void,
    out_size: usize,
    n: usize,
) -> Result<Work, Refusal> {
    let function = function.ok_or_else(|| null("fn", "the function to apply"))?;
    let input = if whose == Input::Here { input } else { ptr::null() };
    if n > 0 {
        if input.is_null() && whose == Input::Here {
            return Err(null("in", "the array of items"));
        }
        if in_size == 0 {
            return Err(format!("in_size is 0 but n is {n}: pass the size of one item"));
        }
        if output.is_null() && out_size > 0 {
            return Err(format!("out is NULL but out_size is {out_size}: pass the array of results, or 0"));
        }
        if !output.is_null() && out_size == 0 {
            return Err("out_size is 0 but out is not NULL: pass the size of one result, or NULL".into());
        }
        let in_len = length("in_size", in_size, n)?;
        let out_len = length("out_size", out_size, n)?;
        let in_place = input == output.cast_const() && in_size == out_size;
        if whose == Input::Here && !in_place && overlap(input, in_len, output, out_len) {
            return Err("in and out overlap: pass the same array with equal sizes, or two that are apart".into());
        }
    }
    Ok(Work::Map(MapWork { function, ctx, input: input.cast(), in_size, output: output.cast(), out_size }))
}

pub fn range(function: par_range_fn, ctx: *mut c_void) -> Result<Work, Refusal> {
    let function = function.ok_or_else(|| null("fn", "the function to apply"))?;
    Ok(Work::For(ForWork { function, ctx }))
}

pub fn reduce(
    fold: par_fold_fn,
    combine: par_combine_fn,
    ctx: *mut c_void,
    acc: *mut c_void,
    acc_size: usize,
    n: usize,
) -> Result<Work, Refusal> {
    let fold = fold.ok_or_else(|| null("fold", "the function that folds a range"))?;
    let combine = combine.ok_or_else(|| null("combine", "the function that adds two results"))?;
    if n > 0 {
        if acc.is_null() {
            return Err(null("acc", "the accumulator, holding the identity"));
        }
        if acc_size == 0 {
            return Err(format!("acc_size is 0 but n is {n}: pass the size of the accumulator"));
        }
        length("acc_size", acc_size, 1)?;
    }
    Ok(Work::Reduce(ReduceWork { fold, combine, ctx, acc: acc.cast(), acc_size }))
}

/// # Safety
/// `input` is NULL or n readable entries.
pub unsafe fn bytes(
    whose: Input,
    function: par_bytes_fn,
    ctx: *mut c_void,
    input: *const par_bytes,
    output: *mut par_bytes,
    n: usize,
) -> Result<Work, Refusal> {
    let function = function.ok_or_else(|| null("fn", "the function to apply"))?;
    let input = if whose == Input::Here { input } else { ptr::null() };
    if n > 0 {
        if input.is_null() && whose == Input::Here {
            return Err(null("in", "the array of items"));
        }
        if output.is_null() {
            return Err(null("out", "the array of results, zeroed"));
        }
        let len = length("sizeof(par_bytes)", size_of::<par_bytes>(), n)?;
        if whose == Input::Here && overlap(input.cast(), len, output.cast(), len) {
            return Err("in and out overlap: pass two arrays that are apart".into());
        }
        let entries = match input.is_null() {
            true => &[],
            // SAFETY: the caller promises n readable entries.
            false => unsafe { std::slice::from_raw_parts(input, n) },
        };
        if let Some(i) = entries.iter().position(|entry| entry.data.is_null() && entry.len > 0) {
            let len = entries[i].len;
            return Err(format!("in[{i}].data is NULL but its len is {len}: pass the bytes, or a len of 0"));
        }
    }
    Ok(Work::Bytes(BytesWork { function, ctx, input, output }))
}

fn null(name: &str, meaning: &str) -> Refusal {
    format!("{name} is NULL: pass {meaning}")
}

fn length(name: &str, size: usize, n: usize) -> Result<usize, Refusal> {
    match size.checked_mul(n) {
        Some(len) if len <= LARGEST => Ok(len),
        _ => Err(format!("{name} {size} times n {n} is more than memory can hold: check both")),
    }
}

fn overlap(a: *const c_void, a_len: usize, b: *const c_void, b_len: usize) -> bool {
    let (a, b) = (a.addr(), b.addr());
    a_len > 0 && b_len > 0 && a < b.saturating_add(b_len) && b < a.saturating_add(a_len)
}
