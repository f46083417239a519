//! Meeting points that are not there, do not let one in, or go away in the middle.

use crate::harness::{Finished, Link, Program, Running, compile, has_program, start};
use crate::redis::{PASSWORD, Redis};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

const PAR_ESYNC: i32 = 10;

promises! {
    sync_faults {
        a_url_that_is_none_is_answered_with_what_to_write,
        a_server_that_is_not_there_is_named,
        without_a_url_the_environment_must_have_one,
        a_server_that_hangs_up_raises_no_signal,
    }
}

fn user(url: &str, what: &str) -> Running {
    start(Command::new(compile(&Program::new("tests/sync/user.c", Link::Shared))).args([url, what]))
}

fn assert_lost(done: &Finished, part: &str) {
    assert_eq!(done.status.code(), Some(PAR_ESYNC), "{done:?}");
    assert!(done.err.contains(part), "{done:?}");
}

#[test]
fn a_password_that_is_missing_or_wrong_is_told_and_never_shown() {
    let test = "a_password_that_is_missing_or_wrong_is_told_and_never_shown";
    if !has_program("redis-server") {
        skip!(test, "redis-server is not installed");
    }
    let redis = Redis::on_loopback();
    let right = redis.url.strip_suffix("/3").unwrap();
    let host = right.rsplit_once('@').unwrap().1;
    let missing = user(&format!("redis://{host}"), "open").finish();
    assert_lost(&missing, "wants a password");
    assert_lost(&user(&format!("redis://{host}/3"), "open").finish(), "wants a password");
    let wrong = user(&format!("redis://:guessed@{host}"), "open").finish();
    assert_lost(&wrong, "does not take the password of the URL: WRONGPASS");
    assert!(!wrong.err.contains("guessed"), "{wrong:?}");
    let user_and_password = format!("redis://default:{}@{host}/15", PASSWORD.replace('@', "%40"));
    user(&user_and_password, "open").finish().succeeded();
    assert_lost(&user(&format!("{right}/16"), "open").finish(), "has no database 16");
}

#[test]
fn a_server_that_is_killed_ends_every_kind_of_call() {
    let test = "a_server_that_is_killed_ends_every_kind_of_call";
    if !has_program("redis-server") {
        skip!(test, "redis-server is not installed");
    }
    for start in [Redis::on_its_unix_socket, Redis::on_loopback] {
        let mut redis = start();
        let mut users = ["set", "pop", "barrier", "lock"].map(|what| user(&redis.url, what));
        for user in &mut users {
            user.wait_for_error_text("ready");
        }
        sleep(Duration::from_millis(100));
        redis.kill();
        for user in users {
            assert_lost(&user.finish(), "is gone");
        }
        assert_lost(&user(&redis.url, "open").finish(), "cannot be reached");
    }
}

#[test]
fn a_server_that_is_frozen_is_given_up_after_ten_seconds() {
    let test = "a_server_that_is_frozen_is_given_up_after_ten_seconds";
    if !has_program("redis-server") {
        skip!(test, "redis-server is not installed");
    }
    let redis = Redis::on_its_unix_socket();
    let mut users = ["set", "watched pop", "barrier", "lock"].map(|what| user(&redis.url, what));
    for user in &mut users {
        user.wait_for_error_text("ready");
    }
    redis.signal(libc::SIGSTOP);
    let latecomer = user(&redis.url, "open");
    for user in users {
        assert_lost(&user.finish(), "has not answered for 1");
    }
    assert_lost(&latecomer.finish(), "has not answered for 1");
}
