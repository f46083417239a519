//! The meeting point: a client for Redis, and a small server of our own that speaks the same protocol.
//!
//! - `client`: what `par_sync_*` does: URLs, the connection, values and queues, barriers, locks.
//! - `server`: the needed part of Redis on a private Unix socket, for `par_run`.
//! - `socket`: system calls that both make.
//!
//! The client and the server share no code but `socket`, and the client cannot tell our server from Redis: what holds on one
//! holds on the other, by the same tests. The protocol is read and written here, in two small files: the crates that do it
//! (`redis-protocol`, `redis`) bring ten and forty others with them and leave out the limits that hostile bytes call for.

mod client;
mod server;
mod socket;

pub use client::{Failure, Handle, Malloced, PATIENCE, Watch};
pub use server::Server;
