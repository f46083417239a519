//! The meeting point: the same C program on a real Redis, with and without password and database, and on our own server; and
//! meeting points that fail. One test of those waits for long, while the others run.

#[macro_use]
mod harness;
#[path = "sync/faults.rs"]
mod faults;
#[path = "sync/redis.rs"]
mod redis;

use harness::{Link, Program, Running, compile, has_program, record_skip, run, scratch, start};
use redis::Redis;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
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

/// A program that serves a meeting point as long as the file `gate` is there; and where.
fn serving(gate: &Path) -> (Running, PathBuf) {
    let with_sync = compile(&Program::new("tests/c/with_sync.c", Link::Shared));
    let script = "echo \"$PAR_SYNC_URL\" >&2; while [ -e \"$0\" ]; do sleep 0.02; done";
    let mut host = start(Command::new(with_sync).args(["sh", "-c", script]).arg(gate));
    host.wait_for_error_text("\n");
    let socket = PathBuf::from(host.error_so_far().trim().strip_prefix("unix://").expect("a Unix socket"));
    assert!(socket.exists());
    (host, socket)
}

#[test]
fn what_a_killed_host_left_of_its_server_goes_when_the_next_one_starts() {
    let gate = scratch().join("gate");
    fs::write(&gate, "").expect("target/tmp can be written");
    let ((alive, its_socket), (killed, left)) = (serving(&gate), serving(&gate));
    killed.signal(libc::SIGKILL);
    killed.finish();
    let (next, _) = serving(&gate);
    let left_is_gone = !left.parent().expect("a folder").exists();
    let alive_serves = UnixStream::connect(its_socket).is_ok();
    fs::remove_file(&gate).expect("it is there");
    for host in [alive, next] {
        host.finish().succeeded();
    }
    assert!(left_is_gone, "{}", left.display());
    assert!(alive_serves);
}
