use super::run;
use crate::abi::commands::{par_command, par_outcome};
use crate::abi::options::par_options;
use crate::abi::status::par_status;

/// Runs programs: what
///
///     for (size_t i = 0; i < n; i++)
///         outcomes[i] = run(commands[i]);
///
/// would do, at most `workers` at once, each in a process of its own, without a shell.
///
/// Each outcome has its command's exit code or signal and all it wrote, standard output and standard error apart and whole,
/// whatever else ran at the time. Output is kept in memory up to 1 MiB, beyond that in a file without a name below the
/// environment's TMPDIR, else /tmp. With `PAR_RUN_INHERIT` it goes where the host's goes, and outcomes hold none.
///
/// `commands` is only read. `outcomes` is room for n, needs no initialisation, and is written whatever the call answers; give
/// it back with `par_outcomes_free`. With n == 0 both may be NULL.
///
/// A command that exits with another code than 0, is ended by a signal, runs beyond `item_timeout_ms` or cannot be started
/// has failed, and is started again if it has `retries` left. When one has failed for good, no new one starts unless
/// `PAR_KEEP_GOING` is set; those that run come to their end. The cancel flag, `poll` and `timeout_ms` end those, too.
///
/// A command is the leader of a process group of its own. What ends it ends the group: SIGTERM, after two seconds SIGKILL.
/// Members of the group that are left when the command ends are killed. A process that has left the group is let go; it
/// cannot hold up the call though it holds the output open. Commands start with default signal handling, an empty mask, and
/// no file but the standard three; when the host dies they are killed, but not what they have started. A terminal's Ctrl-C
/// reaches the host alone: a handler that sets the cancel flag ends the groups, the default one only the host.
///
/// With `PAR_RUN_SYNC` the commands find a meeting point in their `PAR_SYNC_URL`: the host's own, if that is set in its
/// environment, otherwise one that is there until the call returns. See `par_sync_open`.
///
/// With `PAR_JOBLOG=file` in the host's environment each command that ends adds a line to the file, in the format of GNU
/// parallel's `--joblog`; a command that stands there with the same number and arguments and exit code 0 is not run
/// again.
///
/// Of the options, `executor`, `worker_start` and `worker_stop` must be 0; `grain` and the fork hooks do not matter, since no
/// callback runs in a child. Progress counts commands that have ended. `report.workers` is how many ran at once.
///
/// Where the system refuses processes or files, fewer commands run at once, and the report says so; one that cannot be
/// started though no other runs has `PAR_ITEM_SPAWN_FAILED`. `PAR_ITEM_FAILED` with `ENOSPC`: no room for its output. With
/// `ECHILD`: the host has reaped it, or ignores SIGCHLD, on a Linux before 6.15, and nobody knows how it ended.
///
/// Answers `PAR_OK`: all exited with 0. `PAR_EITEM`: some failed. `PAR_ECANCELED`, `PAR_ETIMEDOUT`: stopped before all had
/// ended by themselves. `PAR_EINVAL`: bad argument, nothing ran. `PAR_ESYS`: the job log or /dev/null cannot be opened, nothing
/// ran. `PAR_ESYNC`: the meeting point cannot be brought up, nothing ran. `PAR_ENOTSUP`: a worker hook, or this system is not
/// Linux.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_run(
    commands: *const par_command,
    outcomes: *mut par_outcome,
    n: usize,
    options: *const par_options,
) -> par_status {
    // SAFETY: the caller passes what the header asks for.
    unsafe { run::answer(commands, outcomes, n, options) }
}

/// Gives back the output of n outcomes, and leaves `out` and `err` empty. The array itself stays the caller's. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_outcomes_free(outcomes: *mut par_outcome, n: usize) {
    if !outcomes.is_null() {
        // SAFETY: the caller passes n outcomes that par_run has written.
        unsafe { run::free(outcomes, n) };
    }
}
