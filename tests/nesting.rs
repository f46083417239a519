//! Calls inside calls, calls from many threads, and the hooks around each worker's items.

#[macro_use]
mod harness;

promises! {
    nesting {
        calls_can_be_three_deep,
        a_failure_inside_can_be_passed_on,
        thirty_two_threads_can_call_at_once,
        a_waiting_thread_runs_items_of_its_own_inner_call_only,
        two_items_run_at_the_same_time_even_on_one_cpu,
        items_of_an_inner_call_run_at_the_same_time_too,
        each_running_item_has_a_worker_index_of_its_own_below_the_number_of_workers,
        the_worker_index_is_restored_after_an_inner_call,
        with_poll_the_indices_stay_below_the_number_of_workers,
    }
}

promises! {
    hooks {
        hooks_run_once_around_the_items_of_each_worker,
        a_worker_without_items_runs_neither_hook,
        hooks_run_around_ranges_and_reductions_too,
        worker_stop_runs_after_a_failure_too,
        worker_stop_runs_after_a_poll_that_cancels_too,
        each_hook_can_stand_alone,
        where_some_workers_are_kept_out_the_others_run_all_items,
        where_all_workers_are_kept_out_nothing_runs,
        where_all_workers_are_kept_out_a_call_with_poll_ends_too,
    }
}
