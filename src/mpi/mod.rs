//! The executor on the ranks of an MPI job, and messages between ranks.
//!
//! There is no MPI to link with: the library that belongs to the launcher is found (`launcher`, `library`) and called through
//! tables of what differs between MPI libraries (`abi`, `api`, `functions`). `session` is this process as a rank (behind a
//! `gate`), `exit` its end, `output` what it wrote before, `waiting` what it waits for, `wait` how, `presence` whether that is
//! in vain, `pause` what the host does meanwhile. Upon it stand the user's messages (`messages`, `tray`, `mailbox`,
//! `collectives`), our own (`pieces`), and the executor (`call`).

mod abi;
mod api;
pub mod call;
pub mod collectives;
mod exit;
mod failure;
mod functions;
mod gate;
mod launcher;
mod library;
mod mailbox;
pub mod messages;
mod output;
pub mod pause;
mod pieces;
mod presence;
pub mod session;
mod tray;
mod wait;
mod waiting;

pub use failure::Failure;
