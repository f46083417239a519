"""Messages between a pool and its workers: a header, a pickle, and large memory as file descriptors.

Small pickles travel through the socket. A large one, and every large buffer that its objects hand over
out of band (a NumPy array does), is written once into memory of its own, which the receiver maps: nothing is
copied a second time, and nothing large stands in the way of small messages.
"""

import array
import copyreg
import errno
import io
import os
import pickle
import socket
import struct
import time
from collections import ChainMap, deque
from multiprocessing.reduction import ForkingPickler

from libparmap import _core
from libparmap._core import Descriptor

# What a message is.
WORK, RESULTS, NOT_LOADED, READY, FAILED_TO_START = range(5)

# Flags of RESULTS: some items failed; nothing of the chunk is left.
FAILURES, FINISHED = 1, 2

# What the key of WORK says of a pickled function; any other key is its address in the image that workers are forked
# from. Where no pickled function comes with the work, the key is that of an inherited one.
BY_VALUE, BY_NAME = 0, 1

HEADER = struct.Struct("=BBHIIIQQQ")  # kind, flags, n_fds, seq, count, extra, function_size, key, size
BODY_IS_MAPPED = 0x80  # in flags: the first descriptor holds the body

MOST_INLINE = 128 << 10
LARGE_BUFFER = 256 << 10
MOST_FDS = 64  # in one message; the kernel takes 253
READ_AT_ONCE = 64 << 10  # malloc has that at hand; it maps new memory for 128 KiB and more
ROOM_SECONDS = 1e-3  # between two looks whether other descriptors have arrived
ROOM_FOR_FDS = socket.CMSG_SPACE(MOST_FDS * array.array("i").itemsize)

# What multiprocessing can pickle, such as sockets and connections, we can.
REDUCERS = ChainMap(ForkingPickler._extra_reducers, copyreg.dispatch_table)


class Body:
    """A pickled value behind the pickled function that is to be applied to it, ready to be sent."""

    __slots__ = ("parts", "descriptors", "flags", "function_size", "weight")

    def __init__(self, value, function=b""):
        self.function_size = len(function)
        try:
            self._lay_out(function, *dump(value))
        except OSError:  # no descriptor, or no memory for it: through the socket, then
            pickled, _ = dump(value, apart=False)
            self.parts, self.descriptors, self.flags = [function, pickled], [], 0
            self.weight = len(function) + pickled.nbytes

    def _lay_out(self, function, pickled, buffers):
        self.parts, self.descriptors, self.flags = [function, pickled], [], 0
        self.weight = len(function) + pickled.nbytes + sum(buffer.nbytes for buffer in buffers)
        if len(function) + pickled.nbytes > MOST_INLINE:
            self.descriptors.append(_written(self.parts))
            self.parts, self.flags = [], BODY_IS_MAPPED
        self.descriptors += [_written([buffer]) for buffer in buffers]


def dump(value, apart=True):
    """The pickle of a value, and the large buffers that are to travel beside it."""
    buffers = []

    def keep_apart(buffer):
        raw = buffer.raw()
        if not apart or raw.nbytes < LARGE_BUFFER or len(buffers) >= MOST_FDS - 1:
            return True
        buffers.append(raw)
        return False

    file = io.BytesIO()
    pickler = pickle.Pickler(file, 5, buffer_callback=keep_apart)
    pickler.dispatch_table = REDUCERS
    pickler.dump(value)
    return file.getbuffer(), buffers


def _written(parts):
    descriptor = Descriptor(os.memfd_create("libparmap", os.MFD_CLOEXEC))
    for part in parts:
        rest = memoryview(part).cast("B")
        while rest:
            rest = rest[os.write(descriptor.fd, rest) :]
    return descriptor


class Message:
    """A message that arrived."""

    __slots__ = ("kind", "flags", "seq", "count", "extra", "function_size", "key", "body", "descriptors")

    def memory(self):
        """The body, and the buffers beside it."""
        descriptors = self.descriptors
        if self.flags & BODY_IS_MAPPED:
            return _memory_of(descriptors[0]), [_memory_of(one) for one in descriptors[1:]]
        return self.body, [_memory_of(one) for one in descriptors]

    def load(self):
        body, buffers = self.memory()
        return pickle.loads(body, buffers=buffers)


def _memory_of(descriptor):
    size = os.fstat(descriptor.fd).st_size
    try:
        return memoryview(_core.Mapping(descriptor.fd, size))
    except OSError:  # too many mappings, or too little address space in one piece
        memory = memoryview(bytearray(size))
        done = 0
        while done < size:
            done += os.preadv(descriptor.fd, [memory[done:]], done)
        return memory


def packed(kind, body=None, flags=0, seq=0, count=0, extra=0, key=0):
    """The parts of a message, and the descriptors that go with its first byte."""
    if body is None:
        return [HEADER.pack(kind, flags, 0, seq, count, extra, 0, key, 0)], []
    header = HEADER.pack(kind, flags | body.flags, len(body.descriptors), seq, count, min(extra, 2**32 - 1),
                         body.function_size, key, sum(map(len, body.parts)))  # fmt: skip
    return [header, *body.parts], body.descriptors


class Outbox:
    """The sending end of a socket; what the socket does not take at once waits here."""

    def __init__(self, sock):
        self._sock = sock
        self._waiting = deque()

    def put(self, parts, descriptors):
        self._waiting.append((b"".join(parts), descriptors))

    def send(self, flags=0):
        """Sends until everything is sent, or the socket is full; True when nothing is left."""
        while self._waiting:
            data, descriptors = self._waiting[0]
            fds = array.array("i", [descriptor.fd for descriptor in descriptors])
            beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
            try:
                sent = self._sock.sendmsg([data], beside, flags | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return False
            except OSError as error:
                # So many descriptors may be on their way between all processes of a user; receivers make room.
                if error.errno != errno.ETOOMANYREFS:
                    raise
                if flags & socket.MSG_DONTWAIT:
                    return False
                time.sleep(ROOM_SECONDS)
                continue
            if sent == len(data):
                self._waiting.popleft()
            else:
                self._waiting[0] = (memoryview(data)[sent:], [])
        return True


class Inbox:
    """The receiving end of a socket."""

    def __init__(self, sock):
        self._sock = sock
        self._data = bytearray()
        self._descriptors = deque()

    def receive(self, flags=0):
        """Reads what has come; False at the end of the stream."""
        data, beside, said, _ = self._sock.recvmsg(READ_AT_ONCE, ROOM_FOR_FDS, flags | socket.MSG_CMSG_CLOEXEC)
        for level, kind, fds in beside:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                whole = len(fds) - len(fds) % 4
                self._descriptors.extend(map(Descriptor, array.array("i", fds[:whole])))
        if said & socket.MSG_CTRUNC:
            self._descriptors.clear()  # closes those that still got through
            raise OSError(errno.EMFILE, "Pool: large memory arrived for which this process may open no descriptor: "
                                        "raise `ulimit -n`")  # fmt: skip
        self._data += data
        return bool(data)

    def next(self):
        """The next whole message, or None."""
        data = self._data
        if len(data) < HEADER.size:
            return None
        message = Message()
        (message.kind, message.flags, n_fds, message.seq, message.count, message.extra, message.function_size,
         message.key, size) = HEADER.unpack_from(data)  # fmt: skip
        end = HEADER.size + size
        if len(data) < end:
            return None
        message.body = bytes(memoryview(data)[HEADER.size : end])
        del data[:end]
        message.descriptors = [self._descriptors.popleft() for _ in range(n_fds)]
        return message
