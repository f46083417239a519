//! The atomics of the scheduling core: the standard library's, or loom's when the core is model-checked.

#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};
#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};
