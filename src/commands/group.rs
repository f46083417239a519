//! Whether anybody of a process group still runs. The kernel counts zombies as members until they are reaped, which the first
//! process of many a container does late or never; nobody need wait for those.

use std::fs;

/// The members of one group.
pub struct Group {
    number: libc::pid_t,
    /// One that ran the last time. As long as it does nobody looks for another.
    known: Option<libc::pid_t>,
}

impl Group {
    pub fn new(number: libc::pid_t) -> Group {
        Group { number, known: None }
    }

    /// None: this system does not tell.
    pub fn runs(&mut self) -> Option<bool> {
        if self.known.is_some_and(|pid| self.has(pid)) {
            return Some(true);
        }
        // Another namespace's /proc has other numbers.
        if fs::read_link("/proc/self").ok()?.to_str()?.parse() != Ok(std::process::id()) {
            return None;
        }
        let processes = fs::read_dir("/proc").ok()?;
        let mut numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        self.known = numbers.find(|&pid| self.has(pid));
        Some(self.known.is_some())
    }

    /// Whether the process is a member, and runs.
    fn has(&self, pid: libc::pid_t) -> bool {
        fs::read(format!("/proc/{pid}/stat")).is_ok_and(|stat| runs_in(&stat, self.number) == Some(true))
    }
}

/// Whether a line of /proc/N/stat is about a process of this group that has not ended.
fn runs_in(stat: &[u8], group: libc::pid_t) -> Option<bool> {
    // Its name stands in brackets, and may hold some itself.
    let behind_name = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let fields: Vec<&str> = std::str::from_utf8(&stat[behind_name..]).ok()?.split_whitespace().collect();
    let (state, its_group, threads) = (*fields.first()?, *fields.get(2)?, *fields.get(17)?);
    // A process without its first thread looks like a zombie, but for the others.
    let has_ended = matches!(state, "Z" | "X") && threads.parse().unwrap_or(1) <= 1;
    Some(its_group.parse() == Ok(group) && !has_ended)
}

#[cfg(test)]
mod tests {
    use super::{Group, runs_in};
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn a_zombie_does_not_run_unless_it_has_other_threads() {
        let of = |state: &str, threads: u32| {
            format!("7 (a) Z 1 (b) {state} 1 42 42 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 {threads} 0 100 0 0\n")
        };
        assert_eq!(runs_in(of("S", 1).as_bytes(), 42), Some(true));
        assert_eq!(runs_in(of("S", 1).as_bytes(), 41), Some(false));
        assert_eq!(runs_in(of("Z", 1).as_bytes(), 42), Some(false));
        assert_eq!(runs_in(of("Z", 2).as_bytes(), 42), Some(true));
        assert_eq!(runs_in(b"7 (a) S", 42), None);
    }

    #[test]
    fn a_group_runs_until_its_last_process_has_ended_though_nobody_reaps_it() {
        let mut child = Command::new("cat").stdin(std::process::Stdio::piped()).process_group(0).spawn().unwrap();
        let mut group = Group::new(child.id() as libc::pid_t);
        assert_eq!(group.runs(), Some(true));
        assert_eq!(group.runs(), Some(true));
        drop(child.stdin.take());
        let has_ended = (0..10_000).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            group.runs() == Some(false)
        });
        child.wait().unwrap();
        assert!(has_ended, "a zombie counts as running");
    }
}
