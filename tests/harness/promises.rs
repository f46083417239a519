//! From the functions of a C file to Rust tests.
//!
//! `tests/c/promise.c` is the main function of these programs: with a promise's name it keeps that
//! promise in a fresh process; without one it lists all names.

use super::{Program, compile, record_skip, run};
use std::process::Command;

/// How a C promise says that this machine cannot keep it.
const SKIPPED: i32 = 77;

/// `promises! { arguments { a_null_function_is_refused, .. } }` makes a module `arguments` with one
/// test for each promise of `tests/c/arguments.c`, and one that holds both lists equal.
macro_rules! promises {
    ($file:ident { $($promise:ident),* $(,)? }) => {
        mod $file {
            $(#[test]
            fn $promise() {
                crate::harness::keep(stringify!($file), stringify!($promise));
            })*

            #[test]
            fn every_promise_of_the_c_file_is_a_test_here() {
                crate::harness::assert_same_promises(stringify!($file), &[$(stringify!($promise)),*]);
            }
        }
    };
}

/// Keeps one promise of `tests/c/<file>.c`.
pub fn keep(file: &str, promise: &str) {
    let done = run(Command::new(compile(&Program::of_promises(file))).arg(promise));
    if done.status.code() == Some(SKIPPED) {
        return record_skip(promise, &done.out);
    }
    done.succeeded();
}

pub fn assert_same_promises(file: &str, expected: &[&str]) {
    let listed = run(&mut Command::new(compile(&Program::of_promises(file)))).succeeded();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected, "tests/c/{file}.c lists other promises");
}
