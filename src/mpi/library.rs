//! Which MPI library to use, and getting it into the process.
//!
//! In this order: the one that `PAR_MPI_LIBRARY` names; one that the process has loaded already; none, if no launcher
//! started the process; the one that lies beside the launcher; one that the system finds by name. It is never unloaded:
//! MPI libraries leave threads and handlers behind.

use super::abi::{Constants, Handle};
use super::api::Mpi;
use super::functions::{Functions, Library};
use super::launcher::{self, Family, Launcher};
use crate::environment;
use std::ffi::{CStr, CString, OsStr, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{ptr, slice};

pub struct Loaded {
    pub mpi: &'static dyn Mpi,
    /// Its version and its file.
    pub name: String,
}

/// The library that this process is to use; None: it is alone. Err is a sentence.
pub fn load(launcher: Option<&Launcher>) -> Result<Option<Loaded>, String> {
    if (launcher.is_some() || is_named_by_the_user()) && program_is_static() {
        let why = "this program is linked statically and cannot load an MPI library: link libparmap dynamically";
        return Err(format!("{}{why}", started_by(launcher)));
    }
    if let Some(file) = environment::mpi_library() {
        let which = format!("{}, which the environment's PAR_MPI_LIBRARY names,", file.display());
        let loaded = open(file.as_os_str(), libc::RTLD_NOW).and_then(bind);
        return loaded.map(Some).map_err(|why| cannot(launcher, &which, &why));
    }
    if let Some(scope) = loaded_already() {
        return bind(scope).map(Some).map_err(|why| cannot(launcher, "that the process has loaded", &why));
    }
    let Some(launcher) = launcher else { return Ok(None) };
    let mut refusals = Vec::new();
    for file in candidates(launcher) {
        match open(file.as_os_str(), libc::RTLD_NOW).and_then(bind) {
            Ok(loaded) => return Ok(Some(loaded)),
            Err(why) => refusals.push(why),
        }
    }
    let why = refusals.first().map_or("no candidate was found", |why| why);
    Err(cannot(Some(launcher), "that fits it", &format!("{why}; set PAR_MPI_LIBRARY to its path")))
}

/// Whether a library is to be used though no launcher that is known here started the process.
pub fn is_named_by_the_user() -> bool {
    environment::mpi_library().is_some()
}

fn cannot(launcher: Option<&Launcher>, which: &str, why: &str) -> String {
    format!("{}the MPI library {which} cannot be used: {why}", started_by(launcher))
}

/// How a sentence begins.
fn started_by(launcher: Option<&Launcher>) -> String {
    launcher.map(|launcher| format!("{} started this process, but ", launcher.name())).unwrap_or_default()
}

/// glibc's dlopen does not refuse in a statically linked program: it brings a second C library, which nobody has set up, and
/// the first call into that crashes.
fn program_is_static() -> bool {
    let mut is_static = false;
    // SAFETY: the callback gets the flag, which outlives the walk.
    unsafe { libc::dl_iterate_phdr(Some(note_static), ptr::from_mut(&mut is_static).cast()) };
    is_static
}

/// Sees the first module alone. That is the program itself, without a name, which asks for a loader in its headers unless it
/// is linked statically. (The kernel tells of no loader, AT_BASE being 0, where one was started by hand to run the program,
/// too; and in a namespace of dlmopen's the first module is a library.)
unsafe extern "C" fn note_static(info: *mut libc::dl_phdr_info, _size: usize, flag: *mut c_void) -> c_int {
    // SAFETY: the walk passes a loaded module with its name and program headers, and the flag given to it.
    let (name, headers, is_static) = unsafe {
        let headers = slice::from_raw_parts((*info).dlpi_phdr, usize::from((*info).dlpi_phnum));
        (CStr::from_ptr((*info).dlpi_name), headers, &mut *flag.cast::<bool>())
    };
    *is_static = name.is_empty() && headers.iter().all(|header| header.p_type != libc::PT_INTERP);
    1
}

/// Where symbols are looked for.
#[derive(Clone, Copy, Debug)]
struct Scope(*mut c_void);

impl Scope {
    /// Of the program itself and all that it links: a program linked with Open MPI has its own copies of the objects.
    const GLOBAL: Scope = Scope(libc::RTLD_DEFAULT);

    fn find(self, name: &'static CStr) -> Result<*mut c_void, &'static CStr> {
        // SAFETY: the scope is a library that is never closed, or the global one.
        let found = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        if found.is_null() { Err(name) } else { Ok(found) }
    }
}

const INIT: &CStr = c"MPI_Init_thread";

fn loaded_already() -> Option<Scope> {
    if Scope::GLOBAL.find(INIT).is_ok() {
        return Some(Scope::GLOBAL);
    }
    // What Python loads for mpi4py is not in the global scope.
    let mut files: Vec<CString> = Vec::new();
    // SAFETY: the callback gets the list, which outlives the walk.
    unsafe { libc::dl_iterate_phdr(Some(note_mpi), ptr::from_mut(&mut files).cast()) };
    files.iter().find_map(|file| open(OsStr::from_bytes(file.as_bytes()), libc::RTLD_NOW | libc::RTLD_NOLOAD).ok())
}

unsafe extern "C" fn note_mpi(info: *mut libc::dl_phdr_info, _size: usize, files: *mut c_void) -> c_int {
    // SAFETY: the walk passes a module with its name, and the list given to it.
    let (name, files) = unsafe { (CStr::from_ptr((*info).dlpi_name), &mut *files.cast::<Vec<CString>>()) };
    let file = Path::new(OsStr::from_bytes(name.to_bytes())).file_name().unwrap_or_default();
    if launcher::is_mpi(&file.to_string_lossy()) {
        files.push(name.into());
    }
    0
}

/// Files to try, the likeliest first.
fn candidates(launcher: &Launcher) -> Vec<PathBuf> {
    const OPEN_MPI: &str = "libmpi.so.40";
    const MPICH: [&str; 2] = ["libmpi.so.12", "libmpich.so.12"];
    const STANDARD: &str = "libmpi_abi.so.1";
    let names = match launcher.family {
        Family::OpenMpi => vec![OPEN_MPI, STANDARD],
        Family::Mpich => vec![MPICH[0], MPICH[1], STANDARD],
        Family::Any => vec![OPEN_MPI, MPICH[0], MPICH[1], STANDARD],
    };
    let folders = launcher.folders();
    let beside = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    beside.filter(|file| file.exists()).chain(names.iter().map(PathBuf::from)).collect()
}

fn open(file: &OsStr, flags: c_int) -> Result<Scope, String> {
    let file = CString::new(file.as_bytes()).map_err(|_| "its name has a zero byte".to_string())?;
    // SAFETY: opening a library runs its initialisers, which is what MPI libraries are made for.
    let handle = unsafe { libc::dlopen(file.as_ptr(), flags | libc::RTLD_LOCAL) };
    if !handle.is_null() {
        return Ok(Scope(handle));
    }
    // SAFETY: dlerror answers NULL or a text that lives until the next call of this thread.
    let why = unsafe { libc::dlerror().as_ref().map(|text| CStr::from_ptr(text).to_string_lossy().into_owned()) };
    Err(why.unwrap_or_else(|| format!("{} is not there", file.to_string_lossy())))
}

/// Finds out of which kind the library is, and all that is needed in it.
fn bind(scope: Scope) -> Result<Loaded, String> {
    let file = scope.find(INIT).map_err(|symbol| missing("it", symbol)).map(file_of)?;
    let lacks = |symbol: &CStr| missing(&file, symbol);
    let find = |name| scope.find(name);
    let mpi: &'static dyn Mpi = if speaks_standard(scope) {
        library(scope, Constants::standard()).map_err(lacks)?
    } else if scope.find(c"ompi_mpi_comm_world").is_ok() {
        library(scope, Constants::open_mpi(find).map_err(lacks)?).map_err(lacks)?
    } else {
        library(scope, Constants::mpich()).map_err(lacks)?
    };
    let name = format!("{} ({file})", mpi.version());
    Ok(Loaded { mpi, name })
}

fn missing(file: &str, symbol: &CStr) -> String {
    format!("{file} has no {}, so it is no MPI of version 3 or later", symbol.to_string_lossy())
}

fn library<H: Handle>(scope: Scope, constants: Constants<H>) -> Result<&'static dyn Mpi, &'static CStr> {
    // SAFETY: the constants, and so the handles, are those of the library that the scope finds.
    let functions = unsafe { Functions::load(|name| scope.find(name)) }?;
    Ok(Library::new(functions, constants))
}

/// The symbol alone proves nothing: MPICH 5 has it in its own library, too, where it refuses.
fn speaks_standard(scope: Scope) -> bool {
    let Ok(found) = scope.find(c"MPI_Abi_get_version") else { return false };
    // SAFETY: MPI 5 says what it takes, and that it may be called before MPI is initialised.
    unsafe {
        let get_version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int = std::mem::transmute(found);
        let (mut major, mut minor) = (-1, -1);
        get_version(&mut major, &mut minor) == 0 && major > 0
    }
}

fn file_of(symbol: *mut c_void) -> String {
    // SAFETY: dladdr fills the struct, whose name lives as long as the module.
    unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(symbol, &mut info) == 0 || info.dli_fname.is_null() {
            return "the program itself".into();
        }
        CStr::from_ptr(info.dli_fname).to_string_lossy().into_owned()
    }
}
