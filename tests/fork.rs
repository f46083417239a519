//! The library works in forked processes.

#[macro_use]
mod harness;

promises! {
    fork {
        a_child_can_call_whose_parent_never_did,
        a_forked_child_can_call_again,
        a_grandchild_can_call_again,
        a_grandchild_can_call_whose_parent_did_not,
        a_child_of_another_thread_can_call_again,
        a_new_thread_of_the_child_can_call,
        a_call_works_inside_a_fork_inside_a_call,
        a_call_works_inside_a_fork_inside_a_call_inside_a_fork,
        a_child_forked_by_poll_can_call,
        a_child_that_does_not_call_can_exit_in_peace,
        a_child_that_called_can_exit_in_peace,
        a_child_that_comes_back_from_an_item_is_told_so_and_runs_no_more,
        a_child_that_comes_back_from_poll_is_told_so,
        a_hundred_children_can_call_though_they_were_forked_amid_calls,
        eight_generations_can_call,
    }
}
