"""Sync: the same on a real Redis and on our own server."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import meeting_points
import pytest

import libparmap

LONG = 60
SHORT = 0.15


@pytest.fixture(params=meeting_points.ALL, ids=lambda server: server.__name__)
def url(request):
    with request.param() as url:
        yield url


@pytest.fixture
def sync(url):
    with libparmap.Sync(url) as sync:
        yield sync


@pytest.fixture
def our_sync():
    """Where the server does not matter."""
    with meeting_points.ours() as url, libparmap.Sync(url) as sync:
        yield sync


def test_values_come_back_as_bytes(sync):
    assert sync.get("key") is None
    assert sync.get("key", "none") == "none"
    for value, expected in [
        ("text äö", "text äö".encode()),
        (b"\0\r\n\xff", b"\0\r\n\xff"),
        ("", b""),
        (bytearray(b"array"), b"array"),
        (memoryview(b"x" * 3_000_000), b"x" * 3_000_000),
    ]:
        sync.set("key", value)
        assert sync.get(b"key") == expected
    sync.delete("key")
    sync.delete("key")
    assert sync.get("key") is None


def test_counters_add_and_return_the_sum(sync):
    assert [sync.add("sum"), sync.add("sum", 41), sync.add("sum", -2)] == [1, 42, 40]
    sync.set("sum", "many")
    with pytest.raises(ValueError, match="par_sync_add: the server refuses: ERR value is not an integer"):
        sync.add("sum")


def test_queues_give_values_in_their_order(sync):
    for value in ["a", "b", ""]:
        sync.push("queue", value)
    assert [sync.pop("queue"), sync.pop("queue", timeout=0), sync.pop("queue", timeout=LONG)] == [b"a", b"b", b""]


def test_a_wait_ends_when_its_time_is_over(sync):
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match="nothing came into the queue 'none' within 150 ms"):
        sync.pop("none", timeout=SHORT)
    assert time.monotonic() - begin >= SHORT
    with pytest.raises(TimeoutError, match="is empty"):
        sync.pop("none", timeout=0)
    with pytest.raises(TimeoutError, match="1 of 2 parties came to 'meeting'"):
        sync.barrier("meeting", 2, timeout=SHORT)


def test_waiting_leaves_the_gil_to_others(url, sync):
    def answer():
        with libparmap.Sync(url) as other:
            other.push("answer", other.pop("question"))

    thread = threading.Thread(target=answer)
    thread.start()
    sync.push("question", "?")
    assert sync.pop("answer", timeout=LONG) == b"?"
    thread.join()


def test_threads_may_share_a_sync(sync):
    def add():
        for _ in range(200):
            sync.add("sum")

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sync.get("sum") == b"800"


def test_a_lock_is_one_threads_at_a_time(url):
    together, most = 0, 0

    def work():
        nonlocal together, most
        with libparmap.Sync(url) as sync:
            for _ in range(20):
                with sync.lock("table", lease=LONG):
                    together += 1
                    most = max(most, together)
                    time.sleep(0.0005)
                    together -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_lock_can_be_waited_for_in_vain_and_given_back(url, sync):
    with libparmap.Sync(url) as other:
        with sync.lock("lock"):
            with pytest.raises(TimeoutError, match="'lock' was held by others"):
                other.lock("lock", timeout=SHORT)
            with pytest.raises(ValueError, match="does not hold"):
                other.unlock("lock")
            with pytest.raises(ValueError, match="it would wait for itself"):
                sync.lock("lock")
        other.lock("lock", lease=None, timeout=0)
        other.unlock("lock")


def test_a_lease_that_is_over_is_told_at_the_end_of_the_block(sync):
    with pytest.raises(TimeoutError, match="the lease of 10 ms on 'lock' was over before"):
        with sync.lock("lock", lease=0.01):
            time.sleep(0.1)
    with pytest.raises(KeyError, match="what went wrong"):
        with sync.lock("lock", lease=0.01):
            time.sleep(0.1)
            raise KeyError("what went wrong")


CHILD = """
import sys, libparmap
with libparmap.Sync() as sync:
    for i in range(100):
        sync.add("sum", i)
        sync.barrier("step", 4)
        assert sync.get("sum") == str(4 * sum(range(i + 1))).encode(), i
        sync.barrier("checked", 4, timeout=60)
    sync.push("done", sys.argv[1])
"""


def test_programs_meet(url, sync):
    """The same children, whatever server their environment names."""
    environment = {**os.environ, "PAR_SYNC_URL": url}
    libparmap.run([[sys.executable, "-c", CHILD, str(i)] for i in range(4)], workers=4, check=True, env=environment)
    assert sorted(sync.pop("done", timeout=0) for _ in range(4)) == [b"0", b"1", b"2", b"3"]


def test_programs_meet_without_a_server_of_the_hosts():
    environment = {name: value for name, value in os.environ.items() if name != "PAR_SYNC_URL"}
    commands = [[sys.executable, "-c", CHILD, str(i)] for i in range(4)]
    libparmap.run(commands, workers=4, check=True, env=environment, sync=True)


def interrupted(url, work):
    program = f"""
        import os, signal, sys, threading, libparmap
        sync = libparmap.Sync(sys.argv[1])
        other = libparmap.Sync(sys.argv[1])
        other.lock("lock")
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            {work}
        except KeyboardInterrupt:
            print("interrupted")
        sync.push("queue", "x")
        print(sync.pop("queue"))
        try:
            other.barrier("meeting", 2, timeout=0)
        except TimeoutError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), url]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("work", ["sync.pop('queue')", "sync.barrier('meeting', 2)", "sync.lock('lock')"])
def test_ctrl_c_ends_a_wait_and_the_sync_serves_on(url, work):
    told = "par_sync_barrier: 1 of 2 parties came to 'meeting' within 0 ms"
    assert interrupted(url, work) == f"interrupted\nb'x'\n{told}\n"


def test_ctrl_c_ends_the_opening_while_the_server_says_nothing():
    program = """
        import os, signal, socket, threading, libparmap
        silent = socket.create_server(("127.0.0.1", 0))
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            libparmap.Sync(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        except KeyboardInterrupt:
            print("interrupted")
    """
    begin = time.monotonic()
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
    assert time.monotonic() - begin < 5  # the server would have had 10 s


def test_a_signal_handler_that_returns_lets_the_wait_go_on(sync):
    handled = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: handled.append(number))
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        with pytest.raises(TimeoutError):
            sync.pop("none", timeout=0.4)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handled == [signal.SIGUSR1]


def test_a_forked_child_is_told_to_open_its_own(sync):
    sync.set("key", "parent")
    child = os.fork()
    if child == 0:
        told = ""
        try:
            with sync:
                pass
            told = "left to the parent, "
            sync.get("key")
        except libparmap.SyncError as error:
            told += str(error)
        finally:
            os._exit(7 if told.startswith("left") and "open one in the child" in told else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert sync.get("key") == b"parent"


def test_a_closed_sync_says_so(url):
    sync = libparmap.Sync(url)
    sync.close()
    sync.close()
    with pytest.raises(ValueError, match="closed"):
        sync.get("key")


def test_a_server_that_goes_away_is_a_connection_error():
    with meeting_points.redis_server("--port", "0") as (path, server):
        sync = libparmap.Sync(f"unix://{path}")
        sync.set("key", "value")
        threading.Timer(0.1, server.kill).start()
        with pytest.raises(libparmap.SyncError, match="is gone"):
            sync.pop("queue")
        with pytest.raises(ConnectionError, match="no connection"):
            sync.get("key")
        sync.close()


@pytest.mark.parametrize(
    "url, error, told",
    [
        ("localhost", ValueError, "no scheme"),
        ("redis://localhost:none", ValueError, "port is 'none'"),
        ("redis://127.0.0.1:1", libparmap.SyncError, "cannot be reached"),
        ("redis://no-such-host.invalid", libparmap.SyncError, "cannot be reached"),
        ("unix:///no/such/socket", libparmap.SyncError, "cannot be reached"),
    ],
)
def test_wrong_urls_are_told(url, error, told):
    with pytest.raises(error, match=told):
        libparmap.Sync(url)


def test_a_wrong_password_and_a_missing_one_are_told():
    with meeting_points.redis_server("--port", "0", "--requirepass", "right") as (path, _):
        with pytest.raises(libparmap.SyncError, match="wants a password"):
            libparmap.Sync(f"unix://{path}")
        with pytest.raises(libparmap.SyncError, match="does not take the password"):
            libparmap.Sync(f"unix://:wrong@{path}")
        libparmap.Sync(f"unix://:right@{path}").close()


NO_NAMES = [(wrong, TypeError, "pass str or bytes") for wrong in [None, 1, 1.5, True, bytearray(b"key"), ["key"]]]
NO_VALUES = [(wrong, TypeError, "pass bytes or str") for wrong in [None, 1, 1.5, True, ["value"], {}, 1j]]
NO_WHOLE_NUMBERS = [(wrong, TypeError, "pass a whole number") for wrong in [None, 1.0, "1", b"1", [1], float("nan")]]
NO_SECONDS = [
    *((wrong, TypeError, "pass seconds") for wrong in ["1", b"1", memoryview(b"1"), [1], 1j, timedelta(seconds=1)]),
    *((wrong, ValueError, "pass seconds, 0 or more") for wrong in [-1, -0.001, float("-inf"), -(10**400)]),
    *((wrong, ValueError, "pass seconds, 0 or more") for wrong in [float("nan"), Decimal("nan")]),
]
WRONG = {
    "url": NO_NAMES[1:],
    "key": NO_NAMES,
    "queue": NO_NAMES,
    "name": NO_NAMES,
    "value": NO_VALUES,
    "by": [*NO_WHOLE_NUMBERS, *((wrong, OverflowError, "at most 64 bits") for wrong in [2**63, -(2**63) - 1])],
    "parties": [*NO_WHOLE_NUMBERS, *((wrong, ValueError, "pass 1 to 1000000") for wrong in [0, -1, 2**70])],
    "timeout": NO_SECONDS,
    "lease": [*NO_SECONDS, *((wrong, ValueError, "pass seconds above 0") for wrong in [0, 0.0])],
}
CALLS = {
    "Sync: url": lambda sync, it: libparmap.Sync(it),
    "Sync.set: key": lambda sync, it: sync.set(it, "value"),
    "Sync.set: value": lambda sync, it: sync.set("key", it),
    "Sync.get: key": lambda sync, it: sync.get(it),
    "Sync.delete: key": lambda sync, it: sync.delete(it),
    "Sync.add: key": lambda sync, it: sync.add(it),
    "Sync.add: by": lambda sync, it: sync.add("key", it),
    "Sync.push: queue": lambda sync, it: sync.push(it, "value"),
    "Sync.push: value": lambda sync, it: sync.push("queue", it),
    "Sync.pop: queue": lambda sync, it: sync.pop(it),
    "Sync.pop: timeout": lambda sync, it: sync.pop("queue", it),
    "Sync.barrier: name": lambda sync, it: sync.barrier(it, 1),
    "Sync.barrier: parties": lambda sync, it: sync.barrier("barrier", it, timeout=0),
    "Sync.barrier: timeout": lambda sync, it: sync.barrier("barrier", 1, it),
    "Sync.lock: name": lambda sync, it: sync.lock(it),
    "Sync.lock: lease": lambda sync, it: sync.lock("lock", it),
    "Sync.lock: timeout": lambda sync, it: sync.lock("lock", 60, it),
    "Sync.unlock: name": lambda sync, it: sync.unlock(it),
}


@pytest.mark.parametrize("argument", CALLS)
def test_a_wrong_argument_is_named_with_its_method(our_sync, argument):
    for wrong, error, way_out in WRONG[argument.split()[-1]]:
        with pytest.raises(error) as raised:
            CALLS[argument](our_sync, wrong)
        told = str(raised.value)
        assert told.startswith(f"{argument} is ") and way_out in told and len(told) < 200, told


def test_a_text_that_cannot_be_sent_is_told(our_sync):
    for call, told in [
        (lambda: our_sync.set("a\0b", "value"), "Sync.set: key is 'a.x00b': it cannot hold a null character"),
        (lambda: our_sync.pop("a\udcff"), "Sync.pop: queue holds '.udcff', which UTF-8 has not: pass bytes"),
        (lambda: our_sync.set("key", "a\udcff"), "Sync.set: value holds '.udcff', which UTF-8 has not: pass bytes"),
    ]:
        with pytest.raises(ValueError, match=told):
            call()
    with pytest.raises(BufferError, match="Sync.push: value is not contiguous: pass a copy"):
        our_sync.push("queue", memoryview(b"abcd")[::2])


def test_numbers_of_other_types_are_numbers(our_sync):
    numpy = pytest.importorskip("numpy")
    assert our_sync.add("sum", numpy.int64(3)) == 3
    numbers = [numpy.float32(5), numpy.int8(5), Fraction(1, 2), Decimal("0.5"), True, 10**400, 1e308, float("inf")]
    for seconds in numbers:
        our_sync.barrier("barrier", numpy.int32(1), seconds)
        with our_sync.lock("lock", seconds, seconds):
            pass
    with pytest.raises(TimeoutError, match="within 1 ms"):
        our_sync.pop("none", 1e-9)


def test_who_does_not_hold_a_lock_is_told(sync):
    with pytest.raises(ValueError, match="does not hold"):
        sync.unlock("name")
