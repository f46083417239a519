//! The ways to stop a call, and the poll function that watches it.

#[macro_use]
mod harness;

promises! {
    stopping {
        a_call_canceled_before_it_begins_runs_nothing,
        a_canceled_call_without_items_is_complete,
        a_callback_can_cancel_its_call,
        another_thread_can_cancel_a_call,
        a_signal_handler_can_cancel_a_call,
        a_deadline_stops_a_call,
        an_item_that_runs_at_the_deadline_is_finished_first,
        a_call_that_is_complete_was_not_canceled,
        a_poll_that_returns_non_zero_cancels,
        poll_sees_the_end_on_the_calling_thread_and_numbers_that_never_fall,
        poll_counts_the_items_that_fail,
        a_poll_that_says_no_after_the_last_item_changes_nothing,
        poll_comes_on_time_while_one_item_runs_long,
        poll_watches_a_reduce_too,
        an_item_that_fails_while_the_call_is_canceled_is_still_told,
    }
}
