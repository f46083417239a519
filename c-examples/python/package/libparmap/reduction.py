"""What can be reduced, and by which operations, in the library's numbers."""

import sys

SUM, PROD, MIN, MAX, BAND, BOR, BXOR = OPERATIONS = range(1, 8)

# The library's number for elements of a kind and size.
TYPES = {
    ("i", 1): 1, ("u", 1): 2, ("i", 4): 3, ("u", 4): 4, ("i", 8): 5, ("u", 8): 6, ("f", 4): 7, ("f", 8): 8,
}  # fmt: skip

LETTERS = {**dict.fromkeys("bhilqn", "i"), **dict.fromkeys("BHILQN", "u"), **dict.fromkeys("fd", "f")}


def kind_and_count(values, op):
    """The type and the number of the elements of an array."""
    if op not in OPERATIONS:
        raise ValueError(f"reduce: op is {op!r}: pass one of SUM PROD MIN MAX BAND BOR BXOR")
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(values, numpy.ndarray):
        name, size, count = values.dtype.name, values.itemsize, values.size
        letter = values.dtype.kind if values.dtype.isnative else None
    else:
        view = memoryview(values)
        name, size, count = view.format, view.itemsize, view.nbytes // view.itemsize
        letter = LETTERS.get(name)
    kind = TYPES.get((letter, size))
    if kind is None:
        raise TypeError(
            f"reduce: x holds elements of type {name}: convert it to int8, uint8, int32, uint32, int64, uint64, "
            "float32 or float64"
        )
    if op >= BAND and letter == "f":
        raise TypeError(f"reduce: x holds elements of type {name}, which have no bits to combine: pass integers")
    return kind, count
