"""An object as it travels between ranks: a head, and parts that go from memory to memory.

A head is BEGINNING, the length of each part, a description of the contents, and those parts that are short. An array
is one part, described by its type and shape; anything else is pickled, and the large buffers inside it (protocol 5)
are parts of their own. So no large array is copied on its way, and a small object is one message.
"""

import math
import pickle
import struct
import sys
from array import array

MARK = b"PAR"
SMALL, PICKLE, ARRAY = b"PARS", b"PARP", b"PARA"  # a short pickle alone; one with parts beside it; an array
BEGINNING = struct.Struct("<4sII")  # kind, number of parts, bytes of description

# Up to so many bytes a copy into the head costs less than a message.
SHORT = 8192

# Types of NumPy that their own names describe in full; all others are pickled.
PLAIN_KINDS = frozenset("biufcSU")


def pack(x, vanilla=False):
    """The head, and the list of the parts that follow it. `vanilla` pickles arrays too."""
    if is_plain_array(x) and not vanilla:
        if not x.flags.c_contiguous:
            x = sys.modules["numpy"].ascontiguousarray(x).reshape(x.shape)
        return _with_head(ARRAY, describe(x), [x], [x.nbytes])
    buffers = []
    stream = pickle.dumps(x, 5, buffer_callback=buffers.append)
    if not buffers and len(stream) <= SHORT:
        return SMALL + stream, ()
    parts = [stream, *(buffer.raw() for buffer in buffers)]
    return _with_head(PICKLE, b"", parts, [len(part) for part in parts])


def _with_head(kind, description, parts, lengths):
    head = [BEGINNING.pack(kind, len(parts), len(description)), struct.pack(f"<{len(parts)}Q", *lengths), description]
    following = []
    for part, length in zip(parts, lengths):
        if length > SHORT:
            following.append(part)
        elif length:
            head.append(part)
    return b"".join(head), following


def length_of(packed):
    """The bytes of all parts of what pack() made, the head included."""
    head, parts = packed
    return len(head) + sum(memoryview(part).nbytes for part in parts)


class Parcel:
    """One object on its way in: `room(head)` says where its parts are to go, then `contents()` is the object.

    With `buffer`, an array that is to be filled, an array of the same type and size arrives right there.
    """

    __slots__ = ("array", "buffer", "kind", "parts", "problem")

    def __init__(self, buffer=None):
        self.buffer = None if buffer is None else fillable(buffer)
        self.problem = None

    def room(self, head):
        """Never fails: parts that nobody wants must be received all the same."""
        self.kind = kind = head[:4]
        if kind == SMALL:
            self.parts = (head,)
            return ()
        if kind not in (PICKLE, ARRAY):
            self.problem = ValueError(
                f"receive: the message of {len(head)} bytes was not sent by libparmap.mpi: pass bypass=True and a buffer"
            )
            return ()
        _, count, described = BEGINNING.unpack_from(head)
        lengths = struct.unpack_from(f"<{count}Q", head, BEGINNING.size)
        position = BEGINNING.size + 8 * count + described
        if kind == ARRAY:
            self.array, self.problem = array_to_fill(head[position - described : position], self.buffer)
            places = [memory_of(self.array)]
        else:
            places = [bytearray(length) for length in lengths]
        self.parts, following = places, []
        for place, length in zip(places, lengths):
            if length <= SHORT:
                place[:] = head[position : position + length]
                position += length
            else:
                following.append(place)
        return following

    def contents(self):
        if self.problem is not None:
            raise self.problem
        if self.kind == ARRAY:
            return self.array
        if self.buffer is not None:
            raise TypeError("receive: buffer is an array but what came is none: leave buffer out")
        if self.kind == SMALL:
            return pickle.loads(memoryview(self.parts[0])[len(SMALL) :])
        return pickle.loads(self.parts[0], buffers=self.parts[1:])

    def size(self):
        """How many elements, and the bytes of each; an object other than an array is a number of bytes."""
        if self.kind == ARRAY:
            item_size = memoryview(self.array).itemsize or 1
            return len(self.parts[0]) // item_size, item_size
        return sum(map(len, self.parts)) - (len(SMALL) if self.kind == SMALL else 0), 1


# ---- arrays ----------------------------------------------------------------------------------------------------------


def is_plain_array(x):
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(x) is numpy.ndarray and x.dtype.kind in PLAIN_KINDS


def memory_of(x):
    """An array's memory in C order, as plain bytes; a copy where it lies otherwise, or is as good as nothing."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(x, numpy.ndarray):
        x = numpy.ascontiguousarray(x).reshape(-1).view("B") if x.nbytes else bytearray()
    return memoryview(x).cast("B")


def describe(x):
    return description_of(x.dtype, x.shape)


def description_of(dtype, shape):
    return _remembered(_descriptions, (dtype, shape), _describe)


def _describe(type_and_shape):
    dtype, shape = type_and_shape
    return f"{dtype.str} {','.join(map(str, shape))}".encode()


def _type_and_shape(description):
    """What a description says; the type is None where there is no NumPy, and then the shape is a number of bytes."""
    name, lengths = description.decode().split(" ")
    shape = tuple(map(int, lengths.split(","))) if lengths else ()
    try:
        import numpy
    except ImportError:
        return None, math.prod(shape) * int(name[2:]) * (4 if name[1] == "U" else 1)
    return numpy.dtype(name), shape


# Programs send arrays of few types and shapes, many times. (functools.lru_cache hides signatures from stubtest.)
_descriptions: dict = {}
_types_and_shapes: dict = {}
MOST_REMEMBERED = 256


def _remembered(known, key, make):
    value = known.get(key)
    if value is None:
        if len(known) >= MOST_REMEMBERED:
            known.clear()
        value = known[key] = make(key)
    return value


def array_to_fill(description, buffer=None):
    """`buffer`, or a new array as it is described; and an exception where `buffer` does not fit, or None."""
    came, shape = _remembered(_types_and_shapes, description, _type_and_shape)
    if came is None:
        if buffer is not None and len(memory_of(buffer)) == shape:
            return buffer, None
        return bytearray(shape), ImportError("receive: an array came, and NumPy is not installed: pass a buffer")
    numpy = sys.modules["numpy"]
    if buffer is None:
        return numpy.empty(shape, came), None
    if isinstance(buffer, numpy.ndarray):
        fits = buffer.dtype == came and buffer.size == math.prod(shape)
        room = f"type {buffer.dtype} and shape {buffer.shape}"
    else:
        length = len(memory_of(buffer))
        fits, room = length == math.prod(shape) * came.itemsize, f"{length} bytes"
    if fits:
        return buffer, None
    return numpy.empty(shape, came), ValueError(f"buffer has {room}, but the array that came has type {came} and shape {shape}")


def fillable(buffer):
    """`buffer` where it is an array that can be filled, None where it is something else."""
    numpy = sys.modules.get("numpy")
    if not isinstance(buffer, (bytearray, array, memoryview, *([numpy.ndarray] if numpy else []))):
        return None
    view = memoryview(buffer)
    if view.readonly or not view.c_contiguous:
        raise BufferError("buffer is read-only or not contiguous: pass an array that can be written to as a whole")
    return buffer
