"""Pools where a thread, memory or the standard streams are missing, and items that fork."""

import errno
import os
import subprocess
import threading

import pool_items as items
import pytest
from programs import SOON, command, environment, run

from libparmap import Pool, _core


def test_where_there_is_no_memory_for_one_more_process_fewer_do(monkeypatch):
    """As under strict overcommit, when the caller holds much memory."""
    fork, forked = _core.fork, []

    def refuse_the_second(pids):
        if forked:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        forked.append(True)
        return fork(pids)

    monkeypatch.setattr(_core, "fork", refuse_the_second)
    with Pool(2) as pool, pytest.warns(RuntimeWarning, match="1 of 2 workers must do, .*: Cannot allocate memory"):
        assert pool.map(items.slow_square, range(10)) == [x * x for x in range(10)]


def test_pools_inside_workers_of_pools_warn_of_nothing():
    program = """
        from libparmap import Pool

        def depth(levels):
            if levels == 0:
                return 0
            with Pool(1) as pool:
                return 1 + pool.apply(depth, (levels - 1,))

        print(depth(3))
    """
    assert run(program, warnings="always") == "3\n"


def test_where_no_thread_can_be_started_whoever_waits_does_it_all(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    seen = []
    with Pool(2) as pool, Pool(2, executor="threads") as threads:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        first = pool.apply_async(items.square, (2,), callback=lambda x: seen.append((x, pool.map(items.square, [x]))))
        assert first.get(SOON) == 4 and seen == [(4, [16])]
        with pytest.raises(RuntimeError, match="can't start new thread"):
            list(pool.imap(items.square, iter([1])))
        with pytest.raises(BlockingIOError, match="no worker could be started: can't start new thread"):
            threads.map(items.square, range(3))


def test_items_may_fork_and_a_child_that_comes_back_from_an_item_is_ended():
    done = subprocess.run(command("""
        import os
        from libparmap import Pool

        def fork_and_wait(x):
            pid = os.fork()
            if pid == 0:
                os._exit(x)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

        def fork_and_return(x):
            pid = os.fork()
            if pid == 0 and x == 2:
                raise SystemExit(0)
            return pid and (x, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

        def pool_in_pool(x):
            with Pool(2) as pool:
                return pool.map(fork_and_return, range(x))

        with Pool(2) as pool:
            print(pool.map(fork_and_wait, range(8)))
            print(pool.map(fork_and_return, range(4), 2))
            print(pool.map(pool_in_pool, [1]))
    """), env=environment(), capture_output=True, text=True, timeout=SOON)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(list(range(8))), "[(0, 1), (1, 1), (2, 1), (3, 1)]", "[[(0, 1)]]"]
    assert done.stderr.count("a child that was forked inside an item of a Pool returned from it, and was ended") == 5


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-", "<&- >&- 2>&-", "2>&-"])
def test_a_pool_needs_no_standard_streams(closed):
    program = """
        import pool_items as items
        from libparmap import Pool

        with Pool(2) as pool:
            assert pool.map(items.square, range(100)) == [x * x for x in range(100)]
            assert pool.map(lambda x: bytes(x), [1_000_000] * 3) == [bytes(1_000_000)] * 3
            assert pool.apply_async(items.square, (2,), callback=lambda x: 1 // 0).get(30) == 4
            assert pool.apply_async(items.square, (3,), callback=lambda x: x).get(30) == 9
    """
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *command(program)]
    assert subprocess.run(shell, env=environment(), timeout=SOON).returncode == 0


def test_what_a_callback_raises_harms_nobody_where_it_cannot_be_told():
    printed = run("""
        import sys
        import pool_items as items
        from libparmap import Pool

        told, sys.stderr = sys.stderr, open("/dev/full", "w", buffering=1)
        with Pool(2) as pool:
            assert pool.apply_async(items.square, (2,), callback=lambda x: 1 // 0).get(30) == 4
            assert pool.apply_async(items.square, (3,), callback=lambda x: x).get(30) == 9
        sys.stderr = told
        print("done")
    """, warnings="ignore")  # fmt: skip
    assert printed == "done\n"
