//! This process as a rank: from the first call that needs MPI to its end.
//!
//! One thread at a time is inside, which `enter` sees to. A host may have initialised MPI itself, and may finalize it: what
//! others began is theirs to end.

use super::api::{Answer, Code, Lanes, Mpi};
use super::exit;
use super::failure::Failure;
use super::gate::{Gate, Pass};
use super::launcher::{self, Launcher, Origin};
use super::library::{self, Loaded};
use super::mailbox::Mailbox;
use super::output;
use super::presence::{Doing, Presence};
use super::tray::Tray;
use super::wait::Patience;
use crate::fork::process_token;
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};

pub struct Session {
    pub rank: i32,
    pub size: i32,
    /// The other ranks; None when there is nobody and no library.
    peers: Option<Peers>,
    /// What this rank sent to itself.
    pub mailbox: Mailbox,
    /// Where short messages arrive.
    pub(super) tray: Tray,
    pub(super) presence: Presence,
    /// Why this rank can do nothing together with others any more.
    pub(super) broken: Cell<Option<&'static str>>,
}

struct Peers {
    mpi: &'static dyn Mpi,
    lanes: Box<dyn Lanes>,
    name: &'static str,
    /// Otherwise the host initialised MPI, and will finalize it.
    started_here: bool,
    /// MPI admits any thread, one at a time.
    any_thread: bool,
}

enum State {
    New,
    Open(Session),
    Finalized,
    Broken(String),
}

static STATE: Gate<State> = Gate::new(State::New);
/// The process that the state belongs to; 0 before there is one.
static OWNER: AtomicU64 = AtomicU64::new(0);
/// Known since the first call, for callbacks and forked children.
static RANK: AtomicI32 = AtomicI32::new(-1);
static SIZE: AtomicI32 = AtomicI32::new(-1);
/// The library and its file.
static NAME: OnceLock<String> = OnceLock::new();
/// MPI has been finalized.
static HAS_ENDED: AtomicBool = AtomicBool::new(false);
/// Whether the one that is inside is a call with executor PAR_MPI.
static MAPPING: AtomicBool = AtomicBool::new(false);

/// The right to use MPI, held by one thread at a time.
pub struct Access(Pass<State>);

/// Waits for nobody: a second thread is refused. The first call of all initialises, which all ranks do together.
pub fn enter() -> Result<Access, Failure> {
    let access = Access(lock()?);
    match &*access.0 {
        State::Open(session) if session.check().is_ok() => Ok(access),
        _ => access.open(),
    }
}

fn lock() -> Result<Pass<State>, Failure> {
    STATE.enter().ok_or_else(occupied)
}

#[cold]
fn occupied() -> Failure {
    if OWNER.load(Relaxed) != process_token() {
        return forked(RANK.load(Relaxed));
    }
    if MAPPING.load(Relaxed) {
        return Failure::not_supported(
            "a call with executor PAR_MPI is running: callbacks cannot use ranks, and two threads cannot at once",
        );
    }
    Failure::mpi("another thread of this rank is inside a par_mpi call: one thread at a time")
}

/// The rank and the size if they are known, without being inside.
pub fn known() -> Option<(i32, i32)> {
    let (rank, size) = (RANK.load(Relaxed), SIZE.load(Relaxed));
    (size > 0 && rank >= 0).then_some((rank, size))
}

/// What is loaded; None: nothing.
pub fn library_name() -> Result<Option<&'static str>, Failure> {
    if known().is_none() {
        enter()?;
    }
    Ok(NAME.get().map(String::as_str))
}

/// Marks, while it lives, that the one inside is a call with executor PAR_MPI.
pub struct Mapping(());

impl Mapping {
    pub fn begin() -> Mapping {
        MAPPING.store(true, Relaxed);
        Mapping(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        MAPPING.store(false, Relaxed);
    }
}

impl Access {
    #[cold]
    fn open(mut self) -> Result<Access, Failure> {
        if let State::New = *self.0 {
            *self.0 = start()?;
            OWNER.store(process_token(), Relaxed);
        }
        if self.is_finalized() {
            *self.0 = State::Finalized;
        }
        match &*self.0 {
            State::Open(session) => session.check()?,
            State::Broken(sentence) => return Err(Failure::mpi(sentence.clone())),
            State::New | State::Finalized => return Err(finalized()),
        }
        Ok(self)
    }

    pub fn session(&mut self) -> &mut Session {
        match &mut *self.0 {
            State::Open(session) => session,
            _ => unreachable!("enter gives access to open sessions alone"),
        }
    }

    fn is_finalized(&self) -> bool {
        matches!(&*self.0, State::Open(_)) && HAS_ENDED.load(Relaxed)
    }

    /// Ends MPI, with all ranks, if it was begun here.
    pub fn finalize(mut self) -> Result<(), Failure> {
        let session = self.session();
        session.barrier_before_the_end()?;
        // The lanes stay open: MPICH takes a message that nobody wants, in a lane that is closed, for a fatal error.
        if let Some(peers) = session.peers.as_ref().filter(|peers| peers.started_here) {
            session.judge(peers.mpi.finalize())?;
        }
        *self.0 = State::Finalized;
        Ok(())
    }
}

/// Ends MPI if this process still owes that; for a process that has been finalized or is alone, nothing.
pub fn finalize() -> Result<(), Failure> {
    let state = lock()?;
    match &*state {
        State::New | State::Finalized => return Ok(()),
        State::Broken(sentence) => return Err(Failure::mpi(sentence.clone())),
        State::Open(_) => {}
    }
    drop(state);
    match enter() {
        Ok(access) => access.finalize(),
        Err(_) if matches!(&*lock()?, State::Finalized) => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Ends all ranks, whoever is inside.
pub fn abort(code: i32) {
    if OWNER.load(Relaxed) != process_token() {
        return;
    }
    // Whoever holds the lock is this thread or one that will not live longer than the job.
    // After MPI's end, the exit status alone tells the launcher.
    if let Some(mpi) = exit::peers_of_this_process().filter(|mpi| !mpi.is_finalized()) {
        output::let_through();
        mpi.abort(code);
    }
}

/// What the process owes to MPI when it ends; called once, by its last thread.
pub fn end(exit_code: i32) {
    if OWNER.load(Relaxed) != process_token() {
        return;
    }
    let code = match lock() {
        Ok(state) => match &*state {
            State::Open(Session { peers: Some(peers), .. }) if peers.started_here && !peers.mpi.is_finalized() => {
                if exit_code != 0 {
                    exit_code
                } else if let Err(failure) = Access(state).finalize() {
                    eprintln!("libparmap: at the end of the program: {}", failure.sentence);
                    1
                } else {
                    return;
                }
            }
            _ => return,
        },
        Err(_) => {
            eprintln!("libparmap: rank {} ended inside a call: the job is aborted", RANK.load(Relaxed));
            if exit_code != 0 { exit_code } else { 1 }
        }
    };
    output::write_out();
    abort(code);
}

/// Loads and initialises what there is.
fn start() -> Result<State, Failure> {
    let origin = launcher::origin();
    let launcher = match &origin {
        Origin::Launched(launcher) => Some(launcher),
        Origin::BelowARank | Origin::ByHand => None,
    };
    let Some(loaded) = library::load(launcher).map_err(Failure::mpi)? else { return Ok(alone()) };
    let Loaded { mpi, name } = loaded;
    if mpi.is_finalized() {
        return Err(Failure::mpi(format!("the program has finalized {name} before its first par_mpi call")));
    }
    let started_here = !mpi.is_initialized();
    if started_here {
        // A library that is loaded and not used does not make a rank.
        let asked_for = launcher.is_some() || matches!(origin, Origin::ByHand) && library::is_named_by_the_user();
        if !asked_for {
            return Ok(alone());
        }
        mpi.initialize().map_err(|code| says(&name, mpi, code))?;
    } else if !mpi.admits_this_thread() {
        return Err(wrong_thread());
    }
    let (rank, size) = mpi.rank_and_size().map_err(|code| says(&name, mpi, code))?;
    if let Some(sentence) = launcher.and_then(|launcher| mismatch(launcher, &name, rank, size)) {
        if started_here {
            let _ = mpi.finalize();
        }
        return Ok(State::Broken(sentence));
    }
    // Ranks may come here minutes apart, and opening lanes would wait for them at full speed.
    // SAFETY: every rank comes here once.
    let mut all_here = unsafe { mpi.gather_in_world() }.map_err(|code| says(&name, mpi, code))?;
    let mut patience = Patience::default();
    while !mpi.test(&mut all_here).map_err(|code| says(&name, mpi, code))? {
        patience.rest();
    }
    let lanes = mpi.open().map_err(|code| says(&name, mpi, code))?;
    mpi.note_end(&HAS_ENDED).map_err(|code| says(&name, mpi, code))?;
    exit::watch(mpi);
    RANK.store(rank, Relaxed);
    SIZE.store(size, Relaxed);
    let name = NAME.get_or_init(|| name);
    let peers = Peers { mpi, lanes, name, started_here, any_thread: mpi.admits_any_thread() };
    Ok(State::Open(Session { rank, size, peers: Some(peers), ..Session::alone() }))
}

fn alone() -> State {
    RANK.store(0, Relaxed);
    SIZE.store(1, Relaxed);
    State::Open(Session::alone())
}

/// A sentence, if the library does not see what its launcher says it started.
fn mismatch(launcher: &Launcher, name: &str, rank: i32, size: i32) -> Option<String> {
    let other_size = launcher.size.is_some_and(|expected| expected != size);
    let other_rank = launcher.size.is_none() && launcher.rank.is_some_and(|expected| expected != rank);
    let started = launcher.size.map_or("this rank".into(), |size| format!("{size} ranks"));
    (other_size || other_rank).then(|| {
        format!(
            "{} started {started}, but {name} sees itself as rank {rank} of {size}: it belongs to another launcher; \
             set PAR_MPI_LIBRARY to the library of this one",
            launcher.name()
        )
    })
}

#[cold]
fn finalized() -> Failure {
    Failure::mpi("MPI is finalized: call before par_mpi_finalize")
}

#[cold]
fn forked(rank: i32) -> Failure {
    Failure::mpi(format!("this process was forked from rank {rank}: only the rank itself can use MPI"))
}

#[cold]
fn wrong_thread() -> Failure {
    Failure::mpi(
        "MPI was initialised for its main thread alone: call from that thread, or initialise it with \
         MPI_THREAD_SERIALIZED or more",
    )
}

#[cold]
fn says(name: &str, mpi: &dyn Mpi, code: Code) -> Failure {
    Failure::mpi(format!("{name} says: {}", mpi.error_text(code)))
}

impl Session {
    fn alone() -> Session {
        let (mailbox, tray, presence) = (Mailbox::default(), Tray::default(), Presence::new());
        Session { rank: 0, size: 1, peers: None, mailbox, tray, presence, broken: Cell::new(None) }
    }

    /// What this rank does from now on, for others that wait for it.
    pub fn begin(&self, doing: Doing) -> Result<(), Failure> {
        self.presence.begin(doing);
        self.broken.get().map_or(Ok(()), |sentence| Err(Failure::mpi(sentence)))
    }

    /// Whether it may be used now, by this process and this thread.
    fn check(&self) -> Result<(), Failure> {
        if HAS_ENDED.load(Relaxed) {
            return Err(finalized());
        }
        self.check_owner()?;
        self.check_thread()
    }

    /// Whether this process is the rank, and no child of it.
    pub fn check_owner(&self) -> Result<(), Failure> {
        if self.peers.is_none() || OWNER.load(Relaxed) == process_token() {
            return Ok(());
        }
        Err(forked(self.rank))
    }

    fn check_thread(&self) -> Result<(), Failure> {
        match &self.peers {
            Some(peers) if !peers.any_thread && !peers.mpi.admits_this_thread() => Err(wrong_thread()),
            _ => Ok(()),
        }
    }

    /// The lanes to the other ranks. None: there is nobody else, and no library.
    pub fn lanes(&self) -> Option<&dyn Lanes> {
        self.peers.as_ref().map(|peers| &*peers.lanes)
    }

    pub fn processor_name(&self) -> Result<Option<String>, Failure> {
        self.peers.as_ref().map(|peers| self.judge(peers.mpi.processor_name())).transpose()
    }

    /// What MPI answered, with its own words for what went wrong.
    pub fn judge<T>(&self, answer: Answer<T>) -> Result<T, Failure> {
        answer.map_err(|code| match &self.peers {
            Some(peers) => says(peers.name, peers.mpi, code),
            None => Failure::mpi(format!("error {}", code.0)),
        })
    }
}
