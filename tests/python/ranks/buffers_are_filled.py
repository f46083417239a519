"""Arrays arrive in the memory that the receiver gives."""

from array import array

import numpy
from libparmap import mpi

rank, size = mpi.rank(), mpi.size()
right, left = (rank + 1) % size, (rank - 1) % size


def passed_on(x, receive, **options):
    if size == 1 or rank % 2 == 0:
        mpi.send(x, right, **options)
    received = receive()
    if size > 1 and rank % 2:
        mpi.send(x, right, **options)
    return received


for n in (0, 1, 10, 5_000, 300_000):
    x, buffer = numpy.arange(n, dtype="f8"), numpy.zeros(n)
    assert passed_on(x, lambda: mpi.receive(left, buffer)) is buffer and (buffer == x).all()
    assert passed_on(x, lambda: mpi.receive(left, buffer, bypass=True), bypass=True) is buffer and (buffer == x).all()
    for plain in (bytearray(8 * n), array("d", bytes(8 * n)), memoryview(bytearray(8 * n))):
        assert passed_on(x, lambda: mpi.receive(left, plain)) is plain and bytes(plain) == x.tobytes()

# Whatever is no array leaves the choice to the message, as it did in PyPar.
assert passed_on([1], lambda: mpi.receive(left, "a word")) == [1]

wide = numpy.zeros(8, "i4")
received, status = passed_on(
    numpy.arange(3, dtype="i4"), lambda: mpi.receive(left, wide, bypass=True, return_status=True), bypass=True
)
assert received is wide and status.length == 3 and status.size == 4 and status.bytes() == 12
assert wide.tolist() == [0, 1, 2, 0, 0, 0, 0, 0]


def refusal(x, receive, **options):
    def attempt():
        try:
            receive()
        except Exception as error:
            return error
        raise AssertionError("nothing was raised")

    return passed_on(x, attempt, **options)


# What does not fit is told, and the next message is none the worse for it.
for n in (10, 5_000, 300_000):
    x = numpy.arange(float(n))
    for buffer in (numpy.zeros(n + 1), numpy.zeros(n, "i8"), bytearray(8 * n - 1)):
        error = refusal(x, lambda: mpi.receive(left, buffer))
        assert type(error) is ValueError and "the array that came has type float64 and shape" in str(error), error
        assert (passed_on(x, lambda: mpi.receive(left)) == x).all()
    error = refusal(x, lambda: mpi.receive(left, numpy.zeros(n - 1), bypass=True), bypass=True)
    assert type(error) is ValueError and "is lost: pass more room" in str(error), error

error = refusal({"no": "array"}, lambda: mpi.receive(left, numpy.zeros(3)))
assert type(error) is TypeError and "leave buffer out" in str(error)
error = refusal(numpy.arange(3), lambda: mpi.receive(left), bypass=True)
assert type(error) is ValueError and "was not sent by libparmap.mpi" in str(error)

for buffer in (numpy.zeros((4, 4)).T[1:], numpy.zeros(8)[::2], numpy.frombuffer(bytes(8)), memoryview(b"abc")):
    try:
        mpi.receive(left, buffer)
    except BufferError as error:
        assert "read-only or not contiguous" in str(error)
    else:
        raise AssertionError("nothing was raised")
print(f"rank {rank} is content")
