"""The time limit of an item: whom it ends, whom it spares, and what the caller learns."""

import os
import time

import pool_items as items
import pytest

from libparmap import ItemTimeout, Pool
from libparmap.pools import crew

SOON = 30


def test_an_item_beyond_its_timeout_is_ended():
    with Pool(2) as pool:
        begin = time.monotonic()
        with pytest.raises(ItemTimeout, match="item 2 ran longer than its timeout of 0.3 s") as caught:
            pool.map(items.sleep, [0, 0, 60, 0], timeout=0.3)
        assert caught.value.item == 2 and time.monotonic() - begin < 20
        assert pool.map(items.square, range(5)) == [0, 1, 4, 9, 16]
        assert isinstance(caught.value, TimeoutError)


def test_each_item_has_the_whole_timeout():
    with Pool(1) as pool:
        assert pool.map(items.sleep, [0.1] * 10, timeout=0.8) == [0.1] * 10


def test_with_continue_a_timeout_is_that_items_result():
    with Pool(2, on_crash="continue") as pool:
        results = pool.map(items.sleep, [0, 60, 0, 60, 0], timeout=0.3)
        assert results[::2] == [0, 0, 0] and [result.item for result in results[1::2]] == [1, 3]


class SleepsWhenLoaded:
    def __reduce__(self):
        return items.sleep, (60,)


@pytest.mark.parametrize("chunksize", [1, 20])
def test_an_item_that_takes_too_long_to_be_loaded_is_ended_and_no_other(chunksize):
    with Pool(2, on_crash="continue") as pool:
        everything = [*range(5), SleepsWhenLoaded(), *range(6, 20)]
        results = pool.map_async(items.square, everything, chunksize, timeout=1).get(SOON)
    assert type(results[5]) is ItemTimeout and results[5].item == 5
    assert results[:5] + results[6:] == [x * x for x in range(20) if x != 5]


@pytest.mark.parametrize("method", ["imap", "imap_unordered", "map_async", "starmap_async", "apply_async"])
def test_every_method_takes_a_timeout(method):
    with Pool(2) as pool:
        iterable = [(60,)] if "star" in method else (60,) if "apply" in method else [60]
        result = getattr(pool, method)(items.sleep, iterable, timeout=0.2)
        with pytest.raises(ItemTimeout):
            result.get(SOON) if hasattr(result, "get") else result.next(SOON)


def test_a_worker_whose_item_was_done_in_time_is_not_ended_because_nobody_looked():
    with Pool(1) as pool:
        pid = pool.apply(os.getpid)
        assert pool.map(items.sleep, [0.2], timeout=0.5, progress=lambda done, n: time.sleep(1)) == [0.2]
        assert pool.apply(os.getpid) == pid


@pytest.fixture
def first_kill_comes_late(monkeypatch):
    kill, late = crew.Worker.kill, []

    def kill_late(worker, at=None):
        if not late:
            late.append(worker)
            time.sleep(0.8)
        kill(worker, at)

    monkeypatch.setattr(crew.Worker, "kill", kill_late)


def test_a_worker_that_is_past_the_item_it_is_ended_for_has_none_to_blame(first_kill_comes_late):
    with Pool(1, on_crash="continue") as pool:
        assert pool.map(items.sleep, [1.4, 0.6], 2, timeout=1) == [1.4, 0.6]


def test_a_worker_that_is_past_the_call_it_is_ended_for_breaks_no_other(first_kill_comes_late):
    with Pool(1) as pool:
        pool.map(items.sleep, [0] * 10)  # so little that the second call waits at the worker
        first, second = [pool.apply_async(items.sleep, (0.6,)) for _ in range(2)]
        time.sleep(0.05)
        side = pool._sides["processes"]
        side.driver.order(lambda: side.calls.cancel_call_of(first))
        assert second.get(SOON) == 0.6


def test_a_timeout_on_threads_is_refused():
    with Pool(2, executor="threads") as pool, pytest.raises(ValueError, match="a thread cannot be ended"):
        pool.map(items.square, [1], timeout=1)
