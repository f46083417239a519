"""A pool whose workers are ranks has the methods and the manners of every other."""

import os
import pickle
import sys
import threading
import time

from libparmap import mpi
from libparmap import Pool

STARTED = []


def square(x):
    return x * x


def add(a, b=0):
    return a + b


def rank_after_a_while(_):
    time.sleep(0.01)
    return mpi.rank()


def fail_at_five(x):
    if x == 5:
        raise LookupError("five")
    return x


def make_unpicklable(x):
    return (lambda: None) if x == 5 else x


class Stubborn(Exception):
    """Can be pickled, but not made again."""

    def __init__(self, one, two):
        super().__init__(one)


def raise_stubborn(x):
    raise Stubborn(1, 2)


def leave(x):
    sys.exit(3)


def append(items):
    items.append(None)
    return items


def start(word):
    STARTED.append(word)


def started(_):
    time.sleep(0.001)
    return STARTED


class Nowhere:
    def __reduce__(self):
        return _make_on_rank_0, ()


def _make_on_rank_0():
    if mpi.rank() != 0:
        raise RuntimeError("not here")
    return Nowhere()


def kind_of(x):
    time.sleep(0.01)
    return type(x).__name__


def raised(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def main():
    size = mpi.size()
    with Pool(executor="mpi") as pool:
        assert mpi.rank() == 0, "the other ranks never come here"
        for n in (0, 1, 2, 1000, 100_000):
            assert pool.map(square, range(n)) == [x * x for x in range(n)]
        assert pool.map(square, [1, 2, 3], chunksize=2) == [1, 4, 9]
        assert pool.starmap(add, [(1, 2), (3,)]) == [3, 3]
        assert pool.apply(add, (1,), {"b": 2}) == 3
        assert list(pool.imap(square, iter(range(300)))) == [x * x for x in range(300)]
        assert sorted(pool.imap_unordered(square, iter(range(300)), chunksize=7)) == [x * x for x in range(300)]
        results = [pool.apply_async(square, (x,)) for x in range(50)]
        assert [result.get(30) for result in results] == [x * x for x in range(50)]
        told = []
        result = pool.map_async(square, range(10), callback=told.append)
        assert result.get(30) == [x * x for x in range(10)] and told == [result.get()]

        # Every rank takes part, this one included.
        assert set(pool.map(rank_after_a_while, range(100 if size > 1 else 10), chunksize=1)) == set(range(size))

        # Large arguments and results.
        blobs = [bytes([x]) * 300_000 for x in range(30)]
        assert pool.map(bytes.upper, blobs) == [blob.upper() for blob in blobs]

        # An item sees a copy of its argument, wherever it runs.
        items = [[] for _ in range(20)]
        assert pool.map(append, items) == [[None]] * 20 and items == [[]] * 20

        # Failures name their place, and the pool goes on.
        for n in (6, 1000):
            error = raised(pool.map, fail_at_five, range(n))
            assert type(error) is LookupError and "in fail_at_five" in str(error.__cause__)
        assert raised(pool.map, make_unpicklable, range(10)).__class__.__name__ == "MaybeEncodingError"
        assert raised(pool.map, raise_stubborn, range(3)).__class__.__name__ == "MaybeEncodingError"
        assert type(_exit_of(pool)) is SystemExit
        error = raised(pool.map, lambda x: x, range(3))
        assert type(error) is pickle.PicklingError and "other ranks know a function by its pickle alone" in str(error)
        assert "lambda" in str(raised(pool.map, square, [1, lambda: None, 2]))
        if size > 1:
            error = raised(pool.map, kind_of, [Nowhere() for _ in range(20)], chunksize=1)
            assert type(error) is RuntimeError and "not here" in str(error)
        assert type(raised(pool.map, square, range(3), timeout=1)) is ValueError

        # Several threads may wait for it.
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(pool.map(square, range(2000)))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [[x * x for x in range(2000)]] * 4

        assert "the ranks serve another pool" in str(raised(Pool, executor="mpi"))

    for options in ({"maxtasksperchild": 1}, {"on_crash": "continue"}):
        assert "leave it out" in str(raised(Pool, executor="mpi", **options))
    with Pool(1, executor="mpi") as pool:
        assert set(pool.map(rank_after_a_while, range(10))) == {0}
    with Pool(executor="mpi", initializer=start, initargs=("word",)) as pool:
        assert all(words == ["word"] for words in pool.map(started, range(100), chunksize=1))
    pool = Pool(executor="mpi")
    result = pool.map_async(square, range(1000))
    pool.close()
    pool.join()
    assert result.get(30)[-1] == 999 * 999

    # The program may end while ranks are busy, and even while their results are on the way.
    pool = Pool(executor="mpi")
    pool.map_async(bytes.upper, [bytes(1_000_000)] * 20)
    pool.map_async(rank_after_a_while, range(100))
    time.sleep(0.05)
    print(f"all {size} ranks were content")


def _exit_of(pool):
    try:
        pool.map(leave, range(3))
    except SystemExit as error:
        return error


if __name__ == "__main__":
    main()
