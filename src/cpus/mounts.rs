//! Where the control-group hierarchies that can limit CPU time are mounted: the lines of `/proc/self/mountinfo`
//! that matter here, read (Linux).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The two kinds of hierarchy. A machine may have both mounted; only one of them then has the `cpu` controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

/// One mounted hierarchy.
#[derive(Debug, PartialEq, Eq)]
pub struct Mount {
    pub version: Version,
    /// The group that shows at `point`, as a path of the hierarchy: a container sees its own group there.
    pub root: PathBuf,
    /// The folder where it shows.
    pub point: PathBuf,
}

/// The mount that a line of `mountinfo` tells of, if it is a hierarchy that can have a CPU quota.
///
/// `36 35 98:0 /root /point rw,noatime shared:1 - cgroup source rw,cpu,cpuacct`: any number of optional fields stands
/// before the dash.
pub fn parse(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let dash = 6 + fields.get(6..)?.iter().position(|field| *field == b"-")?;
    let version = match *fields.get(dash + 1)? {
        b"cgroup2" => Version::V2,
        b"cgroup" if has_cpu(fields.get(dash + 3)?) => Version::V1,
        _ => return None,
    };
    Some(Mount { version, root: unescape(fields[3]), point: unescape(fields[4]) })
}

/// Whether a list such as `rw,cpu,cpuacct` names the controller with the quota.
pub fn has_cpu(list: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|name| name == b"cpu")
}

/// The kernel writes blanks, line ends and backslashes in a path as `\040` and so on.
fn unescape(field: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, after @ ..] = rest {
        if let [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] = rest {
            path.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = after;
        } else {
            path.push(*first);
            rest = after;
        }
    }
    PathBuf::from(OsString::from_vec(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(version: Version, root: &str, point: &str) -> Option<Mount> {
        Some(Mount { version, root: root.into(), point: point.into() })
    }

    #[test]
    fn a_version_2_mount_is_known_by_its_type() {
        let line = b"31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 master:1 - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(parse(line), mount(Version::V2, "/", "/sys/fs/cgroup"));
    }

    #[test]
    fn a_version_1_mount_counts_only_with_the_cpu_controller() {
        let both = b"32 31 0:29 /docker/7f /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct";
        assert_eq!(parse(both), mount(Version::V1, "/docker/7f", "/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(parse(b"33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset"), None);
        assert_eq!(parse(b"34 31 0:31 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct"), None);
    }

    #[test]
    fn optional_fields_may_be_missing() {
        assert_eq!(parse(b"41 31 0:38 / /c rw - cgroup2 none rw"), mount(Version::V2, "/", "/c"));
    }

    #[test]
    fn a_dash_as_a_mount_point_is_not_taken_for_the_separator() {
        assert_eq!(parse(b"41 31 0:38 / - rw - cgroup2 none rw"), mount(Version::V2, "/", "-"));
    }

    #[test]
    fn other_file_systems_and_broken_lines_are_passed_over() {
        let lines: [&[u8]; 7] = [
            b"",
            b"cgroup2",
            b"22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw",
            b"31 23 0:28 / /sys/fs/cgroup rw shared:9 cgroup2 cgroup2 rw",
            b"31 23 0:28 / /sys/fs/cgroup rw -",
            b"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup",
            b"\xff \xff \xff \xff \xff \xff - \xff",
        ];
        for line in lines {
            assert_eq!(parse(line), None, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn octal_escapes_are_undone_and_anything_else_after_a_backslash_stays() {
        assert_eq!(unescape(br"/with\040blank\011tab\134slash"), PathBuf::from("/with blank\ttab\\slash"));
        assert_eq!(unescape(br"/\04"), PathBuf::from(r"/\04"));
        assert_eq!(unescape(br"/\777\08x"), PathBuf::from(r"/\777\08x"));
        assert_eq!(unescape(br"/\"), PathBuf::from(r"/\"));
    }
}
