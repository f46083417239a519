"""Importing and mapping inside sub-interpreters, each with a GIL of its own where Python has that."""

import importlib
import sys
import textwrap
import threading

import pytest

PROGRAM = """
    from array import array
    import libparmap

    values = array("d", range(1000))
    function = ({address}, "double (double)")
    for _ in range(20):
        assert libparmap.map_buffer(function, values) == array("d", range(1, 1001))
    try:
        libparmap.map_buffer(function, array("d", [1]), array("d", [1, 2]))
    except ValueError as error:
        assert "shapes must be the same" in str(error)
    else:
        raise AssertionError("mismatched lengths were accepted")
    seen = []
    libparmap.map_buffer(function, values, progress=lambda *report: seen.append(report))
    assert seen[-1] == (1000, 1000)
"""


if sys.version_info < (3, 12):
    pytest.skip("before Python 3.12 all interpreters share one GIL", allow_module_level=True)


@pytest.fixture
def interpreters():
    """Python's own module for them, which has gone by two names."""
    return importlib.import_module("_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters")


@pytest.fixture
def program(kernels):
    import ctypes

    address = ctypes.cast(kernels.double_plus_one, ctypes.c_void_p).value
    return textwrap.dedent(PROGRAM.format(address=address))


def run(interpreters, program):
    """Runs a program in a new interpreter with its own GIL and raises what it raised."""
    interpreter = interpreters.create()
    try:
        failed = interpreters.run_string(interpreter, program)
    finally:
        interpreters.destroy(interpreter)
    assert failed is None, failed


def test_a_map_runs_in_one_interpreter_after_the_other(interpreters, program):
    for _ in range(5):
        run(interpreters, program)


def test_maps_run_in_several_interpreters_at_once(interpreters, program):
    failures = []

    def work():
        try:
            for _ in range(3):
                run(interpreters, program)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_main_interpreter_maps_on_afterwards(interpreters, program):
    run(interpreters, program)
    namespace = {}
    exec(program, namespace)
    assert namespace["seen"]


def test_every_interpreter_has_its_own_item_error(interpreters, program):
    import libparmap

    run(interpreters, program + f"\nassert id(libparmap.ItemError) != {id(libparmap.ItemError)}")


def test_an_interpreter_pool_executor_maps(program):
    from concurrent import futures

    if not hasattr(futures, "InterpreterPoolExecutor"):
        pytest.skip("InterpreterPoolExecutor needs Python 3.14")
    with futures.InterpreterPoolExecutor(2) as executor:
        for result in [executor.submit(exec, program) for _ in range(4)]:
            result.result(60)
