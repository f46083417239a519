//! The CPU quota of a real control group, made here, is what `par_cpu_count` answers inside it. The many shapes of
//! hierarchies and namespaces are tried on made-up file trees, in `src/cpus`.

#[macro_use]
mod harness;

use harness::{Link, Program, compile, run};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::Command;

/// A control group with a group inside, removed at the end.
struct Group {
    folder: PathBuf,
    quota: PathBuf,
    version: u8,
}

impl Group {
    /// Needs root, and a hierarchy with the cpu controller that can be written to.
    fn new() -> io::Result<Group> {
        let name = format!("parmap-test-{}", std::process::id());
        let (top, version, quota) = match fs::read_to_string("/sys/fs/cgroup/cgroup.controllers") {
            Ok(_) => ("/sys/fs/cgroup", 2, "cpu.max"),
            Err(_) => ("/sys/fs/cgroup/cpu", 1, "cpu.cfs_quota_us"),
        };
        let folder = PathBuf::from(top).join(name);
        fs::create_dir(&folder)?;
        let group = Group { quota: folder.join(quota), folder, version };
        fs::create_dir(group.inner())?;
        if !group.quota.exists() {
            return Err(io::Error::new(ErrorKind::Unsupported, "groups have no CPU quota here"));
        }
        Ok(group)
    }

    fn inner(&self) -> PathBuf {
        self.folder.join("inner")
    }

    /// Limits the outer group to so many thousandths of a CPU.
    fn limit(&self, thousandths: u32) -> io::Result<()> {
        let quota = thousandths * 100;
        match self.version {
            2 => fs::write(&self.quota, format!("{quota} 100000")),
            _ => fs::write(&self.quota, quota.to_string()),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in [self.inner(), self.folder.clone()] {
            if let Err(error) = fs::remove_dir(&folder) {
                eprintln!("{} stays behind: {error}", folder.display());
            }
        }
    }
}

#[test]
fn a_quota_of_the_group_around_ours_limits_the_cpus() {
    const NAME: &str = "a_quota_of_the_group_around_ours_limits_the_cpus";
    let program = compile(&Program::new("tests/containers/print_cpu_count.c", Link::Shared));
    let outside: usize = run(&mut Command::new(&program)).succeeded().trim().parse().expect("a number");
    let group = match Group::new() {
        Ok(group) => group,
        Err(error) => skip!(NAME, format!("no control group can be made here: {error}")),
    };
    for (thousandths, cpus) in [(500, 1), (1000, 1), (1500, 2), (2000, 2)] {
        if let Err(error) = group.limit(thousandths) {
            skip!(NAME, format!("no quota can be set here: {error}"));
        }
        let join = r#"echo $$ > "$0/cgroup.procs" && exec "$1""#;
        let inside = run(Command::new("sh").args(["-c", join]).arg(group.inner()).arg(&program)).succeeded();
        assert_eq!(inside.trim(), outside.min(cpus).to_string(), "{thousandths} thousandths of a CPU");
    }
}
