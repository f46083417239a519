"""broadcast, scatter, gather and reduce of objects, made of the same calls over plain memory.

What goes wrong on one rank before anything has travelled, such as an object that cannot be pickled, is told to all:
each raises, and none waits for ever.
"""

import struct
import sys
import zlib
from array import array

from libparmap import _core
from libparmap.parcels import (
    Parcel, array_to_fill, describe, description_of, fillable, is_plain_array, length_of, memory_of, pack,
)  # fmt: skip
from libparmap.reduction import MAX, TYPES, kind_and_count

# A broadcast begins with a block of this length; a short object fits into it whole.
BLOCK = 512
LENGTH = struct.Struct("<q")
FAILED = -1


# ---- broadcast -------------------------------------------------------------------------------------------------------


def broadcast(x, root, vanilla=False):
    if _core.ranks_rank() == root:
        return _broadcast_from_here(x, root, vanilla)
    buffer, problem = _place(x)
    block = bytearray(BLOCK)
    _core.ranks_broadcast(block, root)
    (length,) = LENGTH.unpack_from(block)
    if length == FAILED:
        raise RuntimeError(f"broadcast: rank {root} could not pickle what it passed")
    head = block[LENGTH.size : LENGTH.size + length]
    if length > BLOCK - LENGTH.size:
        head = bytearray(length)
        _core.ranks_broadcast(head, root)
    parcel = Parcel(bytes(head), buffer)
    for part in parcel.following:
        _core.ranks_broadcast(part, root)
    if problem is not None:
        raise problem
    return parcel.contents()


def _broadcast_from_here(x, root, vanilla):
    block = bytearray(BLOCK)
    try:
        head, parts = pack(x, vanilla)
    except BaseException:
        LENGTH.pack_into(block, 0, FAILED)
        _core.ranks_broadcast(block, root)
        raise
    LENGTH.pack_into(block, 0, len(head))
    is_short = len(head) <= BLOCK - LENGTH.size
    if is_short:
        block[LENGTH.size : LENGTH.size + len(head)] = head
    for part in [block, *([] if is_short else [head]), *parts]:
        _core.ranks_broadcast(part, root)
    return x


# ---- scatter ---------------------------------------------------------------------------------------------------------


def scatter(x, root, buffer, vanilla):
    room, unfit = _place(buffer)
    plan = memory = None
    if _core.ranks_rank() == root:
        try:
            plan, memory = _plan_of_scatter(x, vanilla)
        except Exception as error:
            broadcast(("failed", str(error)), root)
            raise
    kind, how = broadcast(plan, root)
    if kind == "failed":
        raise RuntimeError(f"scatter: rank {root} could not share out what it passed: {how}")
    if kind == "array":
        mine, problem = array_to_fill(how, room)
        _core.ranks_scatter(memory, memory_of(mine), root)
        if unfit or problem:
            raise unfit or problem
        return mine
    mine = bytearray(how)
    _core.ranks_scatter(memory, mine, root)
    if unfit:
        raise unfit
    return _unpadded(mine, room)


def _plan_of_scatter(x, vanilla):
    """What each rank is to know, and the memory that is cut into equal parts."""
    size = _core.ranks_size()
    if is_plain_array(x) or isinstance(x, (str, bytes)):
        count = len(x)
        if count % size:
            raise ValueError(f"scatter: x has a length of {count}, which {size} ranks cannot share evenly")
        each = count // size
        if is_plain_array(x) and not vanilla:
            return ("array", describe(x[:each])), memory_of(x)
        items = [x[i * each : (i + 1) * each] for i in range(size)]
    else:
        items = list(x)
        if len(items) != size:
            raise ValueError(f"scatter: x has {len(items)} items but there are {size} ranks: pass one for each")
    packed = [pack(item, vanilla) for item in items]
    each = max(map(_padded_length, packed))
    return ("objects", each), b"".join(_padded(one, each) for one in packed)


# ---- gather ----------------------------------------------------------------------------------------------------------


def gather(x, root, buffer, vanilla):
    rank, size = _core.ranks_rank(), _core.ranks_size()
    at_root = rank == root
    failure, signature, length = None, FAILED, 0
    try:
        room = fillable(buffer) if at_root else None
        packed = pack(x, vanilla)
        length = _padded_length(packed)
        if is_plain_array(x) and not vanilla:
            signature = zlib.crc32(describe(x))
            everything = _room_to_gather(x, size, room) if at_root else None
    except Exception as error:
        failure = error
    highest, lowest = _extremes([0 if failure is None else rank + 1, signature, length])
    if highest[0]:
        raise failure or RuntimeError(f"gather: rank {highest[0] - 1} could not pass on what it was given")
    if highest[1:] == lowest[1:] and signature != FAILED:
        _core.ranks_gather(memory_of(x), memory_of(everything) if at_root else None, root)
        return everything
    each = highest[2]
    everything = bytearray(size * each) if at_root else None
    _core.ranks_gather(_padded(packed, each), everything, root)
    if not at_root:
        return None
    view = memoryview(everything)
    return _joined([_unpadded(view[i * each : (i + 1) * each]) for i in range(size)])


def _room_to_gather(x, size, buffer):
    shape = (size * x.shape[0], *x.shape[1:]) if x.ndim else (size,)
    everything, problem = array_to_fill(description_of(x.dtype, shape), buffer)
    if problem is not None:
        raise problem
    return everything


def _joined(objects):
    for kind in (str, bytes):
        if all(isinstance(one, kind) for one in objects):
            return kind().join(objects)
    if all(is_plain_array(one) and one.ndim for one in objects):
        return sys.modules["numpy"].concatenate(objects)
    return objects


# ---- reduce ----------------------------------------------------------------------------------------------------------


def reduce(x, op, root, buffer, bypass):
    rank = _core.ranks_rank()
    is_number = isinstance(x, (int, float)) and not isinstance(x, bool)
    failure = results = None
    kind = count = 0
    try:
        values = array("d" if isinstance(x, float) else "q", [x]) if is_number else x
        kind, count = kind_and_count(values, op)
        if rank == root:
            results = _room_for_results(values, buffer)
    except Exception as error:
        if bypass:
            raise
        failure = error
    if not bypass:
        highest, lowest = _extremes([0 if failure is None else rank + 1, kind, count, 0 if failure else op])
        if highest[0]:
            raise failure or RuntimeError(f"reduce: rank {highest[0] - 1} passed what cannot be reduced")
        if highest != lowest:
            raise ValueError("reduce: the ranks pass different types, lengths or operations: pass the same on every rank")
    _core.ranks_reduce(memory_of(values), None if results is None else memory_of(results), count, kind, op, root)
    return results[0] if is_number and rank == root and buffer is None else results


def _room_for_results(values, buffer):
    if buffer is not None:
        if fillable(buffer) is None or len(memory_of(buffer)) != len(memory_of(values)):
            raise ValueError("reduce: buffer is not as large as x: pass an array of the same type and shape")
        return buffer
    if isinstance(values, array):
        return array(values.typecode, values)
    import numpy

    return numpy.empty_like(values, order="C", subok=False)


# ---- what they share -------------------------------------------------------------------------------------------------


def _place(buffer):
    """`buffer` where it can be filled, else None; and what to raise when this rank has done its part, or None."""
    try:
        return fillable(buffer), None
    except BufferError as error:
        return None, error


def _extremes(numbers):
    """The highest and the lowest of each number, over all ranks, on every rank."""
    mine = array("q", [*numbers, *(-number for number in numbers)])
    highest = array("q", mine)
    _core.ranks_reduce(mine, highest if _core.ranks_rank() == 0 else None, len(mine), TYPES["i", 8], MAX, 0)
    _core.ranks_broadcast(highest, 0)
    return list(highest[: len(numbers)]), [-number for number in highest[len(numbers) :]]


def _padded_length(packed):
    return LENGTH.size + length_of(packed)


def _padded(packed, length):
    """One object in a block of this length: the length of its head, the head, the parts, and zeros."""
    head, parts = packed
    return b"".join([LENGTH.pack(len(head)), head, *parts]).ljust(length, b"\0")


def _unpadded(block, buffer=None):
    view = memoryview(block)
    position = LENGTH.size + LENGTH.unpack_from(view)[0]
    parcel = Parcel(bytes(view[LENGTH.size : position]), buffer)
    for part in parcel.following:
        _core.fill(part, view, position)
        position += memoryview(part).nbytes
    return parcel.contents()
