"""Messages between the ranks of an MPI program, with the names of PyPar, under any MPI.

    from libparmap import mpi

    if mpi.rank() == 0:
        mpi.send({"any": "object"}, destination=1)
    else:
        print(mpi.receive(source=0))

Started by mpiexec or srun, the ranks find each other at the first call; started by hand, this is rank 0 of 1. An
exception that nobody catches ends all ranks, with its traceback, instead of leaving the others waiting.

size() rank() get_processor_name()      who there is
send() receive()                        any object that can be pickled; NumPy arrays without pickling or copying
broadcast() scatter() gather() reduce() called by all ranks together, as is barrier()
time() abort() finalize()
"""

import sys
from functools import partial

from libparmap import _core, together
from libparmap.parcels import Parcel, fillable, memory_of, pack, unpack
from libparmap.reduction import BAND, BOR, BXOR, MAX, MIN, PROD, SUM

__all__ = [
    "BAND", "BOR", "BXOR", "MAX", "MIN", "PROD", "SUM", "Status", "abort", "any_source", "any_tag", "barrier",
    "broadcast", "finalize", "gather", "get_processor_name", "library", "rank", "receive", "reduce", "scatter", "send",
    "size", "time",
]  # fmt: skip

any_source = any_tag = -1
default_tag = 1

_started = False


def start():
    """Finds the other ranks. Every function here does so by itself."""
    global _started
    if not _started:
        _core.ranks_init()
        _started = True
        if _core.ranks_size() > 1:
            _end_all_ranks_on_uncaught_exceptions()


def rank():
    """This process's number, from 0."""
    start()
    return _core.ranks_rank()


def size():
    """How many processes there are."""
    start()
    return _core.ranks_size()


def get_processor_name():
    """The name of the machine this rank runs on."""
    start()
    return _core.ranks_processor_name()


def library():
    """The MPI that was loaded, or "none"."""
    start()
    return _core.ranks_library()


def time():
    """Seconds since some moment in the past, on MPI's clock."""
    start()
    return _core.ranks_time()


# ---- from rank to rank -----------------------------------------------------------------------------------------------


def send(x, destination, use_buffer=False, vanilla=False, tag=default_tag, bypass=False):
    """Send any object that can be pickled to the rank `destination`.

    A NumPy array travels as it lies in memory. Large messages wait until they are received.

    vanilla     pickle an array, too
    bypass      send an array's memory and nothing else, for receive(bypass=True), or for a C program
    use_buffer  means nothing here: every message can be received into a buffer
    """
    start()
    head, parts = (memory_of(x), ()) if bypass else pack(x, vanilla)
    _core.ranks_send(head, parts, destination, tag)


def receive(source=any_source, buffer=None, vanilla=False, tag=default_tag, return_status=False, bypass=False):
    """Wait for a message of the rank `source`, or of any, and return what it holds.

    buffer         an array to be filled; it must be as large as the one that comes, which then arrives right there (if it
                   is not, the message is lost; a read-only one is refused before). Anything else is passed over, as in PyPar
    tag            what the message must be marked with; any_tag takes all
    return_status  return (object, Status)
    bypass         for what send(bypass=True) or a C program sent; buffer is a must, and may be larger
    vanilla        means nothing here: the message knows whether it is pickled
    """
    start()
    if bypass:
        if fillable(buffer) is None:
            raise TypeError(f"receive: buffer is {buffer!r}: with bypass=True pass an array to be filled")
        length, source, tag = _core.ranks_receive_into(memory_of(buffer), source, tag)
        item_size = memoryview(buffer).itemsize
        return (buffer, Status(source, tag, length // item_size, item_size)) if return_status else buffer
    to_parcel = Parcel if buffer is None else partial(Parcel, buffer=fillable(buffer))
    came, source, tag = _core.ranks_receive(to_parcel, source, tag, -1, -1)
    if buffer is None and not return_status:
        return unpack(came)
    parcel = to_parcel(came) if type(came) is bytes else came
    return (parcel.contents(), Status(source, tag, *parcel.size())) if return_status else parcel.contents()


class Status:
    """Where a message came from, and how long it was."""

    def __init__(self, source, tag, length, size):
        self.source = source
        self.tag = tag
        self.error = 0
        self.length = length  # elements of an array, bytes of anything else
        self.size = size  # bytes of one of them

    def bytes(self):
        return self.length * self.size

    def __repr__(self):
        return f"Status(source={self.source}, tag={self.tag}, length={self.length}, size={self.size})"


# ---- all ranks together ----------------------------------------------------------------------------------------------


def barrier():
    """Wait until every rank has come here."""
    start()
    _core.ranks_barrier()


def broadcast(buffer, root=0, vanilla=False, bypass=False):
    """Return, on every rank, the object that `root` passed.

    On the other ranks `buffer` may be an array to be filled, or anything, such as None, to be passed over.

    bypass  arrays of the same type and size on every rank, and no checks
    """
    start()
    if bypass:
        _core.ranks_broadcast(memory_of(buffer), root)
        return buffer
    return together.broadcast(buffer, root, vanilla)


def scatter(x, root=0, buffer=None, vanilla=False):
    """Cut what `root` passed into equal parts, and return this rank's.

    An array is cut along its first axis, str and bytes into equal lengths; any other sequence has one item for each
    rank. On the other ranks x may be None.
    """
    start()
    return together.scatter(x, root, buffer, vanilla)


def gather(x, root=0, buffer=None, vanilla=False):
    """Return, at `root`, what all ranks passed; None elsewhere.

    Arrays are joined along their first axis, into `buffer` where that is given, str and bytes to one; anything else
    makes a list, by rank.
    """
    start()
    return together.gather(x, root, buffer, vanilla)


def reduce(x, op, root=0, buffer=None, vanilla=False, bypass=False):
    """Return, at `root`, the sum, or what op says, of the arrays or numbers of all ranks; None elsewhere.

    op is one of SUM PROD MIN MAX BAND BOR BXOR. An array's elements are int8, uint8, int32, uint32, int64, uint64,
    float32 or float64, and each is reduced by itself; a Python int is an int64, and sums of both wrap as NumPy's do.
    The results go to `buffer` where that is given.

    bypass  do not check first whether all ranks pass the same type and size
    """
    start()
    return together.reduce(x, op, root, buffer, bypass)


# ---- the end ---------------------------------------------------------------------------------------------------------


def abort(code=1):
    """End all ranks at once; the job's exit code is `code` where the launcher passes it on."""
    start()
    _flush()
    _core.ranks_abort(code)


def finalize():
    """Wait for the other ranks, and end MPI. A rank that ends without calling this does so by itself."""
    start()
    _core.ranks_finalize()


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # there is none, or nobody reads it any more
            pass


def _end_all_ranks_on_uncaught_exceptions():
    """The other ranks would wait for this one for ever."""
    previous = sys.excepthook

    def hook(kind, error, traceback):
        previous(kind, error, traceback)
        if hasattr(sys, "ps1"):  # at a prompt the program goes on
            return
        print(
            f"libparmap.mpi: rank {_core.ranks_rank()} of {_core.ranks_size()} did not catch {kind.__name__}: ending all ranks",
            file=sys.stderr,
        )
        abort(130 if issubclass(kind, KeyboardInterrupt) else 1)

    sys.excepthook = hook
