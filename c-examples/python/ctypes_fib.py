"""par_map through ctypes: a function pointer, two arrays, and nothing to build but the C function."""

import ctypes
import time
from ctypes import POINTER, c_char_p, c_int, c_longlong, c_size_t, c_void_p

from fib_table import NUMBERS, fib_item, library_path, one_after_the_other, print_table

# CDLL gives up the GIL for the time of the call; with PyDLL a Python callback would wait for it for ever.
parmap = ctypes.CDLL(library_path())
parmap.par_map.argtypes = [c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_size_t, c_void_p]
parmap.par_strerror.restype = c_char_p

Numbers = c_longlong * len(NUMBERS)
size = ctypes.sizeof(c_longlong)


def par_map(function, numbers, answers):
    pointer = ctypes.cast(function, c_void_p)
    status = parmap.par_map(pointer, None, numbers, size, answers, size, len(numbers), None)
    if status != 0:
        raise RuntimeError(parmap.par_strerror(status).decode())


def item_function(function):
    """A Python function of one number as a C item function, and the list of what it raised.

    An exception cannot travel through C: catch it, keep it, return non-zero so that the item fails.
    """
    raised = []

    @ctypes.CFUNCTYPE(c_int, POINTER(c_longlong), POINTER(c_longlong), c_void_p)
    def item(number, answer, context):
        try:
            answer[0] = function(number[0])
            return 0
        except BaseException as error:
            raised.append(error)
            return 1

    return item, raised


def main():
    numbers, plain, answers = Numbers(*NUMBERS), Numbers(), Numbers()

    begin = time.perf_counter()
    one_after_the_other(fib_item(), numbers, plain)
    sequential = time.perf_counter() - begin

    begin = time.perf_counter()
    par_map(fib_item(), numbers, answers)
    parallel = time.perf_counter() - begin

    assert list(answers) == list(plain)
    print_table("ctypes: par_map of libparmap.so", NUMBERS, answers, sequential, parallel)

    # Keep `square` until par_map has returned: ctypes frees the C function together with the object.
    square, raised = item_function(lambda number: number * number)
    par_map(square, numbers, answers)
    print("  a Python callback on native threads, under the GIL:", *answers)

    fail, raised = item_function(lambda number: 1 // (number - 35))
    try:
        par_map(fail, numbers, answers)
    except RuntimeError as failure:
        try:
            raise raised[0] from failure
        except ZeroDivisionError as error:
            print(f"  a callback that raised: {failure}, because of ZeroDivisionError: {error}")


if __name__ == "__main__":
    main()
