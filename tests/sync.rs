//! The meeting point: the same C program on a real Redis, with and without password and database, and on our own server; and
//! meeting points that fail. One test of those waits for long, while the others run.

#[macro_use]
mod harness;
#[path = "sync/faults.rs"]
mod faults;
#[path = "sync/redis.rs"]
mod redis;

use harness::{Link, Program, compile, has_program, record_skip, run};
use redis::Redis;
use std::process::Command;

/// What keeps the promises of `tests/c/<file>.c`: a program, and where the meeting point is, unless one is brought up for it.
fn keep(file: &str, promise: &str, redis: Option<fn() -> Redis>) {
    let promises = compile(&Program::of_promises(file));
    let Some(start) = redis else {
        let with_sync = compile(&Program::new("tests/c/with_sync.c", Link::Shared));
        run(Command::new(with_sync).arg(promises).arg(promise)).succeeded();
        return;
    };
    if !has_program("redis-server") {
        return record_skip(promise, "redis-server is not installed");
    }
    let redis = start();
    run(Command::new(promises).arg(promise).env("PAR_SYNC_URL", &redis.url)).succeeded();
}

macro_rules! promises_on_every_server {
    ($file:ident { $($promise:ident),* $(,)? }) => {
        mod $file {
            mod on_our_server {
                $(#[test]
                fn $promise() {
                    crate::keep(stringify!($file), stringify!($promise), None);
                })*
            }

            mod on_redis {
                $(#[test]
                fn $promise() {
                    crate::keep(stringify!($file), stringify!($promise), Some(crate::Redis::on_its_unix_socket));
                })*
            }

            mod on_redis_with_password_and_database {
                $(#[test]
                fn $promise() {
                    crate::keep(stringify!($file), stringify!($promise), Some(crate::Redis::on_loopback));
                })*
            }

            #[test]
            fn every_promise_of_the_c_file_is_a_test_here() {
                crate::harness::assert_same_promises(stringify!($file), &[$(stringify!($promise)),*]);
            }
        }
    };
}

promises_on_every_server! {
    sync {
        what_is_set_is_what_one_gets,
        additions_of_many_processes_are_all_counted,
        a_key_of_another_kind_is_refused_and_the_handle_serves_on,
        a_queue_gives_its_values_in_their_order,
        a_wait_for_a_value_ends_when_its_time_is_over,
        every_value_goes_to_one_of_those_who_wait,
        signals_do_not_end_a_wait,
        a_watched_wait_can_be_stopped_and_nothing_is_lost,
        a_forked_child_is_told_to_open_its_own_and_leaves_its_parents_alone,
        bad_arguments_are_answered_with_a_sentence,
    }
}

promises_on_every_server! {
    sync_meetings {
        nobody_passes_a_barrier_before_all_have_come_however_often,
        a_barrier_that_timed_out_says_how_many_came_and_serves_again,
        parties_that_give_up_at_the_last_moment_leave_no_trace,
        a_party_that_is_killed_costs_the_others_a_timeout,
        one_at_a_time_has_the_lock,
        a_lock_that_another_has_is_waited_for_in_vain,
        only_its_owner_can_unlock,
        a_lease_that_is_over_frees_the_lock_and_its_late_owner_is_told,
        a_holder_that_is_killed_costs_the_others_its_lease,
    }
}
