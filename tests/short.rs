//! Calls too short to share, which stay with their caller.

#[macro_use]
mod harness;

promises! {
    short {
        a_small_call_makes_no_system_call,
        a_small_call_allocates_nothing,
        a_call_taken_for_short_is_shared_once_its_items_take_long,
        a_call_taken_for_short_can_be_stopped_once_its_items_take_long,
        a_failed_item_of_a_small_call_is_told,
    }
}
