"""What the system refuses, and values that cannot travel."""

import errno
import multiprocessing.pool
import os

import pool_items as items
import pytest
from programs import run

from libparmap import Pool, _core

MaybeEncodingError = multiprocessing.pool.MaybeEncodingError


def test_a_result_that_cannot_be_pickled_fails_its_item_and_no_other():
    with Pool(2) as pool:
        for chunksize in (None, 1, 10):
            with pytest.raises(MaybeEncodingError, match="Error sending result: '<function unpicklable"):
                pool.map(items.unpicklable, range(10), chunksize)
        iterator = pool.imap(unpicklable_at_two, range(4))
        assert [next(iterator), next(iterator)] == [0, 1]
        with pytest.raises(MaybeEncodingError):
            next(iterator)
        assert list(iterator) == [3]
        seen = []
        with pytest.raises(MaybeEncodingError):
            pool.apply_async(items.unpicklable, (1,), error_callback=seen.append).get(30)
        assert type(seen[0]) is MaybeEncodingError


def unpicklable_at_two(x):
    return (lambda: None) if x == 2 else x


class CannotBePickled(Exception):
    def __reduce__(self):
        raise TypeError("not me")


class CannotBeMade(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


class CannotBeShown(Exception):
    def __reduce__(self):
        raise TypeError("not me")

    def __repr__(self):
        raise RuntimeError("nor this")


class CannotBeLoaded:
    def __reduce__(self):
        return os.stat, ("/nowhere",)


def raise_it(kind):
    raise kind(*("a", "b")[: 2 if kind is CannotBeMade else 1])


@pytest.mark.parametrize("kind", [CannotBePickled, CannotBeMade, CannotBeShown])
def test_an_exception_that_cannot_travel_is_told_with_its_traceback(kind):
    with Pool(2) as pool:
        with pytest.raises(MaybeEncodingError) as caught:
            pool.map(raise_it, [kind])
        assert "raise kind" in str(caught.value.__cause__)
        assert pool.map(items.square, range(3)) == [0, 1, 4]


def test_a_result_that_cannot_be_loaded_fails_its_item():
    with Pool(2) as pool:
        with pytest.raises(FileNotFoundError):
            pool.map(make_unloadable, range(2), 1)
        assert pool.map(items.square, range(3)) == [0, 1, 4]


def make_unloadable(x):
    return CannotBeLoaded()


def test_arguments_that_cannot_be_loaded_fail_their_items():
    with Pool(2) as pool:
        with pytest.raises(FileNotFoundError):
            pool.map(items.square, [CannotBeLoaded()])
        assert pool.map(items.square, range(3)) == [0, 1, 4]


def test_an_argument_that_cannot_be_loaded_fails_no_other_item():
    with Pool(2) as pool:
        iterator = pool.imap(items.square, [0, 1, CannotBeLoaded(), 3, 4], 5)
        assert [next(iterator), next(iterator)] == [0, 1]
        with pytest.raises(FileNotFoundError):
            next(iterator)
        assert list(iterator) == [9, 16]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit, BaseException])
def test_exceptions_of_every_kind_come_back(kind):
    with Pool(2) as pool:
        with pytest.raises(kind):
            pool.map(raise_it, [kind])
        assert pool.map(items.square, range(3)) == [0, 1, 4]


def test_what_items_print_is_neither_lost_nor_printed_twice():
    printed = run("""
        import os, sys
        from libparmap import Pool

        def say(x):
            print(f"item {x}\\n", end="")
            if x == 3:
                sys.stdout.flush()
                os._exit(1)

        print("before", end=" ")
        with Pool(2, on_crash="continue") as pool:
            pool.map(say, range(8), 1)
        print("after")
    """)  # fmt: skip
    assert printed.count("before") == 1 and printed.count("after") == 1
    assert sorted(line.split()[-1] for line in printed.splitlines() if "item" in line) == [str(x) for x in range(8)]


REFUSED = """
    import os, resource, sys
    import pool_items as items
    from libparmap import Pool

    nobody, allowed = 54321, int(sys.argv[1])
    os.setgid(nobody); os.setuid(nobody)
    resource.setrlimit(resource.RLIMIT_NPROC, (allowed + 1, allowed + 1))
    children = []
    try:
        for _ in range(allowed + 1):  # the limit must bite, or nothing is tested here
            children.append(os.fork())
            if children[-1] == 0:
                import time; time.sleep(60); os._exit(0)
        sys.exit("the limit does not bite")
    except BlockingIOError:
        assert len(children) == allowed
    for pid in children:
        os.kill(pid, 9); os.waitpid(pid, 0)
    with Pool(4) as pool:
        try:
            print(pool.map(items.slow_square, range(20)) == [x * x for x in range(20)])
        except OSError as error:
            print(type(error).__name__, error)
        if not allowed:
            resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
            try:
                pool.apply_async(items.square, (2,)).get(30)
            except OSError as error:
                print(type(error).__name__)
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without privileges")


@needs_root
def test_where_some_forks_are_refused_fewer_workers_do_and_a_warning_says_so():
    printed, warned = run_with_warnings(REFUSED, 2)
    assert printed == "True\n"
    assert "RuntimeWarning: Pool: 2 of 4 workers must do, the system refuses more: Resource temporarily" in warned


@needs_root
def test_where_every_fork_is_refused_the_call_says_so():
    printed = run(REFUSED, 0)
    assert printed.splitlines() == [
        "BlockingIOError [Errno 11] Pool: no worker could be started: Resource temporarily unavailable",
        "BlockingIOError",
    ]


def test_where_forks_are_refused_a_worker_that_is_too_old_makes_room(monkeypatch):
    """Workers that stand do not know the lambda, and there is no room for one more."""
    pids, fork = [], _core.fork

    def fork_the_only_one(members):
        if members:
            raise BlockingIOError(errno.EAGAIN, "enough")
        return fork(members)

    with Pool(2) as pool:
        pids += pool.map(items.pid_of_worker, [0])
        monkeypatch.setattr(_core, "fork", fork_the_only_one)
        pids += pool.map_async(lambda _: os.getpid(), [0]).get(30)
    assert len(set(pids)) == 2


@needs_root
def test_a_pool_with_an_initializer_starts_with_as_many_workers_as_it_may_have():
    source = REFUSED.replace("Pool(4)", "Pool(4, initializer=abs, initargs=(1,))")
    printed, warned = run_with_warnings(source, 2)
    assert printed == "True\n" and "2 of 4 workers must do" in warned


def run_with_warnings(source, *arguments):
    import subprocess

    from programs import SOON, command, environment

    done = subprocess.run(command(source, *arguments), env=environment(), capture_output=True, text=True, timeout=SOON)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_where_no_descriptor_is_left_the_call_says_so_and_the_pool_lives_on():
    printed = run("""
        import os, resource
        import pool_items as items
        from libparmap import Pool

        with Pool(2) as pool:
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            taken = []
            try:
                while True:
                    taken.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                pass
            try:
                pool.map(items.square, range(3))
            except OSError as error:
                print(type(error).__name__)
            for fd in taken:
                os.close(fd)
            print(pool.map(items.square, range(3)))
    """)  # fmt: skip
    assert printed.splitlines() == ["OSError", "[0, 1, 4]"]


def test_a_forked_child_is_told_that_the_pool_is_not_its_own_and_may_make_one():
    printed = run("""
        import os
        import pool_items as items
        from libparmap import Pool

        with Pool(2) as pool:
            pool.map(items.square, range(10), 1)
            pid = os.fork()
            if pid == 0:
                try:
                    pool.map(items.square, range(3))
                except RuntimeError as error:
                    print(error)
                with Pool(2) as own:
                    print(own.map(items.square, range(3)), flush=True)
                os._exit(0)
            os.waitpid(pid, 0)
            print(pool.map(items.square, range(3)))
    """)  # fmt: skip
    told, own, after = printed.splitlines()
    assert told.startswith("Pool: this process was forked from the one that made the pool")
    assert own == after == "[0, 1, 4]"


def test_no_deprecation_warning_where_other_threads_run():
    printed = run("""
        import threading
        import pool_items as items
        from libparmap import Pool

        threading.Thread(target=threading.Event().wait, daemon=True).start()
        with Pool(2) as pool:
            print(pool.map(items.square, range(3)), pool.map(lambda x: x, range(3)))
            print(pool.map_async(items.square, range(3)).get(30))
    """, warnings="error::DeprecationWarning")  # fmt: skip
    assert printed == "[0, 1, 4] [0, 1, 2]\n[0, 1, 4]\n"


def test_workers_forked_amid_busy_threads_work():
    """Other threads import, log, allocate and print all the time."""
    printed = run("""
        import importlib, logging, os, sys, threading, time
        import pool_items as items
        from libparmap import Pool

        MODULES = ["colorsys", "chunk", "this_one_is_not_there", "antigravity_neither", "nturl2path"]
        stop, nowhere = threading.Event(), open(os.devnull, "w")
        log = logging.getLogger("busy")
        log.addHandler(logging.StreamHandler(nowhere))

        def load(name):
            sys.modules.pop(name, None)
            try:
                importlib.import_module(name)
            except ImportError:
                pass

        def busy(name):
            while not stop.is_set():
                load(name)
                log.warning("%s", [0] * 1000)
                print(name, file=nowhere)
                time.sleep(0.001)

        def use(x):
            for name in MODULES:
                load(name)
            logging.getLogger("worker").info("its locks are free")
            return x

        threads = [threading.Thread(target=busy, args=(name,)) for name in MODULES]
        for thread in threads: thread.start()
        with Pool(2) as pool, nowhere:
            for _ in range(30):
                assert pool.map(lambda x: use(x), range(4)) == [0, 1, 2, 3]
            stop.set()
            for thread in threads: thread.join()
        print("done")
    """, warnings="ignore")  # fmt: skip
    assert printed == "done\n"


def test_a_sub_interpreter_is_told_that_it_cannot_fork():
    import sys

    if sys.version_info < (3, 13):
        pytest.skip("multiprocessing cannot be imported in a sub-interpreter before Python 3.13")
    import _interpreters

    interpreter = _interpreters.create()
    failed = _interpreters.run_string(interpreter, """if True:
        import libparmap
        try:
            libparmap.Pool(2).map(abs, [1])
        except RuntimeError as error:
            assert "a sub-interpreter cannot fork" in str(error), error
        else:
            raise AssertionError("it forked")
    """)  # fmt: skip
    _interpreters.destroy(interpreter)
    assert failed is None, failed
