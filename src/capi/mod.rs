//! Every exported function: pointers and integers in, Rust values out, no logic.
//!
//! A call reads its options (`options`), checks its arguments (`arguments`), hands a `Job` to the executor that the
//! options name, and writes the answer (`answer`). A panic of the library stops here and becomes `PAR_EPANIC`.

pub mod about;
mod answer;
mod arguments;
pub mod calls;
pub mod memory;
mod options;
