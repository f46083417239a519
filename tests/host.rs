//! What a host process can rely on.

#[macro_use]
mod harness;

promises! {
    host {
        nothing_starts_before_the_first_call_that_needs_it,
        helper_threads_block_the_signals_that_are_the_hosts,
        helper_threads_have_a_name,
        no_signal_handler_is_installed,
        a_helper_has_as_much_stack_as_a_thread_of_the_host,
        idle_threads_burn_no_cpu,
        par_num_workers_sets_the_number_of_workers,
        par_num_workers_of_1_starts_no_threads,
        workers_in_the_options_win_over_par_num_workers,
        a_par_num_workers_that_is_no_number_is_refused_and_quoted,
        the_affinity_mask_bounds_the_cpu_count,
    }
}

promises! {
    opened {
        a_library_that_was_closed_can_be_opened_again,
        a_closed_library_stays_loaded,
        a_forked_child_can_open_it_again,
    }
}
