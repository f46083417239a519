"""callback: makes a Python function fit to be called from native threads."""

import functools
import operator
import re
import threading
from contextlib import contextmanager

from libparmap import _core

# The codes of items whose callback raised; codes that people return are far from these.
FIRST_CODE = -(2**31)

ELEMENTS = {"double": "c_double", "float": "c_float", "int64_t": "c_int64", "int32_t": "c_int32"}
POINTED_AT = ELEMENTS | {
    "int": "c_int", "long": "c_long", "long long": "c_longlong", "unsigned char": "c_ubyte",
    "int8_t": "c_int8", "int16_t": "c_int16", "size_t": "c_size_t",
    "uint8_t": "c_uint8", "uint16_t": "c_uint16", "uint32_t": "c_uint32", "uint64_t": "c_uint64",
}  # fmt: skip


def callback(signature):
    """Decorator: a Python function that map_buffer can call as a C function of that signature.

        @libparmap.callback("int (const double *, double *, void *)")
        def half(src, out, user_data):
            out[0] = src[0] / 2

        map_buffer(half, array)

    The function runs on native threads, under the GIL and thus one call at a time: right for trying things
    out, not for speed. In an item function None means success. An exception ends the map, and map_buffer
    raises it. Called from Python the function is what it was.
    """
    if not isinstance(signature, str):
        raise TypeError(f'callback: signature is {signature!r}: write @callback("double (double)")')

    def decorate(function):
        if not callable(function):
            raise TypeError(f"callback: {function!r} cannot be called")
        return Callback(function, signature)

    return decorate


class Callback:
    def __init__(self, function, signature):
        self._prototype, self._is_item = _prototype(signature)
        self._function = function
        functools.update_wrapper(self, function)

    def __call__(self, *args, **kwargs):
        return self._function(*args, **kwargs)

    @contextmanager
    def running(self):
        """For the time of one map: its C function and its stop flag. What the function raised comes out of it."""
        running = Running(self._function, self._prototype, self._is_item)
        try:
            yield running
        except _core.ItemError as failure:
            error = running.raised_for(failure)
            if error is None:
                raise
        else:
            error = running.first_raised()
        if error is not None:
            try:
                raise error from None
            finally:
                del error, running  # which the traceback would otherwise keep alive, and they it


class Running:
    """One map's use of a callback, so that maps at the same time do not see each other's exceptions."""

    def __init__(self, function, prototype, is_item):
        import ctypes

        self.stop = ctypes.c_int(0)
        self._exceptions = {}
        call = _item_call if is_item else _element_call
        self.pointer = prototype(call(function, prototype._restype_, self.stop, self._exceptions))

    def raised_for(self, failure):
        """The exception behind an ItemError, or None where the function itself returned the code."""
        error = self._exceptions.get(failure.code)
        if error is not None:
            error.add_note(f"map_buffer: raised for item {failure.index}")
        return error

    def first_raised(self):
        return next(iter(self._exceptions.values()), None)


def _item_call(function, result_type, stop, exceptions):
    lock = threading.Lock()

    def call(*arguments):
        try:
            code = function(*arguments)
            return 0 if code is None else _fitting(code, result_type)
        except BaseException as error:  # whatever it is, it must not leave through C
            with lock:
                code = FIRST_CODE + len(exceptions)
                exceptions[code] = error
            return code

    return call


def _element_call(function, result_type, stop, exceptions):
    def call(*arguments):
        if stop.value:
            return 0
        try:
            return _fitting(function(*arguments), result_type)
        except BaseException as error:  # an element has no code to fail with, so the flag stops the map
            exceptions.setdefault("first", error)
            stop.value = 1
            return 0

    return call


def _fitting(result, result_type):
    """The result as its C type takes it; ctypes would cut off what does not fit, or print an error and go on."""
    if result_type._type_ in "df":
        return float(result)
    whole = operator.index(result)
    if result_type(whole).value != whole:
        raise OverflowError(f"callback: the function returned {whole}, too large for its C type")
    return whole


def _prototype(signature):
    """The ctypes prototype of a signature, and whether it is that of an item function."""
    import ctypes

    name, *arguments = re.split(r" \(|, |\)", _core.normal_signature(signature))[:-1]
    if len(arguments) == 3:
        spelled = signature[signature.rindex("(") + 1 : signature.rindex(")")].split(",")
        return ctypes.CFUNCTYPE(ctypes.c_int, *map(_pointer_type, spelled)), True
    element = getattr(ctypes, ELEMENTS[name])
    return ctypes.CFUNCTYPE(element, element, *[ctypes.c_void_p] * (len(arguments) - 1)), False


def _pointer_type(spelled):
    """POINTER(c_double) for "const double *"; a pointer to anything unknown arrives as an address."""
    import ctypes

    match = re.fullmatch(r"\s*(?:const\s+)?([a-z0-9_ ]+?)\s*(?:const\s*)?\*\s*\w*\s*", spelled)
    known = POINTED_AT.get(match[1]) if match else None
    return ctypes.c_void_p if known is None else ctypes.POINTER(getattr(ctypes, known))
