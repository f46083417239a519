//! The system refuses threads or memory, and the call completes.

#[macro_use]
mod harness;

promises! {
    refused {
        a_call_completes_alone_when_all_threads_are_refused,
        a_call_completes_on_the_threads_that_there_are,
        with_poll_the_caller_runs_the_items_itself_and_says_so,
        threads_that_are_allowed_again_work_again,
        a_call_completes_in_a_tiny_address_space,
        an_accumulator_that_cannot_be_copied_is_out_of_memory_and_not_an_abort,
        a_result_that_does_not_fit_is_the_items_own_failure,
        far_more_workers_than_the_system_has_threads_are_no_error,
    }
}
