"""Executor: what users of concurrent.futures rely on."""

import concurrent.futures
import os
import threading
import time

import pool_items as items
import pytest
from programs import run

from libparmap import BrokenPool, Executor

SOON = 30


@pytest.fixture(params=["processes", "threads"])
def executor(request):
    with Executor(2, executor=request.param) as executor:
        yield executor
        if request.param == "processes":  # items that still sleep are not waited for
            executor.terminate()


def test_it_is_an_executor_of_concurrent_futures(executor):
    assert isinstance(executor, concurrent.futures.Executor)
    future = executor.submit(items.add, 1, y=2)
    assert isinstance(future, concurrent.futures.Future) and future.result(SOON) == 3 and future.done()


def test_as_completed_and_wait_work(executor):
    futures = [executor.submit(items.square, n) for n in range(50)]
    assert sorted(future.result() for future in concurrent.futures.as_completed(futures, SOON)) == [
        n * n for n in range(50)
    ]
    slow, quick = executor.submit(items.sleep, 1), executor.submit(items.sleep, 0)
    done, pending = concurrent.futures.wait([slow, quick], SOON, concurrent.futures.FIRST_COMPLETED)
    assert quick in done and slow in pending


def test_exceptions_arrive_in_the_future(executor):
    future = executor.submit(items.fail_at_three, 3)
    assert type(future.exception(SOON)) is ValueError
    with pytest.raises(ValueError, match="item 3"):
        future.result()


def test_map_takes_several_iterables_and_keeps_their_order(executor):
    assert list(executor.map(items.add, range(100), range(100))) == [2 * n for n in range(100)]
    assert list(executor.map(items.add, range(5), [10, 20])) == [10, 21]
    assert list(executor.map(items.square, range(100), chunksize=7)) == [n * n for n in range(100)]
    with pytest.raises(ValueError, match="chunksize"):
        executor.map(items.square, [1], chunksize=0)


def test_map_starts_at_once_and_raises_when_its_time_is_up(executor):
    results = executor.map(items.sleep, [0, 2], timeout=0.5)
    assert next(results) == 0
    with pytest.raises(TimeoutError):
        next(results)


def test_map_with_a_buffersize_draws_no_more_than_that(executor):
    drawn = []

    def generate():
        for n in range(100):
            drawn.append(n)
            yield n

    results = executor.map(items.square, generate(), buffersize=4)
    assert [next(results) for _ in range(10)] == [n * n for n in range(10)]
    assert len(drawn) <= 14


def test_results_of_map_that_nobody_wants_are_not_computed(executor):
    results = executor.map(items.sleep, [0.1] * 200)
    next(results)
    begin = time.monotonic()
    results.close()
    executor.shutdown()
    assert time.monotonic() - begin < 5


def test_futures_can_be_cancelled_until_they_run(executor):
    running = [executor.submit(items.sleep, 0.5) for _ in range(2)]
    time.sleep(0.2)
    waiting = [executor.submit(items.sleep, 30) for _ in range(20)]
    assert not any(future.cancel() for future in running)
    assert all(future.cancel() for future in waiting)
    assert [future.result(SOON) for future in running] == [0.5, 0.5]
    done, _ = concurrent.futures.wait(waiting, SOON)
    assert len(done) == 20 and all(future.cancelled() for future in waiting)
    assert executor.submit(items.square, 2).result(SOON) == 4


def test_shutdown_finishes_what_was_submitted_and_refuses_more(executor):
    futures = [executor.submit(items.slow_square, n) for n in range(10)]
    executor.shutdown()
    assert [future.result(0) for future in futures] == [n * n for n in range(10)]
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(items.square, 1)
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.map(items.square, [1])
    executor.shutdown()


def test_shutdown_can_cancel_what_does_not_run_yet(executor):
    futures = [executor.submit(items.sleep, 0.5) for _ in range(30)]
    time.sleep(0.2)
    begin = time.monotonic()
    executor.shutdown(cancel_futures=True)
    assert time.monotonic() - begin < 5
    assert all(future.done() for future in futures) and sum(future.cancelled() for future in futures) > 20


def test_shutdown_need_not_wait(executor):
    future = executor.submit(items.sleep, 0.5)
    begin = time.monotonic()
    executor.shutdown(wait=False)
    assert time.monotonic() - begin < 0.4
    assert future.result(SOON) == 0.5


def test_callbacks_of_futures_may_submit_more(executor):
    done = threading.Event()

    def again(future):
        executor.submit(items.square, future.result()).add_done_callback(lambda future: done.set())

    executor.submit(items.square, 2).add_done_callback(again)
    assert done.wait(SOON)


def test_a_dead_worker_breaks_its_future_and_no_other():
    with Executor(2) as executor:
        bad, good = executor.submit(os._exit, 3), executor.submit(items.square, 3)
        with pytest.raises(BrokenPool, match="it exited with code 3"):
            bad.result(SOON)
        assert isinstance(bad.exception(), concurrent.futures.BrokenExecutor)
        assert good.result(SOON) == 9 and executor.submit(items.square, 4).result(SOON) == 16


def test_lambdas_can_be_submitted(executor):
    n = 5
    assert executor.submit(lambda: n + 1).result(SOON) == 6


def test_the_initializer_and_max_tasks_per_child_are_heeded(tmp_path):
    with Executor(2, initializer=os.chdir, initargs=(tmp_path,)) as executor:
        assert executor.submit(os.getcwd).result(SOON) == str(tmp_path)
    with Executor(1, max_tasks_per_child=2) as executor:
        pids = [executor.submit(os.getpid).result(SOON) for _ in range(6)]
    assert len(set(pids)) == 3
    with pytest.raises(ValueError, match="max_workers is 0"):
        Executor(0)
    with pytest.raises(TypeError, match="Executor: max_workers is '2': pass a whole number"):
        Executor("2")


def test_asyncio_can_use_it():
    import asyncio

    async def main():
        loop = asyncio.get_running_loop()
        with Executor(2) as executor:
            return await asyncio.gather(*(loop.run_in_executor(executor, items.square, n) for n in range(10)))

    assert asyncio.run(main()) == [n * n for n in range(10)]


def test_a_program_ends_after_all_that_it_submitted():
    printed = run("""
        from libparmap import Executor

        def say(n):
            print(n, flush=True)

        executor = Executor(1)
        for n in range(5):
            executor.submit(say, n)
    """)  # fmt: skip
    assert printed.split() == ["0", "1", "2", "3", "4"]
