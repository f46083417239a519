//! par_run: what commands get, what comes back, how they end, and what may go wrong.

#[macro_use]
mod harness;

promises! {
    commands {
        a_command_that_exits_with_0_is_ok,
        exit_codes_and_signals_are_told_apart,
        output_comes_back_whole_and_apart_by_index,
        binary_output_and_output_without_newline_come_back_as_they_are,
        output_of_any_length_is_kept,
        input_reaches_the_command,
        a_command_need_not_read_its_input,
        without_input_a_command_reads_dev_null,
        the_environment_is_the_hosts_or_its_own,
        a_command_starts_in_its_folder,
        arguments_reach_the_program_as_they_are,
        a_program_is_looked_up_in_the_path_of_the_host,
        inherited_output_goes_where_the_hosts_goes,
        commands_run_at_once_and_no_more_than_workers,
        no_commands_are_fine,
        commands_of_older_and_newer_programs_work,
        cpu_time_and_memory_of_a_command_are_told,
    }
}

promises! {
    command_endings {
        a_command_beyond_its_timeout_is_ended_with_its_group,
        a_command_that_ignores_term_is_killed_after_two_seconds,
        a_command_can_use_the_two_seconds_to_say_goodbye,
        others_of_the_group_have_the_two_seconds_too,
        what_has_died_and_is_not_reaped_is_not_waited_for,
        a_stopped_command_is_ended_too,
        the_deadline_of_the_call_ends_what_runs_and_starts_no_more,
        a_command_that_ended_in_time_has_not_timed_out_though_it_is_seen_late,
        the_cancel_flag_ends_what_runs,
        a_signal_handler_can_cancel,
        a_call_canceled_before_it_begins_starts_nothing,
        poll_sees_every_step_on_the_calling_thread,
        a_poll_that_says_no_ends_what_runs,
        the_first_failure_stops_new_commands_and_lets_the_others_end,
        with_keep_going_all_commands_run,
        what_a_command_leaves_behind_in_its_group_is_killed,
        a_grandchild_that_holds_the_pipes_cannot_hold_up_the_call,
        a_grandchild_that_writes_for_ever_cannot_hold_up_the_call,
        a_command_that_closes_its_output_and_goes_on_is_waited_for,
        a_command_is_tried_again_as_often_as_it_says,
        a_command_that_timed_out_is_tried_again,
    }
}

promises! {
    command_faults {
        null_arrays_and_strings_are_refused_by_name,
        sizes_and_reserved_values_are_checked,
        options_that_commands_cannot_have_are_refused,
        what_cannot_be_started_says_why,
        arguments_that_are_too_long_are_an_error_of_that_command,
        a_gigabyte_of_output_comes_back_and_takes_no_memory,
        a_host_that_ignores_sigchld_learns_how_commands_ended,
        a_host_that_reaps_everything_learns_how_commands_ended,
        with_few_descriptors_fewer_commands_run_at_once,
        with_no_descriptor_at_all_the_commands_say_so,
        output_that_finds_no_room_ends_its_command_and_no_other,
        a_folder_for_temporary_files_that_is_not_there_is_named,
        where_processes_are_refused_fewer_run_or_the_commands_say_so,
    }
}

promises! {
    command_log {
        each_command_that_ended_has_its_line,
        a_second_run_does_what_is_left,
        a_command_that_has_changed_is_run_again,
        a_log_whose_host_died_amid_a_line_is_taken_up,
        a_file_that_is_no_job_log_is_left_alone,
        a_log_that_is_full_is_told_and_stops_nothing,
        commands_meet_at_a_place_that_is_gone_afterwards,
        a_host_with_a_meeting_point_passes_it_on,
    }
}

promises! {
    command_hosts {
        commands_get_default_signals_an_empty_mask_and_the_standard_files_alone,
        a_host_without_standard_files_can_run_commands,
        nothing_is_left_behind,
        many_threads_can_run_commands_at_once,
        a_forked_child_can_run_commands,
        commands_die_with_their_host,
    }
}
