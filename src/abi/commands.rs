use super::bytes::par_bytes;
use super::status::par_item;
use std::ffi::{c_char, c_void};

/// A program to run, with its arguments. Zero all of it, set `size` and `argv`, and what else you need.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct par_command {
    /// `sizeof(par_command)`, the same in all commands of a call: the array's stride is `commands[0].size`.
    pub size: usize,
    /// The program and its arguments, as `main` gets them; NULL-terminated. No shell sees them. `argv[0]` is looked up in the
    /// host's PATH unless it has a slash; a relative path counts from `dir`.
    pub argv: *const *const c_char,
    /// NULL: the host's environment, without `PAR_JOBLOG`. Otherwise "NAME=value" strings that replace it, NULL-terminated;
    /// `PAR_SYNC_URL` is added where there is one.
    pub env: *const *const c_char,
    /// The folder that the program starts in; NULL: the host's.
    pub dir: *const c_char,
    /// What it reads from its standard input; NULL: /dev/null.
    pub input: *const c_void,
    /// In bytes.
    pub input_len: usize,
    /// How many times a command that fails is started again.
    pub retries: u32,
    pub reserved: u32,
}

/// What became of a command. Given back by `par_outcomes_free`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct par_outcome {
    /// `PAR_ITEM_OK` is exit code 0. `PAR_ITEM_FAILED` here: it ran, but what came of it is not whole; `code` is the errno.
    pub item: par_item,
    /// How often it was started; 0 for one that `PAR_JOBLOG` says is done. What follows is about the last time.
    pub attempts: u32,
    pub reserved0: u32,
    /// Nanoseconds from its start to its end.
    pub wall_ns: u64,
    /// Nanoseconds of CPU time, of processes that it waited for, too.
    pub cpu_ns: u64,
    /// Most resident memory in bytes. Linux counts from before the program was loaded, so it is never below the host's own.
    pub max_rss: u64,
    /// What it wrote to its standard output; `{NULL, 0}` if nothing. Memory, or a mapped file that has no name.
    pub out: par_bytes,
    /// The same of its standard error.
    pub err: par_bytes,
    pub reserved: [u64; 4],
}
