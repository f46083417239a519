//! The contenders that are Rust crates, each in a file of its own, exported as `struct contender` of `contender.h`.

#[path = "peers/chili.rs"]
mod chili;
#[path = "peers/fork_union.rs"]
mod fork_union;
#[path = "peers/interface.rs"]
mod interface;
#[path = "peers/rayon.rs"]
mod rayon;
