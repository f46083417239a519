//! Forked workers: the answers of the plain loop, every way to die an item's outcome, and a host that notices nothing.

#[macro_use]
mod harness;
#[path = "processes/memory_group.rs"]
mod memory_group;

use harness::{Link, Program, compile, run};
use memory_group::MemoryGroup;
use std::process::Command;

#[test]
fn a_worker_that_the_system_ends_for_its_memory_is_the_items_outcome() {
    const NAME: &str = "a_worker_that_the_system_ends_for_its_memory_is_the_items_outcome";
    let program = compile(&Program::new("tests/processes/eat_memory.c", Link::Shared));
    let group = match MemoryGroup::new("100M") {
        Ok(group) => group,
        Err(error) => skip!(NAME, format!("no control group with a memory limit can be made here: {error}")),
    };
    let join = r#"echo $$ > "$0/cgroup.procs" && exec "$1""#;
    let out = run(Command::new("sh").args(["-c", join]).arg(&group.folder).arg(&program)).succeeded();
    assert_eq!(out, "2: 1 1 1 1 1 4 1 1 1 1 1 1, code 9\n");
}

promises! {
    processes_answers {
        every_item_runs_once_whatever_the_number_of_items_workers_and_grain,
        a_callback_finds_the_array_of_results_as_the_caller_left_it,
        a_map_in_place_works,
        what_a_callback_writes_stays_in_its_process_unless_it_is_shared,
        every_worker_starts_from_the_memory_at_the_call,
        ranges_cover_every_index_once,
        a_sum_has_the_bits_that_it_has_on_threads,
        an_accumulator_may_be_large,
        results_of_any_length_come_back_and_can_be_used_again,
        earlier_results_are_there_in_the_workers,
        items_that_fail_are_told_with_their_codes,
        workers_have_indices_below_their_number,
        a_callback_may_call_on_threads_and_in_processes,
    }
}

promises! {
    processes_deaths {
        a_segmentation_fault_is_the_items_outcome,
        a_stack_overflow_is_the_items_outcome,
        an_abort_is_the_items_outcome,
        an_exit_is_the_items_outcome,
        an_exit_without_failure_is_no_success,
        a_kill_is_the_items_outcome,
        a_hang_is_ended_and_is_the_items_outcome,
        items_within_their_time_are_left_alone_however_long_the_call,
        every_item_may_die,
        without_keep_going_no_new_item_starts_after_a_death,
        a_death_among_tiny_items_costs_that_item_alone,
        workers_killed_at_any_moment_lose_nothing_but_their_item,
        a_range_that_dies_marks_all_its_indices,
        results_of_any_length_survive_a_death,
        workers_that_die_before_any_item_are_given_up,
        a_worker_that_dies_in_worker_stop_has_done_its_items,
    }
}

promises! {
    processes_reduce {
        a_fold_or_a_combine_that_dies_costs_its_range_alone,
        combines_within_their_time_are_left_alone_however_many_are_in_line,
        a_range_that_is_folded_counts_though_its_worker_hangs_on,
    }
}

promises! {
    processes_host {
        a_thousand_calls_leave_no_process_descriptor_or_mapping_behind,
        a_host_that_ignores_its_children_is_served,
        a_host_that_reaps_whatever_ends_is_served,
        a_handler_for_children_sees_one_signal_a_call,
        the_hosts_own_children_are_left_to_it,
        signal_masks_are_left_alone_and_handed_on,
        no_worker_survives_a_host_that_is_killed,
        a_killed_supervisor_ends_the_call_and_its_workers,
        any_thread_of_a_busy_host_can_call,
        fork_hooks_run_around_every_fork_in_the_process_named,
        a_child_and_a_grandchild_of_the_host_can_call,
    }
}

promises! {
    processes_output {
        no_line_is_printed_twice_and_none_of_a_finished_item_is_lost,
        the_same_holds_for_every_stream_that_is_open,
        a_stream_in_memory_is_there_in_the_workers_as_the_host_left_it,
        what_fork_hooks_print_is_printed_once,
        where_standard_output_is_closed_nothing_is_printed_into_results,
        the_hosts_exit_handlers_do_not_run_in_workers,
    }
}

promises! {
    processes_stopping {
        a_call_canceled_before_it_begins_runs_nothing,
        a_thread_of_the_host_can_cancel,
        a_signal_handler_can_cancel,
        a_worker_can_cancel_through_shared_memory,
        a_deadline_stops_the_call,
        a_deadline_ends_items_that_hang,
        a_cancel_ends_items_that_hang,
        a_deadline_ends_items_that_hang_after_another_has_failed,
        a_deadline_ends_worker_hooks_that_hang,
        poll_looks_on_from_the_calling_thread,
        a_poll_that_returns_non_zero_cancels,
        hooks_run_in_each_worker_before_its_first_item_and_after_its_last,
        where_some_workers_refuse_the_others_run_all_items,
        where_all_workers_refuse_the_call_says_so,
        a_pthread_cancel_reaches_its_thread_and_no_worker,
    }
}

promises! {
    processes_limits {
        a_call_for_which_no_process_can_be_had_says_so,
        where_forks_find_no_memory_fewer_workers_run_or_the_call_says_so,
        a_call_completes_on_the_workers_that_can_be_had,
        the_place_of_a_dead_worker_is_taken_at_the_limit,
        results_beyond_the_memory_limit_are_out_of_memory,
        neither_size_nor_mode_of_dev_shm_matter,
        a_map_needs_no_descriptor,
        callbacks_that_close_all_descriptors_hurt_nobody,
        callbacks_may_fork_and_wait_even_if_the_host_ignores_its_children,
        a_child_that_comes_back_out_of_a_callback_is_ended,
        children_that_callbacks_leave_behind_hold_nothing_up,
        far_more_workers_than_items_are_no_error,
    }
}
