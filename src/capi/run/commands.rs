//! Reads the array of `par_command`: every pointer is looked at before anything runs.

use crate::abi::commands::par_command;
use crate::commands::Command;
use std::ffi::{CStr, c_char};
use std::mem::offset_of;
use std::ptr;

/// Larger sizes are taken for garbage in an uninitialised struct.
const LARGEST: usize = 4096;
/// `size` and `argv`: less says nothing.
const SMALLEST: usize = offset_of!(par_command, env);

/// # Safety
/// `commands` is NULL or n readable commands, as the header asks. What they point to lives as long as the answer.
pub unsafe fn read<'a>(commands: *const par_command, n: usize) -> Result<Vec<Command<'a>>, String> {
    if n == 0 {
        return Ok(Vec::new());
    }
    if commands.is_null() {
        return Err("commands is NULL: pass the array of commands".into());
    }
    // SAFETY: the size comes first.
    let stride = unsafe { ptr::read(commands.cast::<usize>()) };
    let right = size_of::<par_command>();
    if !(SMALLEST..=LARGEST).contains(&stride) || !stride.is_multiple_of(align_of::<par_command>()) {
        return Err(format!("command 0: size is {stride}, not {right}: set it to sizeof(par_command)"));
    }
    if stride.checked_mul(n).is_none_or(|len| len > isize::MAX as usize) {
        return Err(format!("sizeof(par_command) {stride} times n {n} is more than memory can hold: check both"));
    }
    // SAFETY: the caller promises n of them, each `stride` bytes.
    (0..n).map(|i| unsafe { read_one(commands.byte_add(i * stride), stride, i) }).collect()
}

unsafe fn read_one<'a>(command: *const par_command, stride: usize, i: usize) -> Result<Command<'a>, String> {
    // SAFETY: all zeros is a par_command.
    let mut known: par_command = unsafe { std::mem::zeroed() };
    let common = stride.min(size_of::<par_command>());
    // SAFETY: the caller promises `stride` readable bytes.
    let tail = unsafe {
        ptr::copy_nonoverlapping(command.cast::<u8>(), ptr::from_mut(&mut known).cast(), common);
        std::slice::from_raw_parts(command.cast::<u8>().add(common), stride - common)
    };
    let refuse = |what: String| Err(format!("command {i}: {what}"));
    if known.size != stride {
        let size = known.size;
        return refuse(format!("size is {size}, but that of command 0 is {stride}: set all to sizeof(par_command)"));
    }
    if let Some(at) = tail.iter().position(|&byte| byte != 0) {
        let at = common + at;
        return refuse(format!(
            "a byte at offset {at} is not zero, beyond what this library knows: leave it 0, or link a newer library"
        ));
    }
    if known.reserved != 0 {
        return refuse(format!("reserved is {}: leave it 0", known.reserved));
    }
    if known.argv.is_null() {
        return refuse("argv is NULL: pass the program and its arguments".into());
    }
    // SAFETY: the caller promises a NULL-terminated array.
    if unsafe { (*known.argv).is_null() } {
        return refuse("argv[0] is NULL: pass a program".into());
    }
    if known.input.is_null() && known.input_len > 0 {
        let len = known.input_len;
        return refuse(format!("input is NULL but input_len is {len}: pass the bytes, or 0"));
    }
    if known.input_len > isize::MAX as usize {
        return refuse(format!("input_len is {}, more than memory can hold: check it", known.input_len));
    }
    Ok(Command {
        argv: known.argv,
        env: known.env,
        // SAFETY: the caller promises NULL or a string.
        dir: unsafe { string(known.dir) },
        // SAFETY: the caller promises so many readable bytes.
        input: (!known.input.is_null())
            .then(|| unsafe { std::slice::from_raw_parts(known.input.cast(), known.input_len) }),
        retries: known.retries,
    })
}

/// # Safety
/// `text` is NULL or a string.
unsafe fn string<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: the caller promises as much.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}
