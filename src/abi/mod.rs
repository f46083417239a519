//! The C types and constants of the interface, as a C program sees them.
//!
//! Every other module may use these; they use none. The functions are in `capi`. `build.rs` turns both into
//! `include/parmap.h`, so the comments here are written for the reader of that header.
#![allow(non_camel_case_types)]

pub mod bytes;
pub mod callbacks;
pub mod commands;
pub mod mpi;
pub mod options;
pub mod status;
pub mod sync;
