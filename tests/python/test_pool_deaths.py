"""Workers that die: of whatever, whenever, and what the caller learns of it."""

import ctypes
import faulthandler
import os
import resource
import signal
import sys
import threading
import time

import pool_items as items
import pytest
from programs import run

from libparmap import BrokenPool, Executor, Pool
from libparmap.pools import reception

SOON = 30


def segfault():
    ctypes.string_at(0)


def overflow_the_stack():
    ctypes.CDLL(os.environ["KERNELS"]).recurse_without_end(0)


@pytest.fixture(autouse=True)
def kernels_in_the_environment(kernels_path, monkeypatch):
    monkeypatch.setenv("KERNELS", str(kernels_path))


def close_all_descriptors():
    os.closerange(3, 1000)
    time.sleep(60)


DEATHS = {
    "SIGSEGV": (segfault, signal.SIGSEGV, None),
    "stack overflow": (overflow_the_stack, signal.SIGSEGV, None),
    "abort": (os.abort, signal.SIGABRT, None),
    "SIGKILL": (lambda: os.kill(os.getpid(), signal.SIGKILL), signal.SIGKILL, None),
    "SIGTERM": (lambda: os.kill(os.getpid(), signal.SIGTERM), signal.SIGTERM, None),
    "exit": (lambda: sys.exit(3), None, 3),
    "exit with a message": (lambda: sys.exit("enough"), None, 1),
    "_exit": (lambda: os._exit(0), None, 0),
    "closed descriptors": (close_all_descriptors, signal.SIGKILL, None),
}


def quiet_death(how):
    faulthandler.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    DEATHS[how][0]()


def die_at_seven(x, how):
    if x == 7:
        quiet_death(how)
    return x


@pytest.mark.parametrize("how", DEATHS)
def test_a_death_names_item_process_and_cause(how):
    _, ended_by, exitcode = DEATHS[how]
    with Pool(2) as pool:
        with pytest.raises(BrokenPool, match="Pool: worker [0-9]+ died while it ran item 7: ") as caught:
            pool.starmap(die_at_seven, [(x, how) for x in range(20)])
        error = caught.value
        assert (error.item, error.signal, error.exitcode) == (7, ended_by, exitcode)
        assert items.has_no_child_left(error.pid)
        assert pool.map(items.square, range(10)) == [x * x for x in range(10)], "the pool lives on"


@pytest.mark.parametrize("how", DEATHS)
def test_with_continue_all_other_items_have_their_results(how):
    with Pool(2, on_crash="continue") as pool:
        results = pool.starmap(die_at_seven, [(x, how) for x in range(50)])
    assert type(results[7]) is BrokenPool and results[7].item == 7
    assert results[:7] + results[8:] == [*range(7), *range(8, 50)]


def die_if_odd(x):
    if x % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def test_every_other_item_may_die():
    with Pool(3, on_crash="continue") as pool:
        results = pool.map(die_if_odd, range(40))
        assert results[::2] == list(range(0, 40, 2))
        assert [result.item for result in results[1::2]] == list(range(1, 40, 2))
        for number, result in enumerate(pool.imap(die_if_odd, (x for x in range(10)))):
            assert result == number if number % 2 == 0 else result.item == number
        assert len(list(pool.imap_unordered(die_if_odd, range(10)))) == 10


def test_the_only_worker_may_die_again_and_again():
    with Pool(1) as pool:
        for _ in range(20):
            with pytest.raises(BrokenPool) as caught:
                pool.map(items.die_at_five, range(10))
            assert caught.value.item == 5


def test_a_death_breaks_the_call_of_its_item_only():
    with Pool(2) as pool:
        good = [pool.map_async(items.slow_square, range(20)) for _ in range(3)]
        bad = pool.map_async(items.die_at_five, range(10))
        with pytest.raises(BrokenPool):
            bad.get(SOON)
        assert [result.get(SOON) for result in good] == [[x * x for x in range(20)]] * 3


def die_after(seconds):
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def test_join_and_shutdown_end_where_the_last_call_ends_with_a_death():
    with Pool(2) as pool:
        pool.map(items.sleep, [0.1] * 2, 1)  # two workers stand, of which one will be idle
        result = pool.apply_async(die_after, (0.2,))
        pool.close()
        pool.join()
        with pytest.raises(BrokenPool):
            result.get(0)
    with Executor(2) as executor:
        list(executor.map(items.sleep, [0.1] * 2))
        future = executor.submit(die_after, 0.2)
    assert type(future.exception(0)) is BrokenPool


def test_a_death_reaches_apply_imap_and_callbacks():
    seen = []
    with Pool(2) as pool:
        with pytest.raises(BrokenPool):
            pool.apply(os._exit, (1,))
        with pytest.raises(BrokenPool):
            pool.apply_async(os._exit, (1,), error_callback=seen.append).get(SOON)
        with pytest.raises(BrokenPool) as caught:
            list(pool.imap(items.die_at_five, range(10)))
        assert caught.value.item == 5 and type(seen[0]) is BrokenPool


def test_workers_killed_while_they_idle_are_replaced_unseen():
    with Pool(2) as pool:
        for pid in set(pool.map(items.pid_of_worker, range(100), 1)):
            os.kill(pid, signal.SIGKILL)
        assert pool.map(items.square, range(100)) == [x * x for x in range(100)]


def test_workers_killed_from_outside_never_hang_a_map():
    """Somebody kills workers all the time, idle ones and busy ones."""
    with Pool(2, on_crash="continue") as pool:
        stop = threading.Event()

        def kill_some():
            while not stop.wait(0.05):
                for member in list(pool._sides["processes"].dispatcher.crew.members):
                    member.kill()

        pool.map(items.square, range(10))
        killer = threading.Thread(target=kill_some)
        killer.start()
        for _ in range(8):
            results = pool.map(items.slow_square, range(20))
            assert all(type(result) is BrokenPool or result == x * x for x, result in enumerate(results))
        stop.set()
        killer.join()


class DiesWhenLoaded:
    def __reduce__(self):
        return os._exit, (4,)


def test_items_that_kill_whoever_gets_them_are_found_out():
    with Pool(2) as pool:
        with pytest.raises(BrokenPool) as caught:
            pool.map(items.square, [DiesWhenLoaded()])
        assert caught.value.item == 0 and caught.value.exitcode == 4
        assert pool.map(items.square, range(3)) == [0, 1, 4]


class DiesSlowlyWhenLoaded:
    def __reduce__(self):
        return die_after, (0.05,)


def test_an_item_that_kills_slowly_does_not_go_from_worker_to_worker_for_ever():
    """While one loads it, the other has nothing to do."""
    with Pool(2) as pool, pytest.raises(BrokenPool) as caught:
        pool.map_async(items.square, [DiesSlowlyWhenLoaded()]).get(SOON)
    assert caught.value.item == 0 and caught.value.signal == signal.SIGKILL


@pytest.mark.parametrize("deadly", [DiesWhenLoaded(), DiesSlowlyWhenLoaded()], ids=["at once", "slowly"])
def test_an_item_that_kills_whoever_gets_it_is_told_from_those_around_it(deadly):
    with Pool(2, on_crash="continue") as pool:
        results = pool.map_async(items.square, [*range(5), deadly, *range(6, 20)], 20).get(SOON)
    assert type(results[5]) is BrokenPool and results[5].item == 5
    assert results[:5] + results[6:] == [x * x for x in range(20) if x != 5]


def test_a_worker_that_dies_of_items_taken_back_from_it_has_none_to_blame(monkeypatch):
    """It gets to them after a long item, behind which they had been sent, when another has died of the first already."""
    monkeypatch.setattr(reception, "MOST_TRIES", 0)
    with Pool(3, on_crash="continue") as pool:
        for _ in range(3):
            pool.apply(items.sleep, (0,))
        long = pool.apply_async(items.sleep, (0.5,))
        results = pool.map_async(items.sleep, [DiesWhenLoaded(), 0, 1.5, 0], 4).get(SOON)
        assert type(results[0]) is BrokenPool and results[1:] == [0, 1.5, 0] and long.get(SOON) == 0.5


def test_a_result_that_kills_its_worker_while_it_is_pickled_is_found_out():
    with Pool(2) as pool:
        with pytest.raises(BrokenPool) as caught:
            pool.map(make_deadly, range(3), 1)
        assert caught.value.item == 1


def make_deadly(x):
    return DiesWhenPickled() if x == 1 else x


class DiesWhenPickled:
    def __reduce__(self):
        os._exit(5)


def test_a_result_that_kills_its_worker_is_told_from_those_that_travel_with_it():
    with Pool(2, on_crash="continue") as pool:
        results = pool.map_async(make_deadly, range(20), 20).get(SOON)
    assert type(results[1]) is BrokenPool and results[1].item == 1
    assert results[:1] + results[2:] == [x for x in range(20) if x != 1]


# ---- the initializer -------------------------------------------------------------------------------------------


def raise_lookup_error():
    raise LookupError("not today")


@pytest.mark.parametrize("executor", ["processes", "threads"])
def test_an_initializer_that_raises_breaks_each_call_with_its_exception(executor):
    with Pool(2, initializer=raise_lookup_error, executor=executor) as pool:
        for _ in range(3):
            with pytest.raises(BrokenPool, match="the initializer failed") as caught:
                pool.map(items.square, range(10))
            assert type(caught.value.__cause__) is LookupError


def test_an_initializer_that_dies_breaks_each_call():
    with Pool(2, initializer=os._exit, initargs=(6,)) as pool:
        for _ in range(3):
            with pytest.raises(BrokenPool, match="in its initializer: it exited with code 6"):
                pool.map(items.square, range(10))


def sleep_in_the_first(path):
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return
    time.sleep(60)


def test_no_item_waits_for_an_initializer_while_another_worker_has_nothing_to_do(tmp_path):
    with Pool(2, initializer=sleep_in_the_first, initargs=(tmp_path / "first",)) as pool:
        assert pool.map_async(items.square, range(10), 5).get(20) == [x * x for x in range(10)]


# ---- the parent ------------------------------------------------------------------------------------------------

PARENT = """
    import os, sys, threading, time
    import pool_items as items
    from libparmap import Pool

    reader, writer = os.pipe()

    def tell(seconds):
        os.write(1, f"{os.getpid()} ".encode())
        os.write(writer, b".")
        if seconds < 0:
            while True: pass
        time.sleep(seconds)

    def work():
        pool = Pool(2)
        pool.map_async(tell, [60, -1], 1)
        os.read(reader, 1), os.read(reader, 1)
        time.sleep(0.05)
        end()

    def end():
        %s

    if __name__ == "__main__":
        if sys.argv[1] == "thread":
            thread = threading.Thread(target=work); thread.start(); thread.join()
        else:
            work()
"""


@pytest.mark.parametrize("thread", ["main", "thread"])
@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(0)", "os.abort()"])
def test_no_worker_outlives_a_parent_that_dies(end, thread):
    import subprocess

    from programs import command, environment

    done = subprocess.run(command(PARENT % end, thread), env=environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=SOON)  # fmt: skip
    pids = [int(pid) for pid in done.stdout.split()]
    deadline = time.monotonic() + 5
    while not all(map(is_gone, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(pids) == 2 and all(map(is_gone, pids))


def is_gone(pid):
    """Ended; whoever inherited the process may not have reaped it yet."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_program_that_forgets_its_pool_ends():
    printed = run("""
        import pool_items as items
        from libparmap import Pool

        pool = Pool(2)
        pool.map(items.square, range(10))
        pool.map_async(items.sleep, [60] * 4)
        print("end")
    """, warnings="ignore::ResourceWarning")  # fmt: skip
    assert printed == "end\n"


# ---- the signals of the host -----------------------------------------------------------------------------------


def test_a_death_is_told_where_the_host_ignores_sigchld():
    """The kernel reaps the workers then; it still knows how they ended from Linux 6.15 on."""
    printed = run("""
        import signal
        import pool_items as items
        from libparmap import BrokenPool, Pool

        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        with Pool(2) as pool:
            for _ in range(3):
                assert pool.map(items.square, range(10)) == [x * x for x in range(10)]
                try:
                    pool.map(items.die_at_five, range(10))
                except BrokenPool as error:
                    assert error.item == 5, error
                    assert error.signal == signal.SIGKILL or "something else in this program reaped it" in str(error)
        print(signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN)
    """)  # fmt: skip
    assert printed == "True\n"


def test_a_death_is_told_where_another_thread_reaps_every_child():
    printed = run("""
        import os, threading, time
        import pool_items as items
        from libparmap import BrokenPool, Pool

        def reap():
            while True:
                try:
                    os.waitpid(-1, 0)
                except ChildProcessError:
                    time.sleep(0.001)

        threading.Thread(target=reap, daemon=True).start()
        with Pool(2) as pool:
            for _ in range(10):
                try:
                    pool.map(items.die_at_five, range(10))
                except BrokenPool as error:
                    assert error.item == 5, error
                assert pool.map(items.square, range(10)) == [x * x for x in range(10)]
        print("done")
    """)  # fmt: skip
    assert printed == "done\n"


def test_handlers_of_the_host_do_not_run_in_workers():
    printed = run("""
        import os, signal, socket, time
        import pool_items as items
        from libparmap import Pool

        calls = []
        signal.signal(signal.SIGTERM, lambda *_: print("SIGTERM handled in", os.getpid(), flush=True))
        signal.signal(signal.SIGCHLD, lambda *_: calls.append(os.getpid()))
        reader, writer = socket.socketpair()
        with reader, writer:
            writer.setblocking(False)
            reader.setblocking(False)
            signal.set_wakeup_fd(writer.fileno())
            with Pool(2) as pool:
                pool.map_async(items.sleep, [60] * 2)
                time.sleep(0.3)
            numbers = set(reader.recv(1000))
        print(set(calls) <= {os.getpid()}, numbers == {signal.SIGCHLD})
    """)  # fmt: skip
    assert printed == "True True\n"
