"""Large memory travels beside the pickles, and is not copied at its end."""

import os
import resource
import subprocess
from pathlib import Path

import pool_items as items
import pytest
from programs import SOON, command, environment, run

from libparmap import Pool

numpy = pytest.importorskip("numpy")

SIZES = [0, 1, 1000, 32_768, 100_000, 1_000_000]


def filled(n, value=1.0):
    return numpy.full(n, value)


def arrays_of_all_kinds():
    return [
        numpy.arange(300_000).reshape(3, 100_000),
        numpy.asfortranarray(numpy.arange(300_000.0).reshape(3, 100_000)),
        numpy.arange(600_000)[::2],
        numpy.zeros(100_000, [("a", "i4"), ("b", "f8")]),
        numpy.array(["a", None, 3], object),
        numpy.frombuffer(bytes(400_000), "u1"),
    ]


def same(one, other):
    return one.dtype == other.dtype and one.shape == other.shape and numpy.array_equal(one, other)


@pytest.mark.parametrize("n", SIZES)
def test_arrays_of_every_size_come_and_go(n):
    with Pool(2) as pool:
        for result in pool.starmap(filled, [(n, float(value)) for value in range(5)]):
            assert result.shape == (n,) and result.flags.writeable
        sums = pool.map(numpy.sum, [filled(n, value) for value in range(5)])
        assert sums == [n * value for value in range(5)]


def test_arrays_of_every_kind_arrive_as_they_were():
    with Pool(2) as pool:
        for sent, back in zip(arrays_of_all_kinds(), pool.map(identity, arrays_of_all_kinds())):
            assert same(sent, back)
            assert back.flags.writeable == sent.flags.writeable


def identity(x):
    return x


def double_in_place(x):
    x *= 2
    return x


def test_a_worker_may_write_to_its_arguments_and_the_caller_sees_nothing_of_it():
    array = filled(1_000_000)
    with Pool(2) as pool:
        results = pool.map(double_in_place, [array] * 4)
    assert array[0] == 1 and all(result[-1] == 2 for result in results)


def test_large_results_are_mapped_and_not_copied():
    with Pool(1) as pool:
        result = pool.apply(filled, (1_000_000,))
    base = result
    while getattr(base, "base", None) is not None:
        base = base.base
    assert type(base) is memoryview and "Mapping" in type(base.obj).__name__
    result += 1
    assert result.sum() == 2_000_000


def test_large_bytes_and_strings_come_back():
    with Pool(2) as pool:
        assert pool.map(bytes, [3_000_000] * 3) == [bytes(3_000_000)] * 3
        assert pool.map(len, [b"x" * 5_000_000, "y" * 5_000_000]) == [5_000_000] * 2
        assert pool.map(bytearray, [3_000_000]) == [bytearray(3_000_000)]


def test_many_large_results_need_no_descriptor_each():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        with Pool(2) as pool:
            results = pool.starmap(filled, [(100_000, float(value)) for value in range(300)])
        assert [result[0] for result in results] == list(range(300))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_memory_of_results_is_given_back():
    def shared_pages():
        return int(Path("/proc/self/statm").read_text().split()[2])

    with Pool(2) as pool:
        pool.starmap(filled, [(1_000_000,)] * 4)
        before = shared_pages()
        for _ in range(5):
            pool.starmap(filled, [(1_000_000,)] * 10)
        assert shared_pages() - before < 20_000_000 / os.sysconf("SC_PAGE_SIZE")


def test_numpy_arrays_as_iterables_give_their_rows():
    matrix = numpy.arange(30.0).reshape(10, 3)
    with Pool(2) as pool:
        assert pool.map(numpy.sum, matrix) == [row.sum() for row in matrix]
        assert pool.map(items.square, numpy.arange(1000)) == [x * x for x in range(1000)]
        assert type(pool.map(identity, numpy.arange(3))[0]) is numpy.int64
        assert list(pool.imap(items.square, numpy.arange(5))) == [0, 1, 4, 9, 16]


def test_a_result_larger_than_the_memory_limit_is_an_error_and_no_hang():
    printed = run("""
        import resource
        from pathlib import Path
        import numpy
        import pool_items as items
        from libparmap import Pool

        pool = Pool(2)
        pool.map(items.square, range(10), 1)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (30 << 20),) * 2)
        for function, argument in ((numpy.ones, 8_000_000), (bytes, 64_000_000)):
            try:
                pool.map(function, [argument] * 2, 1)
            except (MemoryError, OSError) as error:
                print(type(error).__name__)
        print(pool.map(items.square, range(3)))
        pool.terminate()
        pool.join()
    """)  # fmt: skip
    assert printed.splitlines() == ["MemoryError", "MemoryError", "[0, 1, 4]"]


def test_a_worker_out_of_memory_fails_its_item_and_no_other():
    printed = run("""
        import resource
        from pathlib import Path
        from libparmap import Pool

        def limit():
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + (50 << 20),) * 2)

        with Pool(2, initializer=limit) as pool:
            iterator = pool.imap(bytearray, [10, 400_000_000, 20])
            print(len(next(iterator)))
            try:
                next(iterator)
            except MemoryError:
                print("MemoryError")
            print(len(next(iterator)))
    """)  # fmt: skip
    assert printed.split() == ["10", "MemoryError", "20"]


@pytest.mark.parametrize("how", ["size=64k", "size=64k,ro"])
def test_neither_size_nor_mode_of_dev_shm_matter(how):
    program = """
        import numpy
        from libparmap import Pool

        with Pool(2) as pool:
            print(*(int(x.sum()) for x in pool.map(numpy.ones, [1_000_000] * 4)))
    """
    mount = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o {how} tmpfs /dev/shm && exec "$@"', "sh"]
    try:
        subprocess.run([*mount, "true"], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("this user cannot have mounts of its own")
    done = subprocess.run([*mount, *command(program)], env=environment(), capture_output=True, text=True, timeout=SOON)
    assert done.stdout == "1000000 1000000 1000000 1000000\n", done.stderr
