//! Bad arguments are refused before anything runs; good ones at the edge are accepted.

#[macro_use]
mod harness;

promises! {
    arguments {
        a_null_function_is_refused,
        null_arrays_are_refused_when_there_are_items,
        an_entry_with_a_length_but_no_data_is_refused,
        zero_sizes_are_refused,
        sizes_that_overflow_are_refused,
        an_item_array_that_would_overflow_is_refused,
        overlapping_arrays_are_refused,
        arrays_that_touch_do_not_overlap,
        an_array_can_be_mapped_in_place,
        a_map_without_results_needs_no_output,
        no_items_need_no_arrays,
        unknown_flags_are_refused,
        unknown_executors_are_refused,
        reserved_values_are_refused,
        threads_and_ranks_cannot_time_out_an_item,
        options_of_an_impossible_size_are_refused,
        options_of_an_older_program_work,
        options_of_a_newer_program_work_while_their_tail_is_zero,
        a_report_of_an_impossible_size_is_refused,
        a_report_of_a_newer_program_is_filled_and_zero_beyond,
        a_message_fits_and_ends_whatever_the_numbers,
        every_status_has_its_own_sentence,
    }
}

promises! {
    memory {
        growing_keeps_what_is_there_and_adds_zeros,
        growing_after_shrinking_adds_zeros_again,
        a_length_of_zero_leaves_nothing_to_free,
        freeing_zeroes_the_whole_array,
        a_length_that_no_memory_holds_leaves_the_bytes_as_they_are,
        null_bytes_are_refused,
        shared_memory_is_zeroed_and_reaches_a_forked_child,
        shared_memory_that_cannot_be_had_is_null,
    }
}
