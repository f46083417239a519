//! What `par_sync_*` does, on any server that speaks Redis's protocol.
//!
//! - `handle`: what a C program holds. `failure`: how a call fails, in a status and a sentence.
//! - `url`: where the server is. `connection`: questions out, answers in, and how long to wait. `answer`: what comes back.
//! - `values`: set, get, delete, add, push, pop. `barrier` and `lock`: meetings made of these.
//!
//! Waiting is cut into slices that the server must answer: so a server that is gone is noticed, though a wait may last for
//! ever, and whoever watches the wait is asked in between. No element is ever on its way to a caller that has given up.

mod answer;
mod barrier;
mod connection;
mod failure;
mod handle;
mod lock;
mod malloced;
#[cfg(test)]
mod tests;
mod url;
mod values;
mod waiting;

pub use failure::Failure;
pub use handle::{Handle, PATIENCE, Watch};
pub use malloced::Malloced;
