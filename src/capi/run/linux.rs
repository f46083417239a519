mod commands;

use crate::abi::commands::{par_command, par_outcome};
use crate::abi::options::*;
use crate::abi::status::*;
use crate::capi::answer::{BUG, Sentence, judge, refuse, write};
use crate::capi::options::{self, Known, Refusal};
use crate::commands::{Batch, JobLog, Ran, Results, clear, free as free_one, run};
use crate::environment;
use crate::job::{Cause, Outcome};
use crate::options::Options;
use crate::sync::Server;
use std::io::{Error, ErrorKind};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

const NAME: &str = "par_run";
const FLAGS: u32 = PAR_KEEP_GOING | PAR_RUN_INHERIT | PAR_RUN_SYNC;

/// Does what `par_run` is asked for.
///
/// # Safety
/// The arguments are what the header asks for.
pub unsafe fn answer(
    commands: *const par_command,
    outcomes: *mut par_outcome,
    n: usize,
    raw: *const par_options,
) -> par_status {
    let mut report = None;
    // SAFETY: the caller of this function promises as much.
    let done = catch_unwind(AssertUnwindSafe(|| unsafe { attempt(commands, outcomes, n, raw, &mut report) }));
    match done {
        Ok(Ok(status)) => status,
        Ok(Err(trouble)) => {
            let message = Sentence::of(NAME, format_args!("{}", trouble.refusal.sentence));
            if let Some(report) = report {
                let outcome = Outcome { os_error: trouble.os_error, ..Outcome::default() };
                write(report, &outcome, Duration::ZERO, message);
            }
            trouble.refusal.status
        }
        Err(_) => refuse(report, Sentence::of(NAME, format_args!("{BUG}")), PAR_EPANIC),
    }
}

/// # Safety
/// `outcomes` is room for n outcomes that `par_run` has written.
pub unsafe fn free(outcomes: *mut par_outcome, n: usize) {
    for i in 0..n {
        // SAFETY: the caller of this function promises as much.
        free_one(unsafe { &mut *outcomes.add(i) });
    }
}

/// Why nothing ran.
struct Trouble {
    refusal: Box<Refusal>,
    os_error: i32,
}

impl<T: Into<Box<Refusal>>> From<T> for Trouble {
    fn from(refusal: T) -> Trouble {
        Trouble { refusal: refusal.into(), os_error: 0 }
    }
}

impl Trouble {
    fn of_system(what: &str, error: &Error) -> Trouble {
        let os_error = error.raw_os_error().unwrap_or(0);
        Trouble { refusal: Box::new(Refusal { status: PAR_ESYS, sentence: format!("{what}: {error}") }), os_error }
    }
}

unsafe fn attempt(
    raw_commands: *const par_command,
    outcomes: *mut par_outcome,
    n: usize,
    raw: *const par_options,
    report: &mut Option<&mut par_report>,
) -> Result<par_status, Trouble> {
    let room = n.checked_mul(size_of::<par_outcome>()).is_some_and(|len| len <= isize::MAX as usize);
    if room {
        // First of all, so that there is nothing to give back that is none.
        // SAFETY: the caller of this function promises NULL or room for n.
        unsafe { clear(outcomes, n) };
    }
    let mut copy = MaybeUninit::uninit();
    // SAFETY: the caller of this function promises readable options.
    let known = unsafe { options::read(raw, &mut copy) }?;
    // SAFETY: the same.
    *report = unsafe { options::report(known.options) }?;
    let started = Instant::now();
    let asked = *known.options;
    let options = check(&known, n)?;
    if !room {
        return Err(format!("sizeof(par_outcome) times n {n} is more than memory can hold: check n").into());
    }
    if outcomes.is_null() && n > 0 {
        return Err(String::from("outcomes is NULL: pass room for n outcomes").into());
    }
    // SAFETY: the caller of this function promises n readable commands.
    let commands = unsafe { commands::read(raw_commands, n) }?;
    let joblog = open_joblog(&commands)?;
    let server = serve(asked.flags)?;
    let mut batch = Batch {
        commands,
        // SAFETY: the caller of this function promises room for n.
        results: unsafe { Results::new(outcomes, options.items, n) },
        inherit: asked.flags & PAR_RUN_INHERIT != 0,
        item_timeout: (asked.item_timeout_ms > 0).then(|| Duration::from_millis(asked.item_timeout_ms)),
        joblog,
        url: server.as_ref().map(|server| server.url().into()).or_else(environment::sync_url_now),
    };
    let ran =
        run(&mut batch, &options).map_err(|error| Trouble::of_system("the system does not let it begin", &error))?;
    let status = judge(&ran.outcome);
    if let Some(report) = report {
        write(report, &ran.outcome, started.elapsed(), tell(status, &ran, n, &options));
    }
    Ok(status)
}

/// Checks every field. What commands know and items of other calls do not is taken out before the common checks.
fn check(known: &Known, n: usize) -> Result<Options<'static>, Box<Refusal>> {
    let asked = known.options;
    if asked.executor != 0 {
        return Err(format!("options->executor is {}: leave it 0, commands have no other", asked.executor).into());
    }
    if asked.flags & !FLAGS != 0 {
        return Err(format!(
            "options->flags is {}: use PAR_KEEP_GOING, PAR_RUN_INHERIT, PAR_RUN_SYNC or 0",
            asked.flags
        )
        .into());
    }
    if asked.worker_start.is_some() || asked.worker_stop.is_some() {
        let sentence = "worker_start and worker_stop cannot run in a command: leave them NULL".into();
        return Err(Box::new(Refusal { status: PAR_ENOTSUP, sentence }));
    }
    let common = par_options { flags: asked.flags & PAR_KEEP_GOING, item_timeout_ms: 0, ..*asked };
    options::check(&known.with(&common), n)
}

/// The meeting point, where one is asked for and the host has none itself. It goes when the call returns.
fn serve(flags: u32) -> Result<Option<Server>, Trouble> {
    if flags & PAR_RUN_SYNC == 0 || environment::sync_url_now().is_some() {
        return Ok(None);
    }
    let no_server = |error: Error| {
        let mut trouble = Trouble::of_system("the meeting point cannot be brought up", &error);
        trouble.refusal.status = PAR_ESYNC;
        trouble
    };
    Server::start().map(Some).map_err(no_server)
}

fn open_joblog(commands: &[crate::commands::Command]) -> Result<Option<JobLog>, Trouble> {
    let Some(path) = environment::joblog() else { return Ok(None) };
    let shown = Path::new(&path).display();
    match JobLog::open(path.as_ref(), commands) {
        Ok(log) => Ok(Some(log)),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(format!(
            "the environment's PAR_JOBLOG is '{shown}', which holds something else: name a new file, or a job log"
        )
        .into()),
        Err(error) => Err(Trouble::of_system(&format!("the environment's PAR_JOBLOG is '{shown}'"), &error)),
    }
}

/// What was ended counts as done, so that number alone would sound as if all were well.
fn counts(ran: &Ran, n: usize) -> String {
    let Outcome { done, failed, .. } = ran.outcome;
    format!("{} of {n} commands succeeded, {failed} failed or were ended, {} did not run", done - failed, n - done)
}

/// What came of it; empty if there is nothing to say.
fn tell(status: par_status, ran: &Ran, n: usize, options: &Options) -> Sentence<'static> {
    let mut sentence = Sentence::empty(NAME);
    let Outcome { done, failed, .. } = ran.outcome;
    match ran.outcome.cause {
        Some(Cause::CancelFlag) => {
            sentence.add(format_args!("stopped by the cancel flag: {}", counts(ran, n)));
        }
        Some(Cause::Poll) => sentence.add(format_args!("stopped by poll: {}", counts(ran, n))),
        Some(Cause::TimedOut) => {
            let ms = options.timeout.unwrap_or_default().as_millis();
            sentence.add(format_args!("timeout_ms of {ms} passed: {}", counts(ran, n)));
        }
        _ => {}
    }
    if status == PAR_EITEM
        && let Some(why) = &ran.why
    {
        sentence.add(format_args!("{why}"));
        let not_run = n - done;
        if failed > 1 || not_run > 0 {
            sentence.add(format_args!("{failed} of {n} commands failed, {not_run} did not run"));
        }
    }
    if let Some(remark) = &ran.outcome.remark {
        sentence.add(format_args!("{remark}"));
    }
    sentence
}
