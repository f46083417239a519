//! A control group that ends who takes too much memory, removed at the end.

use std::fs;
use std::io;
use std::path::PathBuf;

pub struct MemoryGroup {
    pub folder: PathBuf,
}

impl MemoryGroup {
    /// Needs root, and a hierarchy with the memory controller that can be written to.
    pub fn new(limit: &str) -> io::Result<MemoryGroup> {
        let (top, limits) = match fs::read_to_string("/sys/fs/cgroup/cgroup.controllers") {
            Ok(_) => ("/sys/fs/cgroup", ["memory.max", "memory.swap.max"]),
            Err(_) => ("/sys/fs/cgroup/memory", ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]),
        };
        let group =
            MemoryGroup { folder: PathBuf::from(top).join(format!("parmap-test-memory-{}", std::process::id())) };
        fs::create_dir(&group.folder)?;
        fs::write(group.folder.join(limits[0]), limit)?;
        // Not every system counts swap.
        let _ = fs::write(group.folder.join(limits[1]), limit);
        Ok(group)
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.folder) {
            eprintln!("{} stays behind: {error}", self.folder.display());
        }
    }
}
