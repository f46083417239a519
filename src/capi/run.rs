//! The frame of `par_run`: reads commands and options, has the commands run, writes the report.

#[cfg(not(target_os = "linux"))]
#[path = "run/portable.rs"]
mod system;
#[cfg(target_os = "linux")]
#[path = "run/linux.rs"]
mod system;

pub use system::{answer, free};
