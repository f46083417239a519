"""An object as it travels between ranks: a head, and parts that go from memory to memory.

A short pickle is a head with SMALL at its end, which whoever unpickles it passes over. Any other head is BEGINNING, the
length of each part, a description of the contents, and those parts that are short. An array is one part, described by its
type and shape; anything else is pickled, and the large buffers inside it (protocol 5) are parts of their own. So no large
array is copied on its way, and a small object is one message.
"""

import math
import pickle
import struct
import sys
from array import array

from libparmap import _core

PICKLE, ARRAY = b"PARP", b"PARA"  # a pickle with parts beside it; an array
SMALL = b"PARS"  # see src/messages.c
BEGINNING = struct.Struct("<4sII")  # kind, number of parts, bytes of description
ARRAY_BEGINNING = struct.Struct("<4sIIQ")  # the same, and the length of its one part

# Up to so many bytes a copy into the head costs less than a message.
SHORT = 8192

# Types of NumPy that their own names describe in full; all others are pickled.
PLAIN_KINDS = frozenset("biufcSU")


def pack(x, vanilla=False):
    """The head, and the list of the parts that follow it. `vanilla` pickles arrays too."""
    if is_plain_array(x) and not vanilla:
        return _pack_array(x)
    buffers = []
    stream = pickle.dumps(x, 5, buffer_callback=buffers.append)
    if not buffers and len(stream) <= SHORT:
        return stream + SMALL, ()
    parts = [stream, *(buffer.raw() for buffer in buffers)]
    lengths = [len(part) for part in parts]
    head = [BEGINNING.pack(PICKLE, len(parts), 0), struct.pack(f"<{len(parts)}Q", *lengths)]
    head += [part for part in parts if len(part) <= SHORT]
    return b"".join(head), [part for part in parts if len(part) > SHORT]


def _pack_array(x):
    description, length = describe(x), x.nbytes
    if not x.flags.c_contiguous:
        x = sys.modules["numpy"].ascontiguousarray(x)
    beginning = ARRAY_BEGINNING.pack(ARRAY, 1, len(description), length)
    if length > SHORT:
        return beginning + description, [x]
    return b"".join((beginning, description, x)), ()


def length_of(packed):
    """The bytes of all parts of what pack() made, the head included."""
    head, parts = packed
    return len(head) + sum(memoryview(part).nbytes for part in parts)


class Parcel:
    """One object that has come, but for the parts that come behind its head: those are to be received into `following`.

    With `buffer`, an array that is to be filled, an array of the same type and size arrives right there. Making a parcel
    never fails: parts that nobody wants must be received all the same.
    """

    __slots__ = ("array", "following", "has_buffer", "kind", "parts", "problem")

    def __init__(self, head, buffer=None):
        self.has_buffer = buffer is not None
        self.problem = None
        self.following = ()
        self.kind = kind = SMALL if is_small(head) else head[:4]
        if kind == SMALL:
            self.parts = (head,)
        elif kind == ARRAY:
            self._find_array(head, buffer)
        elif kind == PICKLE:
            self._find_parts(head)
        else:
            self.problem = ValueError(
                f"receive: the message of {len(head)} bytes was not sent by libparmap.mpi: pass bypass=True and a buffer"
            )

    def _find_array(self, head, buffer):
        _, _, described, length = ARRAY_BEGINNING.unpack_from(head)
        position = ARRAY_BEGINNING.size + described
        self.array, self.problem = array_to_fill(head[ARRAY_BEGINNING.size : position], buffer)
        if length > SHORT:
            self.following = (self.array,)
        elif length:
            _core.fill(self.array, head, position)

    def _find_parts(self, head):
        _, count, _ = BEGINNING.unpack_from(head)
        lengths = struct.unpack_from(f"<{count}Q", head, BEGINNING.size)
        position = BEGINNING.size + 8 * count
        self.parts = [bytearray(length) for length in lengths]
        for part in self.parts:
            if len(part) <= SHORT:
                part[:] = head[position : position + len(part)]
                position += len(part)
        self.following = [part for part in self.parts if len(part) > SHORT]

    def contents(self):
        if self.problem is not None:
            raise self.problem
        if self.kind == ARRAY:
            return self.array
        if self.has_buffer:
            raise TypeError("receive: buffer is an array but what came is none: leave buffer out")
        return pickle.loads(self.parts[0], buffers=self.parts[1:])

    def size(self):
        """How many elements, and the bytes of each; an object other than an array is a number of bytes."""
        if self.kind == ARRAY:
            view = memoryview(self.array)
            return view.nbytes // (view.itemsize or 1), view.itemsize or 1
        return sum(map(len, self.parts)) - (len(SMALL) if self.kind == SMALL else 0), 1


def is_small(head):
    """Whether a head is a short pickle, which begins with 0x80."""
    return head[-4:] == SMALL and head[0] == 0x80


def unpack(came):
    """The object that has come: as a short pickle, or as a parcel whose parts are there."""
    return pickle.loads(came) if type(came) is bytes else came.contents()


# ---- arrays ----------------------------------------------------------------------------------------------------------


def is_plain_array(x):
    if type(x).__name__ != "ndarray":  # as a rule, and asked fastest
        return False
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
        if buffer.dtype == came and buffer.size == math.prod(shape):
            return buffer, None
        room = f"type {buffer.dtype} and shape {buffer.shape}"
    else:
        length = len(memory_of(buffer))
        if length == math.prod(shape) * came.itemsize:
            return buffer, None
        room = f"{length} bytes"
    return numpy.empty(shape, came), ValueError(f"buffer has {room}, but the array that came has type {came} and shape {shape}")


def fillable(buffer):
    """`buffer` where it is an array that can be filled, None where it is something else."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(buffer, numpy.ndarray):
        flags = buffer.flags
        is_whole = flags.c_contiguous and flags.writeable
    elif isinstance(buffer, (bytearray, array, memoryview)):
        view = memoryview(buffer)
        is_whole = view.c_contiguous and not view.readonly
    else:
        return None
    if not is_whole:
        raise BufferError("buffer is read-only or not contiguous: pass an array that can be written to as a whole")
    return buffer
