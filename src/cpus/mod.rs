//! How many CPUs this process may keep busy: `par_cpu_count` and the number of workers where nobody names one.
//!
//! Two things bound it on Linux: the affinity mask (`taskset`, cpusets, `docker --cpuset-cpus`) and the CPU quota
//! of the control groups around us (`docker --cpus`, Kubernetes limits, systemd's `CPUQuota`). The first is in
//! [`affinity`], the second in [`cgroup`], which finds its files with [`mounts`]. Nothing here knows the rest of
//! the crate.

#[cfg(target_os = "linux")]
mod affinity;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod mounts;

/// The CPUs that the calling thread may use: affinity mask and cgroup quota, whichever is smaller. A quota of one
/// and a half CPUs counts as two, because one worker would leave half a CPU unused. Never 0.
///
/// It reads a handful of small files, which takes tens of microseconds: ask once and keep the answer.
#[cfg(target_os = "linux")]
pub fn available() -> usize {
    let allowed = affinity::allowed().unwrap_or_else(|_| as_std_counts());
    let quota = cgroup::quota(std::path::Path::new("/")).unwrap_or(usize::MAX);
    allowed.min(quota).max(1)
}

/// The CPUs that the calling thread may use, as far as the standard library knows them here. Never 0.
#[cfg(not(target_os = "linux"))]
pub fn available() -> usize {
    as_std_counts()
}

fn as_std_counts() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_is_always_at_least_one_cpu() {
        assert!(super::available() >= 1);
    }

    #[test]
    fn there_are_never_more_cpus_than_the_standard_library_counts_threads() {
        // std rounds a quota down where we round it up, so that one CPU of difference is right.
        assert!(super::available() <= super::as_std_counts() + 1);
    }
}
