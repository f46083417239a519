"""What can be a function of a Pool: whatever can be called."""

import ctypes
import functools
import math
import operator
from array import array

import pool_items as items
import pytest
from programs import run

from libparmap import Pool


@pytest.fixture
def pool():
    with Pool(2) as pool:
        pool.map(items.square, range(10), 1)  # its workers stand, and were forked before what follows is defined
        yield pool


def test_lambdas_and_local_functions_work(pool):
    def local(x):
        return x + 1

    assert pool.map(lambda x: 2 * x, range(5)) == [0, 2, 4, 6, 8]
    assert pool.map(local, range(5)) == [1, 2, 3, 4, 5]
    assert pool.apply(lambda x, y: x - y, (3,), {"y": 1}) == 2
    assert pool.starmap(lambda x, y: x - y, [(3, 1)]) == [2]
    assert list(pool.imap(lambda x: -x, range(3))) == [0, -1, -2]
    assert sorted(pool.imap_unordered(local, iter(range(3)))) == [1, 2, 3]
    assert [pool.apply_async(lambda x=x: x).get(30) for x in range(5)] == list(range(5))


def test_a_closure_sees_what_its_variables_hold_at_the_call(pool):
    offset, big = 1, list(range(100_000))

    def shifted(x):
        return big[x] + offset

    assert pool.map(shifted, range(3)) == [1, 2, 3]
    offset = 100
    assert pool.map(shifted, range(3)) == [100, 101, 102]


def test_lambdas_do_not_disturb_what_runs_beside_them(pool):
    beside = pool.map_async(items.slow_square, range(40))
    for n in range(5):
        assert pool.map(lambda x, n=n: x + n, range(4)) == [n, n + 1, n + 2, n + 3]
    assert beside.get(30) == [x * x for x in range(40)]


def test_the_initializer_runs_again_for_a_lambda(tmp_path):
    def initialize():
        items.initialized = True

    with Pool(2, initializer=initialize) as pool:
        assert pool.map(lambda x: items.initialized, range(4)) == [True] * 4


def test_partials_methods_builtins_and_callable_objects_work(pool):
    counter = Counter()
    assert pool.map(functools.partial(pow, 2), range(4)) == [1, 2, 4, 8]
    assert pool.map(math.sqrt, [1, 4, 9]) == [1, 2, 3]
    assert pool.map(str.upper, ["a", "b"]) == ["A", "B"]
    assert pool.map("abc".index, ["a", "c"]) == [0, 2]
    assert pool.map(operator.itemgetter(1), [(1, 2), (3, 4)]) == [2, 4]
    assert pool.map(int, ["1", "2"]) == [1, 2]
    assert pool.map(Counter.plain, [1, 2]) == [2, 3]
    assert pool.map(counter.count, [1] * 3, 1) == [1, 1, 1], "each chunk has an object of its own, as in multiprocessing"
    assert counter.n == 0


class Counter:
    n = 0

    def count(self, by):
        self.n += by
        return self.n

    @staticmethod
    def plain(x):
        return x + 1


def test_what_is_not_callable_fails_its_items(pool):
    with pytest.raises(TypeError, match="not callable"):
        pool.map(3, [1])


def test_arguments_that_cannot_be_pickled_are_told(pool):
    with pytest.raises(Exception, match="pickle"):
        pool.map(items.square, [1, lambda: None, 3])
    iterator = pool.imap(items.square, [1, lambda: None, 3])
    assert next(iterator) == 1
    with pytest.raises(Exception, match="pickle"):
        next(iterator)
    assert list(iterator) == [9]
    with pytest.raises(Exception, match="pickle"):
        pool.apply(items.square, (lambda: None,))


def test_functions_and_classes_defined_or_changed_in_a_session_are_those_of_the_call():
    """A session at the prompt: workers stand already when things are defined, and defined again."""
    printed = run("""
        from libparmap import Pool

        pool = Pool(2)
        pool.map(abs, range(10), 1)

        def f(x):
            return x + 1

        print(pool.map(f, range(3)))

        def f(x):
            return x + 10

        print(pool.map(f, range(3)))

        class Pair:
            def __init__(self, x):
                self.x = x
            def total(self):
                return self.x + 100

        print(pool.map(Pair.total, [Pair(1), Pair(2)]))
        print([pair.x for pair in pool.map(Pair, [1, 2])])
        pool.close()
        pool.join()
    """)  # fmt: skip
    assert printed.splitlines() == ["[1, 2, 3]", "[10, 11, 12]", "[101, 102]", "[1, 2]"]


def test_a_function_defined_anew_is_never_taken_for_one_that_had_its_address():
    printed = run("""
        import pool_items as items
        from libparmap import Pool

        with Pool(2) as pool:
            def f(x):
                return 0

            pool.map(items.sleep, [0.1] * 2, 1)  # both workers know the first
            for n in range(1, 10):
                exec(f"def f(x): return {n}")
                if n % 3 == 0:
                    assert set(pool.map(f, range(9), 1)) == {n}
    """)  # fmt: skip
    assert printed == ""


def test_a_module_that_only_the_caller_can_import_is_found_by_workers_forked_anew(pool, tmp_path, monkeypatch):
    (tmp_path / "late_module.py").write_text("def double(x): return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import late_module

    assert pool.map(late_module.double, [1, 2]) == [2, 4]


# ---- C functions -----------------------------------------------------------------------------------------------


def test_c_functions_run_on_threads_without_the_gil(kernels, pool):
    kernels.sleep_ms_element.argtypes, kernels.sleep_ms_element.restype = [ctypes.c_int64], ctypes.c_int64
    assert pool.map(kernels.sleep_ms_element, [1, 2, 3]) == [1, 2, 3]
    assert "threads" in pool._sides
    assert pool.map(kernels.double_plus_one, array("d", [1, 2])) == [2, 3]


def test_executor_processes_takes_c_functions_too(kernels):
    with Pool(2, executor="processes") as pool:
        assert pool.map(kernels.double_plus_one, [1, 2]) == [2, 3]
        assert list(pool._sides) == ["processes"]


def test_cffi_functions_run_on_threads(kernels_path, pool):
    cffi = pytest.importorskip("cffi")
    ffi = cffi.FFI()
    ffi.cdef("double double_plus_one(double);")
    function = ffi.addressof(ffi.dlopen(str(kernels_path)), "double_plus_one")
    assert pool.map(function, [1, 2]) == [2, 3]
    assert "threads" in pool._sides
