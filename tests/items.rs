//! What becomes of each item, and of a reduction.

#[macro_use]
mod harness;

promises! {
    items {
        every_item_runs_once_whatever_the_number_of_items_workers_and_grain,
        an_item_that_fails_is_named_with_its_code_wherever_it_stands,
        with_keep_going_all_other_items_run,
        many_items_that_fail_are_all_told_with_keep_going,
        when_all_items_fail_at_once_some_failure_is_told,
        after_a_failure_one_worker_starts_nothing_more,
        after_a_failure_other_workers_stop_soon,
        ranges_cover_every_item_once_and_are_no_smaller_than_the_grain,
        a_range_that_fails_marks_all_its_items,
        results_of_any_length_come_back_and_can_be_used_again,
        a_byte_string_that_fails_is_told_like_any_item,
        an_items_context_is_passed_on_untouched,
        a_report_tells_time_and_workers,
    }
}

promises! {
    reduce {
        a_floating_point_sum_has_the_same_bits_at_1_2_7_and_64_workers,
        ranges_are_combined_from_left_to_right,
        ranges_depend_on_items_and_grain_alone,
        each_range_starts_from_an_aligned_copy_of_the_identity,
        an_accumulator_may_be_megabytes,
        a_fold_that_fails_leaves_the_accumulator_untouched,
        with_keep_going_the_ranges_that_succeed_are_combined,
        a_canceled_reduce_leaves_the_accumulator_untouched,
    }
}
