"""Pool: the methods of multiprocessing.Pool and what they mean."""

import gc
import itertools
import multiprocessing
import os
import pickle
import threading
import time
import warnings

import pool_items as items
import pytest

from libparmap import Pool

SOON = 30


@pytest.fixture(params=["processes", "threads"])
def pool(request):
    with Pool(3, executor=request.param) as pool:
        yield pool


def test_map_keeps_the_order_at_every_number_of_items(pool):
    for n in (0, 1, 2, 3, 7, 100, 10_000):
        assert pool.map(items.square, range(n)) == [x * x for x in range(n)]


@pytest.mark.parametrize("chunksize", [1, 2, 7, 1000])
def test_map_takes_a_chunksize(pool, chunksize):
    assert pool.map(items.square, list(range(100)), chunksize) == [x * x for x in range(100)]


def test_map_takes_any_iterable(pool):
    expected = [0, 1, 4]
    for iterable in ([0, 1, 2], (0, 1, 2), range(3), {0: "a", 1: "b", 2: "c"}, iter([0, 1, 2]), (x for x in range(3))):
        assert pool.map(items.square, iterable) == expected


def test_starmap_unpacks_each_item(pool):
    assert pool.starmap(items.add, [(1, 2), [3], (5, 6)]) == [3, 13, 11]


def test_apply_takes_arguments_and_keywords(pool):
    assert pool.apply(items.add, (1,)) == 11
    assert pool.apply(items.add, (1,), {"y": 2}) == 3
    assert pool.apply_async(items.add, [1], {"y": 3}).get(SOON) == 4


def test_async_results_say_whether_they_are_ready(pool):
    result = pool.apply_async(items.sleep, (0.5,))
    assert not result.ready()
    with pytest.raises(ValueError, match="not ready"):
        result.successful()
    with pytest.raises(multiprocessing.TimeoutError):
        result.get(timeout=0.01)
    result.wait(SOON)
    assert result.ready() and result.successful() and result.get() == 0.5


def test_async_maps_run_side_by_side(pool):
    results = [pool.map_async(items.square, range(n)) for n in range(20)]
    stars = pool.starmap_async(items.add, [(n, n) for n in range(20)])
    assert [result.get(SOON) for result in results] == [[x * x for x in range(n)] for n in range(20)]
    assert stars.get(SOON) == [2 * n for n in range(20)]


def test_callbacks_are_called_before_get_returns(pool):
    seen = []
    pool.apply_async(items.square, (3,), callback=seen.append).get(SOON)
    pool.map_async(items.square, range(3), callback=seen.append).get(SOON)
    failed = pool.apply_async(items.fail_at_three, (3,), callback=seen.append, error_callback=seen.append)
    with pytest.raises(ValueError):
        failed.get(SOON)
    assert seen[:2] == [9, [0, 1, 4]] and type(seen[2]) is ValueError and len(seen) == 3


def test_a_callback_may_use_the_pool(pool):
    seen, done = [], threading.Event()

    def again(value):
        seen.append(pool.map(items.square, [value, value + 1]))
        pool.apply_async(items.square, (10,), callback=lambda value: (seen.append(value), done.set()))

    pool.apply_async(items.square, (2,), callback=again)
    assert done.wait(SOON) and seen == [[16, 25], 100]


def test_a_callback_that_raises_stops_nothing(pool, capfd):
    result = pool.apply_async(items.square, (2,), callback=lambda value: 1 // 0)
    assert result.get(SOON) == 4
    assert pool.map(items.square, range(3)) == [0, 1, 4]
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_imap_gives_results_in_order_and_as_they_come(pool):
    assert list(pool.imap(items.square, range(500))) == [x * x for x in range(500)]
    iterator = pool.imap(items.sleep, [0, 0.6])
    begin = time.monotonic()
    assert next(iterator) == 0 and time.monotonic() - begin < 0.5
    with pytest.raises(multiprocessing.TimeoutError):
        iterator.next(timeout=0.01)
    assert iterator.next(SOON) == 0.6
    with pytest.raises(StopIteration):
        next(iterator)


def test_imap_unordered_gives_whatever_is_there(pool):
    assert sorted(pool.imap_unordered(items.square, range(500))) == sorted(x * x for x in range(500))
    assert list(pool.imap_unordered(items.sleep, [0.5, 0])) == [0, 0.5]


@pytest.mark.parametrize("chunksize", [1, 3, 100])
def test_imap_of_a_generator_takes_a_chunksize(pool, chunksize):
    assert list(pool.imap(items.square, (x for x in range(250)), chunksize)) == [x * x for x in range(250)]


def test_imap_of_an_endless_generator_ends_when_the_pool_does():
    with Pool(2) as pool:
        iterator = pool.imap(items.square, itertools.count())
        assert [next(iterator) for _ in range(100)] == [x * x for x in range(100)]


def test_the_items_of_an_imap_may_wait_for_its_results(pool):
    """The generator needs each result before it can make the next item."""
    results, asked = [], threading.Semaphore(1)

    def generate():
        for _ in range(20):
            asked.acquire()
            yield results[-1] + 1 if results else 1

    for result in pool.imap(items.square, generate()):
        results.append(result % 10)
        asked.release()
    assert len(results) == 20


def test_items_are_drawn_a_moment_ahead_and_no_more(pool):
    drawn = itertools.count()
    iterator = pool.imap(items.sleep, (0.01 for _ in drawn))
    for _ in range(200):
        next(iterator)
    assert next(drawn) < 300


def test_calls_beside_an_endless_imap_do_not_wait_ever_longer(pool):
    iterator = pool.imap(items.sleep, itertools.repeat(0.001))
    for _ in range(15):  # when what was drawn ahead doubled each time, so did this
        begin = time.monotonic()
        assert next(iterator) == 0.001 and pool.map(items.square, range(3)) == [0, 1, 4]
        assert time.monotonic() - begin < 2


@pytest.mark.parametrize("chunksize", [1, 4])
def test_an_iterable_that_raises_does_so_after_its_items(pool, chunksize):
    def generate():
        yield from range(7)
        raise LookupError("no more")

    iterator, results = pool.imap(items.square, generate(), chunksize), []
    with pytest.raises(LookupError, match="no more"):
        for result in iterator:
            results.append(result)
    assert results == [x * x for x in range(7)]
    with pytest.raises(StopIteration):
        next(iterator)
    with pytest.raises(LookupError, match="no more"):
        list(pool.imap_unordered(items.square, generate(), chunksize))
    with pytest.raises(LookupError, match="no more"):
        pool.map(items.square, generate())


def test_the_lowest_item_that_failed_is_raised_and_all_others_ran(tmp_path):
    with Pool(2) as pool:
        for chunksize in (None, 1, 5):
            with pytest.raises(ValueError, match="item 3"):
                pool.map(items.fail_from_three, range(20), chunksize)
        with pytest.raises(ValueError, match="item 3"):
            pool.starmap(touch_and_fail_at_three, [(tmp_path, n) for n in range(20)])
    assert len(list(tmp_path.iterdir())) == 20


def touch_and_fail_at_three(folder, n):
    (folder / str(n)).touch()
    return items.fail_at_three(n)


def test_an_imap_goes_on_behind_an_item_that_failed(pool):
    iterator = pool.imap(items.fail_at_three, range(6))
    assert [next(iterator) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="item 3"):
        next(iterator)
    assert list(iterator) == [4, 5]


def test_an_exception_brings_the_traceback_of_the_worker():
    with Pool(1) as pool, pytest.raises(ValueError) as caught:
        pool.map(items.fail_at_three, range(5))
    cause = caught.value.__cause__
    assert type(cause).__name__ == "RemoteTraceback"
    assert 'raise ValueError(f"item {x}")' in str(cause) and "child.py" not in str(cause)


def test_maps_can_be_called_from_many_threads_at_once(pool):
    failures = []

    def work(number):
        for _ in range(10):
            if pool.map(items.add, [number] * 50) != [number + 10] * 50:
                failures.append(number)
            if pool.apply_async(items.square, (number,)).get(SOON) != number * number:
                failures.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert failures == [] and not any(thread.is_alive() for thread in threads)


def test_items_run_at_the_same_time(pool):
    begin = time.monotonic()
    pool.map(items.sleep, [0.5] * 3)
    assert time.monotonic() - begin < 1.4


def test_a_long_item_does_not_hold_up_short_ones_that_were_sent_with_it():
    """The function is known to be quick, so all items go to one worker; the first then takes long."""
    with Pool(2) as pool:
        for _ in range(5):
            pool.map(items.sleep, [0] * 50)
        begin, ended = time.monotonic(), []
        for _ in pool.imap_unordered(items.sleep, [1] + [0] * 50):
            ended.append(time.monotonic() - begin)
    assert len(ended) == 51 and ended[-2] < 0.8


@pytest.mark.parametrize("pause", [0, 0.1])
@pytest.mark.parametrize("executor", ["processes", "threads"])
def test_a_short_item_does_not_wait_behind_a_long_one_of_another_call(executor, pause, tmp_path):
    """The long one may be waiting for it."""
    made = tmp_path / "made"
    with Pool(2, executor=executor) as pool:
        for _ in range(3):  # by one worker, and as far as is known all items are short
            pool.apply(until_it_is_there, (tmp_path,))
        long = pool.apply_async(until_it_is_there, (made,))
        time.sleep(pause)
        short = [pool.apply_async(until_it_is_there, (path,)) for path in [tmp_path] * 3]
        assert [one.get(20) for one in short] == [True] * 3
        made.touch()
        assert long.get(20)


def until_it_is_there(path):
    while not path.exists():
        time.sleep(0.005)
    return True


def test_the_workers_stand_between_calls():
    with Pool(2) as pool:
        first = set(pool.map(items.pid_of_worker, range(100), 1))
        assert first >= set(pool.map(items.pid_of_worker, range(100), 1))
        assert os.getpid() not in first


def test_the_initializer_runs_once_in_each_worker(tmp_path):
    with Pool(3, initializer=touch_own_pid, initargs=(tmp_path,)) as pool:
        pids = set(pool.map(items.pid_of_worker, range(100), 1))
        pool.close()
        pool.join()
    assert len(list(tmp_path.iterdir())) == 3 and {int(path.name) for path in tmp_path.iterdir()} >= pids


def touch_own_pid(folder):
    (folder / str(os.getpid())).touch(exist_ok=False)


def test_close_lets_the_work_be_finished(pool):
    result = pool.map_async(items.slow_square, range(20))
    pool.close()
    pool.join()
    assert result.ready() and result.get() == [x * x for x in range(20)]


def test_terminate_ends_at_once_and_says_so_to_those_that_wait():
    pool = Pool(2)
    result = pool.map_async(items.sleep, [60] * 10)
    time.sleep(0.2)
    begin = time.monotonic()
    pool.terminate()
    pool.join()
    assert time.monotonic() - begin < 10
    with pytest.raises(Exception, match="terminated before the call was finished"):
        result.get(SOON)


def test_a_pool_that_is_not_running_refuses_work(pool):
    with pytest.raises(ValueError, match="still running"):
        pool.join()
    pool.close()
    for call in (pool.map, pool.map_async, pool.imap, pool.imap_unordered, pool.starmap, pool.starmap_async):
        with pytest.raises(ValueError, match="Pool not running"):
            call(items.square, [(1,)])
    for call in (pool.apply, pool.apply_async):
        with pytest.raises(ValueError, match="Pool not running"):
            call(items.square, (1,))
    with pytest.raises(ValueError, match="Pool not running"):
        pool.__enter__()
    pool.close()
    pool.join()


def test_maxtasksperchild_replaces_workers():
    with Pool(2, maxtasksperchild=2) as pool:
        pids = pool.map(items.pid_of_worker, range(12), 1)
        assert all(pids.count(pid) <= 2 for pid in pids) and len(set(pids)) >= 6
        results = [pool.apply_async(items.pid_of_worker, (0,)) for _ in range(6)]
        assert all(result.get(SOON) for result in results)


@pytest.mark.parametrize(
    "arguments, error",
    [
        ({"processes": 0}, ValueError),
        ({"processes": -1}, ValueError),
        ({"processes": "2"}, TypeError),
        ({"processes": 2.5}, TypeError),
        ({"maxtasksperchild": 0}, ValueError),
        ({"maxtasksperchild": -1}, ValueError),
        ({"maxtasksperchild": 0.5}, ValueError),
        ({"initializer": 5}, TypeError),
        ({"executor": "fibers"}, ValueError),
        ({"on_crash": "ignore"}, ValueError),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(arguments, error):
    with pytest.raises(error, match=f"Pool: {next(iter(arguments))} is "):
        Pool(**arguments)


def test_bad_chunksizes_are_refused(pool):
    for call in (pool.map, pool.map_async, pool.imap, pool.imap_unordered):
        with pytest.raises(ValueError, match="chunksize is 0"):
            call(items.square, [1], 0)


@pytest.mark.parametrize("timeout, error", [(0, ValueError), (-1, ValueError), ("1", TypeError)])
def test_a_timeout_that_cannot_be_is_refused_and_no_worker_ended(pool, timeout, error):
    pids = set(pool.map(items.pid_of_worker, range(20), 1))
    for call in (pool.map, pool.map_async, pool.imap, pool.imap_unordered):
        with pytest.raises(error, match=f"Pool: timeout is {timeout!r}: pass seconds"):
            call(items.square, [1], timeout=timeout)
    assert pids & set(pool.map(items.pid_of_worker, range(20), 1))


def test_a_forgotten_pool_warns_and_leaves_no_worker():
    pool = Pool(2)
    pids = set(pool.map(items.pid_of_worker, range(10), 1))
    with pytest.warns(ResourceWarning, match="unclosed running multiprocessing pool"):
        del pool
        gc.collect()
    assert all(map(items.has_no_child_left, pids))


def test_a_result_keeps_its_forgotten_pool_alive():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        assert Pool(2).map_async(items.slow_square, range(20)).get(SOON) == [x * x for x in range(20)]
        assert list(Pool(2).imap(items.slow_square, range(5))) == [0, 1, 4, 9, 16]
        gc.collect()


def test_a_pool_cannot_be_pickled(pool):
    with pytest.raises(NotImplementedError):
        pickle.dumps(pool)


def test_arguments_and_results_are_let_go():
    class Watched:
        pass

    with Pool(2, executor="threads") as pool:
        import weakref

        objects = [Watched() for _ in range(10)]
        references = [weakref.ref(one) for one in objects]
        pool.map(id, objects)
        del objects
        gc.collect()
        assert not any(reference() for reference in references)


def test_progress_is_told_on_the_calling_thread(pool):
    seen, threads = [], set()

    def report(done, total):
        seen.append((done, total))
        threads.add(threading.get_ident())

    assert pool.map(items.slow_square, range(30), progress=report) == [x * x for x in range(30)]
    assert seen == sorted(seen) and seen[-1] == (30, 30) and any(0 < done < 30 for done, _ in seen)
    assert threads == {threading.get_ident()}


def test_an_exception_in_progress_ends_the_map(pool):
    def report(done, total):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        pool.map(items.sleep, [0.05] * 100, progress=report)
    assert pool.map(items.square, range(3)) == [0, 1, 4]


def test_a_worker_is_known_to_multiprocessing():
    with Pool(1) as pool:
        name, identity = pool.apply(name_and_identity)
    assert name.startswith("ForkPoolWorker-") and identity


def name_and_identity():
    process = multiprocessing.current_process()
    return process.name, process._identity


def test_pools_can_be_made_inside_workers():
    with Pool(2) as pool:
        assert pool.map(map_in_a_pool, [3, 4]) == [[0, 1, 4], [0, 1, 4, 9]]


def map_in_a_pool(n):
    with Pool(2) as pool:
        return pool.map(items.square, range(n))


def test_queues_and_locks_of_multiprocessing_reach_workers():
    queue = multiprocessing.SimpleQueue()
    with Pool(2, initializer=keep, initargs=(queue, multiprocessing.Lock())) as pool:
        pool.map(put_kept, range(20), 1)
    assert sorted(queue.get() for _ in range(20)) == list(range(20))


def keep(queue, lock):
    keep.queue, keep.lock = queue, lock


def put_kept(x):
    with keep.lock:
        keep.queue.put(x)


def test_connections_of_multiprocessing_can_be_arguments():
    here, there = multiprocessing.Pipe()
    with Pool(1) as pool:
        pool.apply(send_hello, (there,))
    assert here.recv() == "hello"


def send_hello(connection):
    connection.send("hello")
