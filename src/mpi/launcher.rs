//! Who started this process: an MPI launcher, as its variables and the parents of this process tell, or nobody.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Which libraries understand what a launcher tells its ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    OpenMpi,
    /// MPICH, Intel MPI, MVAPICH and their kin
    Mpich,
    /// PMIx alone: Slurm and others that start ranks of any family
    Any,
}

#[derive(Clone, Debug)]
pub struct Launcher {
    pub family: Family,
    /// How many ranks it started, if it says so.
    pub size: Option<i32>,
    /// This rank's number.
    pub rank: Option<i32>,
    /// The program, if it is among this process's parents.
    pub program: Option<PathBuf>,
}

/// How this process came to be.
#[derive(Clone, Debug)]
pub enum Origin {
    /// As a rank.
    Launched(Launcher),
    /// As a child of a rank, whose variables it inherited.
    BelowARank,
    ByHand,
}

pub fn origin() -> Origin {
    let number = |name: &str| env::var(name).ok()?.parse().ok();
    let has = |name: &str| env::var_os(name).is_some();
    let (family, rank, size) = if has("OMPI_COMM_WORLD_RANK") {
        (Family::OpenMpi, number("OMPI_COMM_WORLD_RANK"), number("OMPI_COMM_WORLD_SIZE"))
    } else if has("PMI_RANK") || has("PMI_FD") {
        (Family::Mpich, number("PMI_RANK"), number("PMI_SIZE"))
    } else if has("PMIX_RANK") {
        (Family::Any, number("PMIX_RANK"), None)
    } else {
        return Origin::ByHand;
    };
    match parents(Path::new("/proc")) {
        Above::Rank => Origin::BelowARank,
        Above::Launcher(program) => Origin::Launched(Launcher { family, rank, size, program: Some(program) }),
        Above::Unknown => Origin::Launched(Launcher { family, rank, size, program: None }),
    }
}

/// How many ranks share this machine, as far as launchers say so; at least 1.
pub fn ranks_on_this_machine() -> usize {
    let number = |name| env::var(name).ok()?.parse().ok();
    ["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"].into_iter().find_map(number).unwrap_or(1).max(1)
}

impl Launcher {
    /// For sentences.
    pub fn name(&self) -> String {
        let family = match self.family {
            Family::OpenMpi => "Open MPI's launcher",
            Family::Mpich => "a launcher of the MPICH family",
            Family::Any => "a PMIx launcher",
        };
        match &self.program {
            Some(program) => format!("{family} {}", program.display()),
            None => family.into(),
        }
    }

    /// Folders where the library that belongs to the launcher may lie.
    pub fn folders(&self) -> Vec<PathBuf> {
        let named = ["OPAL_PREFIX", "I_MPI_ROOT"].into_iter().filter_map(env::var_os).map(PathBuf::from);
        let own = self.program.iter().filter_map(|program| program.parent()?.parent()).map(Path::to_path_buf);
        let below = |prefix: PathBuf| {
            ["lib".into(), "lib64".into(), format!("lib/{}-linux-gnu", env::consts::ARCH), "lib/release".into()]
                .map(|folder: String| prefix.join(folder))
        };
        named.chain(own).flat_map(below).collect()
    }
}

/// What stands above this process.
#[derive(Debug, PartialEq)]
enum Above {
    /// A process that has MPI loaded: this one is its child and no rank.
    Rank,
    Launcher(PathBuf),
    Unknown,
}

const LAUNCHERS: [&str; 9] = [
    "hydra_pmi_proxy",
    "hydra_bstrap_proxy",
    "mpiexec.hydra",
    "mpiexec",
    "orted",
    "orterun",
    "prted",
    "prterun",
    "slurmstepd",
];

/// Looks upwards through shells and other wrappers.
fn parents(proc: &Path) -> Above {
    let mut parent = parent_of(&proc.join("self"));
    while let Some(number) = parent.filter(|&number| number > 1) {
        let process = proc.join(number.to_string());
        let program = fs::read_link(process.join("exe")).unwrap_or_default();
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        if LAUNCHERS.contains(&&*name) {
            return Above::Launcher(program);
        }
        if fs::read_to_string(process.join("maps")).is_ok_and(|maps| maps.lines().any(maps_mpi)) {
            return Above::Rank;
        }
        parent = parent_of(&process);
    }
    Above::Unknown
}

fn parent_of(process: &Path) -> Option<u32> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // The name of the program stands in brackets and may hold anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn maps_mpi(line: &str) -> bool {
    line.rsplit_once('/').is_some_and(|(_, file)| is_mpi(file))
}

/// Whether a file of this name is an MPI library.
pub fn is_mpi(file: &str) -> bool {
    ["libmpi.so", "libmpich.so", "libmpi_abi.so"].iter().any(|name| file.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::{Above, maps_mpi, parents};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    /// A made-up /proc: this process, and its parents with their programs and what they have mapped. Gone when dropped.
    struct Proc(PathBuf);

    impl Drop for Proc {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn proc(name: &str, processes: &[(&str, &str)]) -> Proc {
        let folder = std::env::temp_dir().join(format!("parmap-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let mut below = "self".to_string();
        for (number, (program, mapped)) in (100..).zip(processes) {
            let process = folder.join(&below);
            fs::create_dir_all(&process).unwrap();
            fs::write(process.join("stat"), format!("1 (a) b) S {number} 1 1")).unwrap();
            below = number.to_string();
            let process = folder.join(&below);
            fs::create_dir_all(&process).unwrap();
            symlink(program, process.join("exe")).unwrap();
            fs::write(process.join("maps"), mapped).unwrap();
        }
        fs::write(folder.join(below).join("stat"), "1 (last) S 1 1 1").unwrap();
        Proc(folder)
    }

    #[test]
    fn a_launcher_is_found_above_a_shell() {
        let proc = proc("shell", &[("/bin/dash", "1-2 r 0 /lib/libc.so.6\n"), ("/opt/mpi/bin/orted", "")]);
        assert_eq!(parents(&proc.0), Above::Launcher("/opt/mpi/bin/orted".into()));
    }

    #[test]
    fn a_child_of_a_rank_is_no_rank() {
        let proc = proc("child", &[("/usr/bin/rank", "1-2 r 0 /usr/lib/libmpi.so.40.30.4\n"), ("/bin/orted", "")]);
        assert_eq!(parents(&proc.0), Above::Rank);
    }

    #[test]
    fn a_process_started_by_hand_has_no_launcher_above_it() {
        assert_eq!(parents(&proc("hand", &[("/bin/bash", "")]).0), Above::Unknown);
        assert_eq!(parents(Path::new("/nowhere")), Above::Unknown);
    }

    #[test]
    fn an_mpi_library_is_known_by_its_file() {
        assert!(maps_mpi("7f00-7f01 r-xp 0 fe:01 12 /usr/lib/libmpich.so.12.2.0"));
        assert!(!maps_mpi("7f00-7f01 r-xp 0 fe:01 12 /usr/lib/libmpicxx.so.12"));
        assert!(!maps_mpi("7f00-7f01 rw-p 0 00:00 0"));
    }
}
