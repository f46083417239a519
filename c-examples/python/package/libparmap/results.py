"""Room for results where the caller gives none."""

import sys
from array import array

# An integer's letter in array.array by its size; the letter in a buffer's format may name another size there.
SIGNED = {1: "b", 2: "h", 4: "i", 8: "q"}


def room_for_results(src, dtype):
    """An array for the results of src: of its kind, its shape and, unless dtype says otherwise, its type."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(src, numpy.ndarray):
        return numpy.empty(src.shape, src.dtype if dtype is None else dtype)
    view = _view_of(src)
    if dtype is None and isinstance(src, (bytes, bytearray)):
        return bytearray(view.nbytes)
    letter = _letter(view.format, view.itemsize) if dtype is None else _letter_of_dtype(dtype)
    results = array(letter, bytes(array(letter).itemsize)) * (view.nbytes // view.itemsize)
    if view.ndim <= 1:
        return results
    return memoryview(results).cast("B").cast(letter, view.shape)


def check_dtype(out, dtype):
    """Raises unless the array `out` holds what dtype says."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(out, numpy.ndarray):
        fits, held = out.dtype == numpy.dtype(dtype), out.dtype
    else:
        view = _view_of(out, "out")
        held = view.format
        fits = _letter(held, view.itemsize) == _letter_of_dtype(dtype)
    if not fits:
        raise TypeError(f"map_buffer: dtype is {dtype!r} but out holds {held!r}: leave dtype out")


def _view_of(source, name="src"):
    try:
        return memoryview(source)
    except TypeError:
        raise TypeError(
            f"map_buffer: {name} is {source!r}: pass an object that gives access to its memory, such as a "
            "NumPy array, array.array, bytearray or memoryview"
        ) from None


def _letter(format, itemsize):
    """The letter of array.array for items of a buffer."""
    kind = format.lstrip("@=<" if sys.byteorder == "little" else "@=>")
    if kind in tuple("bhilqn") and itemsize in SIGNED:
        return SIGNED[itemsize]
    if kind in tuple("BHILQN") and itemsize in SIGNED:
        return SIGNED[itemsize].upper()
    if kind in ("f", "d"):
        return kind
    raise TypeError(
        f"map_buffer: src holds items of format {format!r}, for which array.array has no type: pass out="
    )


def _letter_of_dtype(dtype):
    """The letter of array.array for what a caller names: a letter, or anything that NumPy knows."""
    numpy = sys.modules.get("numpy")
    if isinstance(dtype, str) and len(dtype) == 1 and dtype in "bBhHiIlLqQfd":
        return _letter(dtype, array(dtype).itemsize)
    if numpy is not None:
        try:
            known = numpy.dtype(dtype)
        except TypeError:
            known = None
        if known is not None:
            return _letter(known.char, known.itemsize)
    raise TypeError(f"map_buffer: dtype is {dtype!r}: pass a letter of array.array such as 'd', or pass out=")
