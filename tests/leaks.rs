//! Nothing is left behind, and nothing is read or written that is not the library's own: by counting, and under
//! valgrind and AddressSanitizer where they are at hand.

#[macro_use]
mod harness;

use harness::{Finished, Link, Program, compile, run};
use std::path::Path;
use std::process::Command;

promises! {
    leaks {
        ten_thousand_calls_leave_no_thread_memory_or_descriptor_behind,
        one_of_everything_runs,
        the_memory_of_a_call_does_not_depend_on_the_number_of_items,
    }
}

/// What the checkers look at: all of the library once, and bad input and failures.
const CHECKED: &[(&str, &str)] = &[
    ("leaks", "one_of_everything_runs"),
    ("arguments", "null_arrays_are_refused_when_there_are_items"),
    ("arguments", "options_of_an_older_program_work"),
    ("arguments", "options_of_a_newer_program_work_while_their_tail_is_zero"),
    ("memory", "growing_after_shrinking_adds_zeros_again"),
    ("items", "with_keep_going_all_other_items_run"),
    ("items", "results_of_any_length_come_back_and_can_be_used_again"),
    ("reduce", "each_range_starts_from_an_aligned_copy_of_the_identity"),
    ("reduce", "an_accumulator_may_be_megabytes"),
    ("nesting", "calls_can_be_three_deep"),
    ("commands", "input_reaches_the_command"),
    ("command_faults", "null_arrays_and_strings_are_refused_by_name"),
    ("command_endings", "a_command_is_tried_again_as_often_as_it_says"),
    ("command_log", "a_second_run_does_what_is_left"),
    ("hooks", "where_some_workers_are_kept_out_the_others_run_all_items"),
    ("processes_answers", "a_map_in_place_works"),
    ("processes_answers", "earlier_results_are_there_in_the_workers"),
];

/// A forked child leaks the pool it inherits, as it must, so these are checked for wrong access alone; and not by
/// AddressSanitizer, whose allocator leaves its locks as they were at the fork.
const FORKING: &[(&str, &str)] = &[
    ("fork", "a_grandchild_can_call_again"),
    ("fork", "a_call_works_inside_a_fork_inside_a_call"),
    ("command_hosts", "nothing_is_left_behind"),
    ("processes_answers", "results_of_any_length_come_back_and_can_be_used_again"),
    ("processes_answers", "a_sum_has_the_bits_that_it_has_on_threads"),
    ("processes_answers", "a_callback_may_call_on_threads_and_in_processes"),
    ("processes_deaths", "an_exit_is_the_items_outcome"),
    ("processes_deaths", "a_hang_is_ended_and_is_the_items_outcome"),
];

/// The exit status with which both checkers say that they found something.
const FOUND: i32 = 99;

fn under_valgrind(leaks: &[&str], program: &Path, promise: Option<&str>) -> Finished {
    let mut command = Command::new("valgrind");
    command.args(["-q", "--fair-sched=yes"]).arg(format!("--error-exitcode={FOUND}")).args(leaks);
    run(command.arg(program).args(promise))
}

#[test]
fn valgrind_finds_no_wrong_access_and_no_leak() {
    if !harness::has_program("valgrind") {
        skip!("valgrind_finds_no_wrong_access_and_no_leak", "valgrind is not installed");
    }
    let with_leaks = &["--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"][..];
    let leak = compile(&Program::new("tests/c/leak.c", Link::Shared));
    let seen = under_valgrind(with_leaks, &leak, None);
    assert_eq!(seen.status.code(), Some(FOUND), "valgrind does not see a leak made on purpose");

    for (leaks, promises) in [(with_leaks, CHECKED), (&["--leak-check=no"], FORKING)] {
        for &(file, promise) in promises {
            let done = under_valgrind(leaks, &compile(&Program::of_promises(file)), Some(promise));
            // What is found in a forked child is told on the screen alone.
            let found = done.err.lines().any(|line| line.starts_with("=="));
            assert!(done.status.success() && !found, "{promise}: {}\n{}{}", done.status, done.out, done.err);
        }
    }
}

const SANITIZED: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

fn sanitized(program: &Path, promise: Option<&str>) -> Finished {
    run(Command::new(program).args(promise).env("ASAN_OPTIONS", format!("detect_leaks=1:exitcode={FOUND}")))
}

#[test]
fn address_sanitizer_finds_no_wrong_access_and_no_leak() {
    let leak = compile(&Program::new("tests/c/leak.c", Link::Shared).by("gcc").with(SANITIZED));
    let seen = sanitized(&leak, None);
    if seen.status.code() != Some(FOUND) {
        let reason = format!("LeakSanitizer does not see a leak made on purpose: {}", seen.err);
        skip!("address_sanitizer_finds_no_wrong_access_and_no_leak", reason);
    }
    for &(file, promise) in CHECKED {
        let done = sanitized(&compile(&Program::of_promises(file).by("gcc").with(SANITIZED)), Some(promise));
        assert!(done.status.success(), "{promise}: {}\n{}{}", done.status, done.out, done.err);
    }
}
