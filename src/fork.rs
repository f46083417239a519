//! Notices that this process is a forked child, in a fraction of a nanosecond and without a handler.
//!
//! A page that the kernel wipes in every child (Linux: MADV_WIPEONFORK, which sees raw clone and _Fork, too) holds a token
//! of this process. Where there is no such page, the process number serves.

#[cfg(target_os = "linux")]
#[path = "fork/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "fork/portable.rs"]
mod system;

/// A number that no ancestor of this process has, and that stays the same while the process lives. Never 0.
pub fn process_token() -> u64 {
    system::process_token()
}
