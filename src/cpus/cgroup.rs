//! The CPU quota of the control groups around this process, versions 1 and 2 (Linux).
//!
//! A group's quota binds every group below it, so the smallest one from ours up to the top of what is mounted counts.
//! Which folder is ours takes two files: `/proc/self/cgroup` has our path in the hierarchy, `/proc/self/mountinfo`
//! which part of the hierarchy is mounted where. In a container the two often begin at different groups.

use super::mounts::{self, Mount, Version};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The quota in CPUs, rounded up; `None` where nothing limits us. All files are looked for below `root`, which is `/`
/// everywhere but in tests. What is missing or makes no sense limits nothing: counting CPUs never fails.
pub fn quota(root: &Path) -> Option<usize> {
    let groups = fs::read(root.join("proc/self/cgroup")).ok()?;
    let mounts = fs::read(root.join("proc/self/mountinfo")).ok()?;
    mounts
        .split(|byte| *byte == b'\n')
        .filter_map(mounts::parse)
        .filter_map(|mount| smallest_quota(root, &mount, our_group(&groups, mount.version)?))
        .min()
}

/// Our path in a hierarchy, from lines such as `4:cpu,cpuacct:/docker/7f` (version 1) and `0::/user.slice` (version 2).
fn our_group(groups: &[u8], version: Version) -> Option<&Path> {
    groups.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let ours = match version {
            Version::V1 => mounts::has_cpu(controllers),
            Version::V2 => number == b"0" && controllers.is_empty(),
        };
        ours.then(|| Path::new(OsStr::from_bytes(path)))
    })
}

fn smallest_quota(root: &Path, mount: &Mount, group: &Path) -> Option<usize> {
    let top = root.join(mount.point.strip_prefix("/").ok()?);
    let ours = top.join(below(&mount.root, group)?);
    ours.ancestors()
        .take_while(|folder| folder.starts_with(&top))
        .filter_map(|folder| match mount.version {
            Version::V1 => quota_v1(folder),
            Version::V2 => quota_v2(folder),
        })
        .min()
}

/// The way from the group that shows at a mount point down to ours; `None` where ours does not show there.
///
/// The kernel gives both paths from the root of our cgroup namespace, so that either may begin with `/..`. Where the
/// mount begins above the namespace, as in `/..` against `/`, nothing tells the names of the groups between the two:
/// then the top of the mount is the only one of our ancestors that can be found.
fn below(mounted: &Path, group: &Path) -> Option<PathBuf> {
    let is_up = |step: &Component| *step == Component::ParentDir;
    if let Ok(way) = group.strip_prefix(mounted) {
        return way.components().all(|step| !is_up(&step)).then(|| way.to_path_buf());
    }
    let ups = |path: &Path| path.components().skip(1).take_while(is_up).count();
    let only_ups = mounted.components().skip(1).all(|step| is_up(&step));
    (only_ups && ups(mounted) > ups(group)).then(PathBuf::new)
}

/// `cpu.max`: `max 100000`, or `50000 100000` for half a CPU.
fn quota_v2(folder: &Path) -> Option<usize> {
    let text = fs::read_to_string(folder.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    cpus(quota.parse().ok()?, period.parse().ok()?)
}

/// Version 1 has the two numbers in files of their own; a quota of -1 is none.
fn quota_v1(folder: &Path) -> Option<usize> {
    let number = |name| fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok();
    cpus(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
}

fn cpus(quota: u64, period: u64) -> Option<usize> {
    let whole = if period == 0 || quota == 0 {
        return None;
    } else {
        quota.div_ceil(period)
    };
    usize::try_from(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A made-up machine in a temporary folder.
    struct Machine(PathBuf);

    impl Machine {
        fn new(groups: &str, mounts: &str) -> Machine {
            static MADE: AtomicUsize = AtomicUsize::new(0);
            let name = format!("parmap-cgroup-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
            Machine(std::env::temp_dir().join(name))
                .with("proc/self/cgroup", groups)
                .with("proc/self/mountinfo", mounts)
        }

        fn with(self, file: &str, text: impl AsRef<[u8]>) -> Machine {
            let file = self.0.join(file);
            fs::create_dir_all(file.parent().expect("a file in a folder")).expect("a folder of the made-up machine");
            fs::write(file, text).expect("a file of the made-up machine");
            self
        }

        fn v1(self, folder: &str, quota: &str, period: &str) -> Machine {
            self.with(&format!("{folder}/cpu.cfs_quota_us"), quota).with(&format!("{folder}/cpu.cfs_period_us"), period)
        }

        fn quota(&self) -> Option<usize> {
            quota(&self.0)
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            // A folder left behind in the temporary directory is no reason to fail a test.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const V2: &str = "31 23 0:28 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n";
    const V1: &str = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n";

    fn flat_v2(cpu_max: &str) -> Option<usize> {
        Machine::new("0::/job\n", V2).with("sys/fs/cgroup/job/cpu.max", cpu_max).quota()
    }

    #[test]
    fn a_version_2_quota_is_rounded_up() {
        assert_eq!(flat_v2("50000 100000\n"), Some(1));
        assert_eq!(flat_v2("100000 100000\n"), Some(1));
        assert_eq!(flat_v2("150000 100000\n"), Some(2));
        assert_eq!(flat_v2("400000 100000\n"), Some(4));
        assert_eq!(flat_v2("1000 1000000\n"), Some(1));
    }

    #[test]
    fn max_is_no_limit() {
        assert_eq!(flat_v2("max 100000\n"), None);
    }

    #[test]
    fn a_tighter_parent_binds() {
        let machine = Machine::new("0::/pod/box/job\n", V2)
            .with("sys/fs/cgroup/pod/cpu.max", "200000 100000\n")
            .with("sys/fs/cgroup/pod/box/cpu.max", "max 100000\n")
            .with("sys/fs/cgroup/pod/box/job/cpu.max", "800000 100000\n");
        assert_eq!(machine.quota(), Some(2));
    }

    #[test]
    fn a_looser_parent_does_not() {
        let machine = Machine::new("0::/pod/job\n", V2)
            .with("sys/fs/cgroup/pod/cpu.max", "800000 100000\n")
            .with("sys/fs/cgroup/pod/job/cpu.max", "300000 100000\n");
        assert_eq!(machine.quota(), Some(3));
    }

    #[test]
    fn a_sibling_does_not_bind_us() {
        let machine = Machine::new("0::/job\n", V2)
            .with("sys/fs/cgroup/job/cpu.max", "max 100000\n")
            .with("sys/fs/cgroup/job2/cpu.max", "100000 100000\n");
        assert_eq!(machine.quota(), None);
    }

    #[test]
    fn a_parent_binds_though_our_own_group_is_gone() {
        let machine = Machine::new("0::/pod/job (deleted)\n", V2).with("sys/fs/cgroup/pod/cpu.max", "200000 100000\n");
        assert_eq!(machine.quota(), Some(2));
    }

    #[test]
    fn a_version_1_quota_is_found_by_its_controller() {
        let groups = "5:cpuset:/other\n4:cpu,cpuacct:/docker/7f\n1:name=systemd:/else\n";
        let machine = Machine::new(groups, V1)
            .v1("sys/fs/cgroup/cpu,cpuacct", "-1\n", "100000\n")
            .v1("sys/fs/cgroup/cpu,cpuacct/docker", "600000\n", "100000\n")
            .v1("sys/fs/cgroup/cpu,cpuacct/docker/7f", "250000\n", "100000\n");
        assert_eq!(machine.quota(), Some(3));
    }

    #[test]
    fn minus_one_is_no_limit_in_version_1() {
        let machine = Machine::new("4:cpu,cpuacct:/\n", V1).v1("sys/fs/cgroup/cpu,cpuacct", "-1\n", "100000\n");
        assert_eq!(machine.quota(), None);
    }

    #[test]
    fn on_a_hybrid_machine_the_hierarchy_with_the_controller_counts() {
        let mounts = format!("{V1}41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
        let machine = Machine::new("4:cpu,cpuacct:/job\n0::/session\n", &mounts)
            .with("sys/fs/cgroup/unified/session/cgroup.procs", "1\n")
            .v1("sys/fs/cgroup/cpu,cpuacct/job", "200000\n", "100000\n");
        assert_eq!(machine.quota(), Some(2));
    }

    #[test]
    fn a_container_that_sees_its_own_group_as_the_mount_finds_it() {
        let mounts = "32 31 0:29 /docker/7f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n";
        let machine = Machine::new("4:cpu,cpuacct:/docker/7f/job\n", mounts)
            .v1("sys/fs/cgroup/cpu", "200000\n", "100000\n")
            .v1("sys/fs/cgroup/cpu/job", "700000\n", "100000\n");
        assert_eq!(machine.quota(), Some(2));
    }

    #[test]
    fn in_a_cgroup_namespace_our_group_is_the_root() {
        let machine = Machine::new("0::/\n", V2).with("sys/fs/cgroup/cpu.max", "200000 100000\n");
        assert_eq!(machine.quota(), Some(2));
    }

    #[test]
    fn a_mount_from_above_our_namespace_still_binds_us() {
        let mounts = "31 23 0:28 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let named = Machine::new("0::/../../job\n", mounts)
            .with("sys/fs/cgroup/cpu.max", "400000 100000\n")
            .with("sys/fs/cgroup/job/cpu.max", "300000 100000\n");
        assert_eq!(named.quota(), Some(3));
        let nameless = Machine::new("0::/\n", mounts)
            .with("sys/fs/cgroup/cpu.max", "400000 100000\n")
            .with("sys/fs/cgroup/job/cpu.max", "300000 100000\n");
        assert_eq!(nameless.quota(), Some(4));
    }

    #[test]
    fn a_mount_that_does_not_show_our_group_says_nothing_of_us() {
        for (group, mounted) in [("/../other", "/"), ("/a/b", "/x"), ("/a", "/a/b"), ("/", "/../x"), ("/ab", "/a")] {
            let mounts = format!("31 23 0:28 {mounted} /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
            let machine =
                Machine::new(&format!("0::{group}\n"), &mounts).with("sys/fs/cgroup/cpu.max", "100000 100000\n");
            assert_eq!(machine.quota(), None, "group {group}, mount of {mounted}");
        }
    }

    #[test]
    fn a_mount_point_with_a_blank_in_its_name_is_found() {
        let mounts = "31 23 0:28 / /my\\040groups rw - cgroup2 cgroup2 rw\n";
        let machine = Machine::new("0::/job\n", mounts).with("my groups/job/cpu.max", "200000 100000\n");
        assert_eq!(machine.quota(), Some(2));
    }

    #[test]
    fn a_group_may_have_colons_and_bytes_that_are_no_text_in_its_name() {
        let name = b"a:b\xff";
        let machine = Machine::new("", V2).with("proc/self/cgroup", [b"0::/", &name[..], b"\n"].concat());
        let folder = machine.0.join("sys/fs/cgroup").join(OsStr::from_bytes(name));
        fs::create_dir_all(&folder).expect("the group");
        fs::write(folder.join("cpu.max"), "200000 100000\n").expect("its quota");
        assert_eq!(machine.quota(), Some(2));
    }

    #[test]
    fn a_malformed_quota_limits_nothing() {
        for text in ["", "\n", "max", "50000", "-5 100000", "50000 0", "0 100000", "many few", "\u{0}", "5 5 5"] {
            assert_eq!(flat_v2(text), None, "{text:?}");
        }
        let machine = Machine::new("4:cpu:/\n", V1).with("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
        assert_eq!(machine.quota(), None, "a quota without its period");
    }

    #[test]
    fn missing_or_broken_proc_files_limit_nothing() {
        let nothing = std::env::temp_dir().join("parmap-no-such-machine");
        assert_eq!(quota(&nothing), None);
        for (groups, mounts) in [("", ""), ("0:", V2), ("0::/job\n", "cgroup2"), ("4:memory:/job\n", V1)] {
            assert_eq!(Machine::new(groups, mounts).quota(), None, "{groups:?} {mounts:?}");
        }
    }
}
