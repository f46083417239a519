"""Python functions called from native threads."""

import ctypes
import gc
import threading
from array import array

import pytest

import libparmap

Element = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
ITEM = "int (const long long *, long long *, void *)"


def test_a_ctypes_callback_works_on_native_threads():
    threads = set()

    def plus_one(value):
        threads.add(threading.get_ident())
        return value + 1

    values = array("d", range(1000))
    assert libparmap.map_buffer(Element(plus_one), values, workers=3) == array("d", range(1, 1001))
    assert threads


def test_a_callback_that_nothing_else_refers_to_lives_as_long_as_the_map():
    def plus_one(value):
        gc.collect(0)
        return value + 1

    assert libparmap.map_buffer(Element(plus_one), array("d", range(50))) == array("d", range(1, 51))


def test_a_cffi_callback_works_on_native_threads():
    cffi = pytest.importorskip("cffi")
    plus_one = cffi.FFI().callback("double (double)", lambda value: value + 1)
    assert libparmap.map_buffer(plus_one, array("d", range(1000))) == array("d", range(1, 1001))


def test_a_callback_may_map_itself(kernels):
    @libparmap.callback(ITEM)
    def sum_of_ones(src, out, user_data):
        out[0] = sum(libparmap.map_buffer(kernels.item_plus_one, array("q", bytes(8 * src[0]))))

    assert libparmap.map_buffer(sum_of_ones, array("q", range(30))) == array("q", range(30))


def test_other_python_threads_run_while_callbacks_do(kernels):
    @libparmap.callback("double (double)")
    def wait_for_the_other(value):
        assert other_ran.wait(30)
        return value

    other_ran = threading.Event()
    threading.Timer(0.05, other_ran.set).start()
    assert libparmap.map_buffer(wait_for_the_other, array("d", [1, 2])) == array("d", [1, 2])


# ---- libparmap.callback ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signature, typecode",
    [("double (double)", "d"), ("float (float)", "f"), ("int64_t (int64_t)", "q"), ("int (int)", "i")],
)
def test_callback_makes_element_functions(signature, typecode):
    @libparmap.callback(signature)
    def plus_one(value):
        return value + 1

    assert libparmap.map_buffer(plus_one, array(typecode, range(100))) == array(typecode, range(1, 101))


def test_callback_makes_item_functions_with_typed_pointers():
    @libparmap.callback("int (const double *in, int32_t *out, void *)")
    def floor(src, out, user_data):
        out[0] = int(src[0])

    out = array("i", bytes(12))
    assert libparmap.map_buffer(floor, array("d", [1.5, 2.5, 3.5]), out) == array("i", [1, 2, 3])


def test_void_pointers_arrive_as_addresses():
    @libparmap.callback("int (const void *, void *, void *)")
    def copy(src, out, user_data):
        assert ctypes.c_int64.from_address(user_data).value == 1
        ctypes.memmove(out, src, 8)

    values = array("q", range(10))
    assert libparmap.map_buffer(copy, values, user_data=array("q", [1])) == values


def test_callback_functions_with_user_data_get_its_address():
    @libparmap.callback("double (double, void *)")
    def plus(value, user_data):
        return value + ctypes.c_double.from_address(user_data).value

    assert libparmap.map_buffer(plus, array("d", [1, 2]), user_data=array("d", [5])) == array("d", [6, 7])


def test_a_callback_called_from_python_is_what_it_was():
    @libparmap.callback("double (double)")
    def half(value):
        """Half of it."""
        return value / 2

    assert half(3) == 1.5 and half(value=3) == 1.5
    assert half.__name__ == "half" and half.__doc__ == "Half of it."


def test_an_exception_in_an_item_function_is_raised_with_the_item():
    @libparmap.callback(ITEM)
    def fail_at_13(src, out, user_data):
        if src[0] == 13:
            raise LookupError("thirteen")

    with pytest.raises(LookupError, match="thirteen") as caught:
        libparmap.map_buffer(fail_at_13, array("q", range(100)))
    assert caught.value.__notes__ == ["map_buffer: raised for item 13"]
    assert "fail_at_13" in [entry.name for entry in caught.traceback]


def test_an_exception_in_an_element_function_stops_the_map_and_is_raised():
    calls = []

    @libparmap.callback("double (double)")
    def fail_at_once(value):
        calls.append(value)
        raise LookupError(value)

    with pytest.raises(LookupError):
        libparmap.map_buffer(fail_at_once, array("d", range(100_000)), workers=2)
    assert len(calls) <= 2


def test_an_exception_for_the_last_element_is_raised_too():
    @libparmap.callback("double (double)")
    def fail_at_99(value):
        if value == 99:
            raise LookupError("ninety-nine")
        return value

    with pytest.raises(LookupError, match="ninety-nine"):
        libparmap.map_buffer(fail_at_99, array("d", range(100)), workers=1)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_not_even_system_exit_leaves_through_c(error):
    @libparmap.callback(ITEM)
    def leave(src, out, user_data):
        raise error("out of here")

    with pytest.raises(error, match="out of here"):
        libparmap.map_buffer(leave, array("q", range(10)))


def test_a_code_of_the_function_itself_is_an_item_error():
    @libparmap.callback(ITEM)
    def code(src, out, user_data):
        return src[0]

    with pytest.raises(libparmap.ItemError) as caught:
        libparmap.map_buffer(code, array("q", [0, 0, 9]))
    assert (caught.value.index, caught.value.code) == (2, 9)


@pytest.mark.parametrize("result, error", [(None, TypeError), ("text", TypeError), (2**31, OverflowError), (1.5, TypeError)])
def test_a_result_that_does_not_fit_is_raised(result, error):
    @libparmap.callback("int32_t (int32_t)")
    def give(value):
        return result

    with pytest.raises(error):
        libparmap.map_buffer(give, array("i", [1]))


def test_maps_at_the_same_time_keep_their_exceptions_apart():
    @libparmap.callback(ITEM)
    def fail(src, out, user_data):
        raise LookupError(src[0])

    raised = {}

    def work(number):
        try:
            libparmap.map_buffer(fail, array("q", [number]))
        except LookupError as error:
            raised[number] = error.args[0]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == {number: number for number in range(8)}


def test_callback_refuses_what_is_no_signature():
    with pytest.raises(TypeError, match='signature is .*: write @callback\\("double \\(double\\)"\\)'):
        libparmap.callback(print)
    with pytest.raises(ValueError, match='callback: signature is "double", which is not'):
        libparmap.callback("double")(print)
    with pytest.raises(TypeError, match="functions that can be mapped are"):
        libparmap.callback("double (int)")(print)


def test_callback_refuses_what_cannot_be_called():
    with pytest.raises(TypeError, match="3 cannot be called"):
        libparmap.callback("double (double)")(3)


def test_a_signature_beside_a_callback_must_agree():
    half = libparmap.callback("double (double)")(lambda value: value / 2)
    assert libparmap.map_buffer(half, array("d", [2]), signature="double (double)") == array("d", [1])
    with pytest.raises(ValueError, match="leave signature out"):
        libparmap.map_buffer(half, array("d", [2]), signature="float (float)")


@pytest.mark.parametrize("executor", ["processes", "mpi"])
def test_a_callback_is_refused_where_its_exceptions_would_be_lost(executor):
    half = libparmap.callback("double (double)")(lambda value: value / 2)
    with pytest.raises(ValueError, match=f"executor is '{executor}', but func is a Python function"):
        libparmap.map_buffer(half, array("d", [1.0]), executor=executor)
