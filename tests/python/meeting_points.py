"""Servers for the tests of Sync: a real Redis with and without password and database, and our own."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import libparmap

PASSWORD = "open:sesame@home"


def accepts(path):
    """Whether somebody listens there: the socket's file is there a moment earlier."""
    with socket.socket(socket.AF_UNIX) as attempt:
        return attempt.connect_ex(str(path)) == 0


@contextmanager
def redis_server(*arguments):
    """A Redis; yields its folder, which holds its socket, and its process."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    # Where the path of a socket is short enough.
    with tempfile.TemporaryDirectory(prefix="parmap-redis-") as folder:
        path = Path(folder) / "redis.sock"
        command = ["redis-server", "--save", "", "--appendonly", "no", "--dir", folder, "--unixsocket", path]
        server = subprocess.Popen([*command, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            while not accepts(path):
                assert server.poll() is None, "redis-server has ended"
                time.sleep(0.005)
            yield path, server
        finally:
            server.kill()
            server.wait()


@contextmanager
def redis():
    with redis_server("--port", "0") as (path, _):
        yield f"unix://{path}"


@contextmanager
def redis_with_password_and_database():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with redis_server("--bind", "127.0.0.1", "--port", str(port), "--requirepass", PASSWORD):
        yield f"redis://:open:sesame%40home@127.0.0.1:{port}/3"


# A program that libparmap.run starts: tells where its meeting point is, and stays until its end is opened and closed.
CHILD = """
import os, sys
with open(sys.argv[1], "w") as out:
    out.write(os.environ["PAR_SYNC_URL"])
open(sys.argv[2]).read()
"""


@contextmanager
def ours():
    with tempfile.TemporaryDirectory() as folder:
        tells, ends = Path(folder) / "tells", Path(folder) / "ends"
        os.mkfifo(tells)
        os.mkfifo(ends)
        command = [sys.executable, "-c", CHILD, tells, ends]
        host = threading.Thread(target=libparmap.run, args=([command],), kwargs={"sync": True, "check": True})
        host.start()
        try:
            yield tells.read_text()
        finally:
            ends.write_text("")
            host.join()


ALL = [redis, redis_with_password_and_database, ours]
