"""Pools in programs with many open descriptors, with none left, and with functions that take much along."""

import errno
import functools
import os
import pickle

import pool_items as items
import pytest
from programs import run

from libparmap import Pool
from libparmap.pools import serving, wire

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without privileges")


def test_a_pool_ends_in_a_program_with_more_than_1024_descriptors():
    printed = run("""
        import os, resource, sys
        import pool_items as items
        from libparmap import Pool

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY and hard < 1200:
            sys.exit(print("cannot"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (1200, hard))
        while os.dup(0) < 1100:
            pass
        with Pool(2) as pool:
            print(pool.map(items.square, range(3)))
        try:
            print(os.waitpid(-1, os.WNOHANG))
        except ChildProcessError:
            print("nobody is left")
    """)  # fmt: skip
    if printed == "cannot\n":
        pytest.skip("the system allows fewer than 1200 descriptors")
    assert printed.splitlines() == ["[0, 1, 4]", "nobody is left"]


def test_a_pool_ends_where_no_descriptor_is_left():
    printed = run("""
        import os, resource, signal
        import pool_items as items
        from libparmap import Pool

        pool = Pool(2, signal.signal, (signal.SIGTERM, signal.SIG_IGN))
        pool.map(items.square, range(10), 1)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        taken = []
        try:
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        pool.terminate()
        pool.join()
        try:
            print(os.waitpid(-1, os.WNOHANG))
        except ChildProcessError:
            print("nobody is left")
    """)  # fmt: skip
    assert printed == "nobody is left\n"


def test_a_message_that_lacks_descriptors_leaves_none_behind():
    printed = run("""
        import array, os, resource, socket
        from libparmap.pools import wire

        ours, theirs = ends = socket.socketpair()
        fds = [os.dup(0) for _ in range(5)]
        ours.sendmsg([bytes(100)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        os.close(fds[0])
        os.close(fds[1])
        before = len(os.listdir("/proc/self/fd"))
        # Room for two: limits are about numbers, not about how many are open.
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(fds) + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        inbox = wire.Inbox(theirs)
        try:
            inbox.receive()
        except OSError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        print(len(os.listdir("/proc/self/fd")) - before)
        for end in ends:
            end.close()
    """)  # fmt: skip
    told, more = printed.splitlines()
    assert "raise `ulimit -n`" in told and more == "0"


@needs_root
def test_descriptors_that_are_too_many_on_their_way_wait_for_their_receivers():
    printed = run("""
        import os, resource, socket, threading
        from libparmap._core import Descriptor
        from libparmap.pools import wire

        os.setgid(54322); os.setuid(54322)
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
        ours, theirs = ends = socket.socketpair()
        outbox, inbox = wire.Outbox(ours), wire.Inbox(theirs)
        file = Descriptor(os.dup(0))
        for _ in range(40):
            outbox.put([b"x"], [file])
        assert not outbox.send(socket.MSG_DONTWAIT)
        sender = threading.Thread(target=outbox.send)
        sender.start()
        for _ in range(40):
            inbox.receive()
            inbox._descriptors.clear()
        sender.join()
        for end in ends:
            end.close()
        print("all of them")
    """)  # fmt: skip
    assert printed == "all of them\n"


@pytest.mark.parametrize("times", [1, 1000])
def test_a_message_that_the_system_refuses_is_sent_again_and_then_its_item_fails(monkeypatch, times):
    send, refused = wire.Outbox.send, []

    def refuse(outbox, flags=0):
        if flags and len(refused) < times:
            refused.append(outbox)
            raise OSError(errno.ENOBUFS, "no room")
        return send(outbox, flags)

    monkeypatch.setattr(wire.Outbox, "send", refuse)
    with Pool(1) as pool:
        if times == 1:
            assert pool.map(items.square, range(3)) == [0, 1, 4]
        else:
            with pytest.raises(OSError, match="no room"):
                pool.map(items.square, range(3))
    assert refused


def first_and_length(data, x):
    return x, len(data)


def test_what_a_function_takes_along_is_not_kept():
    def resident():
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    large = 4 << 20
    with Pool(1) as pool:
        pool.map(functools.partial(first_and_length, bytes(large)), range(1))
        before = resident()
        for number in range(1, 31):
            data = bytes([number]) * large
            assert pool.map(functools.partial(first_and_length, data), range(1)) == [(0, large)]
        assert resident() - before < 10 * large
        assert pool.map(items.square, range(3)) == [0, 1, 4]


class Counter:
    count = 0

    def __call__(self, x):
        self.count += 1
        return self.count


def test_what_holds_a_state_begins_with_it_in_every_chunk_on_a_rank():
    counter, bench = pickle.dumps(Counter()), serving.Bench()
    for _ in range(2):
        bench.take(counter, [None, None])
        assert bench.run(0, 0, 1000) == ([1, 2], [])
