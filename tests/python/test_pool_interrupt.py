"""Ctrl-C during the calls of a Pool: from the keyboard, and sent to the program alone."""

import os
import select
import signal
import subprocess
import time

import pool_items as items
import pytest
from programs import command, environment

from libparmap import Pool

PROLOGUE = """
import os, signal, sys, threading, time
import pool_items as items
from libparmap import Executor, Pool

def tell_and_sleep(x):
    os.write(1, f"{os.getpid()} ".encode())
    time.sleep(60)
"""

CALLS = {
    "map": "pool.map(tell_and_sleep, range(100))",
    "starmap": "pool.starmap(tell_and_sleep, [(x,) for x in range(100)])",
    "apply": "pool.apply(tell_and_sleep, (1,))",
    "map_async": "pool.map_async(tell_and_sleep, range(100)).get()",
    "imap": "list(pool.imap(tell_and_sleep, iter(range(100))))",
    "progress": "pool.map(tell_and_sleep, range(100), progress=lambda done, total: None)",
    "join": "pool.map_async(tell_and_sleep, range(100)); pool.close(); pool.join()",
}


def interrupted(program, whole_group):
    """Runs a program, sends SIGINT once two workers (or one) have told their pids; what it printed, and how it ended."""
    process = subprocess.Popen(command(PROLOGUE + program), env=environment(), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True)  # fmt: skip
    try:
        told = os.read(process.stdout.fileno(), 100)
        time.sleep(0.3)
        begin = time.monotonic()
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    return (told + out).decode().split(), err.decode(), process.returncode, time.monotonic() - begin


@pytest.mark.parametrize("whole_group", [True, False], ids=["keyboard", "program"])
@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_ends_a_call_at_once_with_one_traceback_and_no_orphan(call, whole_group):
    pids, err, code, seconds = interrupted(f"with Pool(2) as pool: {CALLS[call]}", whole_group)
    assert code == -signal.SIGINT and err.count("Traceback") == 1 and err.endswith("KeyboardInterrupt\n"), err
    assert seconds < 10
    assert pids and all(map(is_gone, pids))


@pytest.mark.parametrize("whole_group", [True, False], ids=["keyboard", "program"])
@pytest.mark.parametrize("start", ["with Executor(2) as executor: ", "executor = Executor(2); "], ids=["with", "without"])
@pytest.mark.parametrize("call", ["submit(tell_and_sleep, 1).result()", "map(tell_and_sleep, range(9)).__next__()"])
def test_ctrl_c_ends_an_executor_at_once(call, start, whole_group):
    pids, err, code, seconds = interrupted(f"{start}executor.{call}", whole_group)
    assert code == -signal.SIGINT and err.count("Traceback") == 1 and err.endswith("KeyboardInterrupt\n"), err
    assert seconds < 10 and pids and all(map(is_gone, pids))


def is_gone(pid):
    return not os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize("other_thread_drives", [False, True])
@pytest.mark.parametrize("call", ["map", "apply", "map_async", "imap"])
def test_the_pool_can_be_used_after_ctrl_c(call, other_thread_drives):
    program = f"""
with Pool(2) as pool:
    if {other_thread_drives}:
        beside = pool.apply_async(time.sleep, (60,))
        time.sleep(0.3)
    try:
        {CALLS[call]}
    except KeyboardInterrupt:
        print("|", *pool.map(items.square, range(5)))
"""
    words, err, code, _ = interrupted(program, True)
    assert err == "" and code == 0
    assert words[words.index("|") + 1 :] == ["0", "1", "4", "9", "16"]


def test_ctrl_c_ends_commands_that_items_have_started():
    program = """
import subprocess
def start(x):
    process = subprocess.Popen(["sleep", "60"])
    os.write(1, f"{os.getpid()} {process.pid} ".encode())
    process.wait()
with Pool(1) as pool:
    pool.map(start, range(2))
"""
    pids, _, code, _ = interrupted(program, True)
    assert code == -signal.SIGINT and len(pids) == 2
    deadline = time.monotonic() + 10
    while not all(map(is_gone_or_zombie, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert all(map(is_gone_or_zombie, pids))


def is_gone_or_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_handler_that_returns_lets_the_map_go_on():
    program = """
handled = []
signal.signal(signal.SIGINT, lambda *_: handled.append(1))
def tell_and_nap(x):
    if x == 0:
        os.write(1, f"{os.getpid()} ".encode())
    time.sleep(0.1)
    return x
with Pool(2) as pool:
    print("|", pool.map(tell_and_nap, range(10)) == list(range(10)), len(handled))
"""
    words, err, code, _ = interrupted(program, True)
    assert (words[-3:], err, code) == (["|", "True", "1"], "", 0)


def test_what_a_ctrl_c_left_undone_is_done_before_the_next_call_and_does_it_no_harm():
    with Pool(2) as pool:
        first = set(pool.map(items.pid_of_worker, range(100), 1))
        pool._sides["processes"].driver._amid_something = True  # as where it was pressed again and again
        assert pool.map(items.square, range(10)) == [x * x for x in range(10)]
        assert first.isdisjoint(pool.map(items.pid_of_worker, range(100), 1))


def test_many_interruptions_at_any_moment_never_hang_and_leave_nothing():
    """SIGINT every few milliseconds, wherever the pool is at, until a hundred have hit a call."""
    program = """
import select
def interrupt(number, frame):
    while frame is not None:
        if frame.f_code is Pool.map.__code__:  # and not the lines around it, which are not under test
            raise KeyboardInterrupt
        frame = frame.f_back
signal.signal(signal.SIGINT, interrupt)
pool, rounds, interrupts, told = Pool(2), 0, 0, 0
pool.map(items.square, range(10))
before = len(os.listdir("/proc/self/fd"))
os.write(1, b"go ")
while True:
    try:
        while not select.select([0], [], [], 0)[0]:  # until its stdin is closed
            assert pool.map(items.square, range(50)) == [x * x for x in range(50)]
            rounds += 1
            if rounds > 10 and interrupts > 100 and not told:
                told = os.write(1, b"enough ")
        break
    except KeyboardInterrupt:
        interrupts += 1
assert pool.map(items.square, range(50)) == [x * x for x in range(50)]
pool.terminate(); pool.join()
with open(f"/proc/self/task/{os.getpid()}/children") as children:
    print("|", children.read().split(), len(os.listdir("/proc/self/fd")) < before + 5)
"""
    process = subprocess.Popen(command(PROLOGUE + program), env=environment(), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    try:
        assert process.stdout.read(3) == b"go "
        stop = time.monotonic() + 60
        while not select.select([process.stdout], [], [], 0)[0] and time.monotonic() < stop:
            time.sleep(0.0173)
            process.send_signal(signal.SIGINT)
        time.sleep(0.2)  # the last one hits what goes on until stdin is closed
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (out.decode(), process.returncode) == ("enough | [] True\n", 0), err.decode()
    # Python itself tells of those that came while an object was freed.
    assert all(line.startswith(("Exception ignored", " ", "Trace", "Keyb", "\n")) for line in err.decode().splitlines(True))
