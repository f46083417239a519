"""Our server as other clients see it: redis-py, redis-cli, and byte for byte beside a real Redis."""

import random
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

import meeting_points
import pytest


@pytest.fixture
def ours():
    with meeting_points.ours() as url:
        yield url


def path_of(url):
    return url.removeprefix("unix://")


# ---- redis-py -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=[None, 2, 3], ids=["as it comes", "RESP2", "RESP3"])
def client(request, ours):
    redis = pytest.importorskip("redis")
    protocol = {} if request.param is None else {"protocol": request.param}
    with redis.Redis.from_url(ours, decode_responses=True, **protocol) as client:
        yield client


def test_redis_py_stores_and_counts(client):
    assert client.ping()
    assert client.set("key", "1", nx=True) and not client.set("key", "2", nx=True)
    assert (client.get("key"), client.incr("key"), client.incrby("key", 40), client.decr("key")) == ("1", 2, 42, 41)
    assert client.set("short", "x", px=30) and 0 < client.pttl("short") <= 30
    time.sleep(0.05)
    assert client.get("short") is None
    assert client.set("long", "x", ex=100) and 98 <= client.ttl("long") <= 100
    assert (client.ttl("key"), client.ttl("none"), client.exists("key", "none")) == (-1, -2, 1)
    assert sorted(client.keys("*")) == ["key", "long"]
    assert client.delete("key", "none") == 1


def test_redis_py_queues_and_waits(client):
    assert client.rpush("queue", "x", "y", "z") == 3 and client.lpush("queue", "w") == 4
    assert client.lrange("queue", 0, -1) == ["w", "x", "y", "z"]
    assert (client.lpop("queue"), client.rpop("queue"), client.llen("queue")) == ("w", "z", 2)
    assert list(client.blpop(["none", "queue"], timeout=1)) == ["queue", "x"]
    assert list(client.brpop("queue", timeout=1)) == ["queue", "y"]
    assert client.blpop("queue", timeout=0.05) is None


def test_redis_py_transactions_see_what_they_watch(client):
    redis = pytest.importorskip("redis")
    with client.pipeline() as pipeline:
        assert pipeline.set("key", 1).incr("key").get("key").execute() == [True, 2, "2"]
        pipeline.watch("key")
        client.set("key", "other")
        pipeline.multi()
        pipeline.get("key")
        with pytest.raises(redis.WatchError):
            pipeline.execute()


def test_redis_py_publishes_and_subscribes(client):
    with client.pubsub() as channel:
        channel.subscribe("news")
        assert channel.get_message(timeout=10)["type"] == "subscribe"
        assert client.publish("news", "hello") == 1
        assert channel.get_message(timeout=10)["data"] == "hello"
        channel.unsubscribe("news")
        assert channel.get_message(timeout=10)["type"] == "unsubscribe"
    assert client.publish("news", "nobody") == 0


def test_redis_py_is_told_what_this_server_cannot(client):
    redis = pytest.importorskip("redis")
    with pytest.raises(redis.ResponseError):
        client.hset("hash", "field", 1)
    client.set("text", "x")
    with pytest.raises(redis.ResponseError):
        client.lpush("text", "x")
    assert client.info()["redis_mode"] == "standalone"


# ---- redis-cli ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["-2", "-3"])
def test_redis_cli_talks_to_it(ours, protocol):
    if shutil.which("redis-cli") is None:
        pytest.skip("redis-cli is not installed")
    typed = "set key value\nget key\nrpush queue 1 2\nlrange queue 0 -1\nincr n\nblpop none 0.01\nget none\nnonsense\n"
    command = ["redis-cli", protocol, "--no-raw", "-s", path_of(ours)]
    told = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, check=True).stdout
    expected = 'OK\n"value"\n(integer) 2\n1) "1"\n2) "2"\n(integer) 1\n(nil)\n(nil)\n(error) ERR unknown command'
    assert told.startswith(expected)


# ---- byte for byte ------------------------------------------------------------------------------------------------

KEYS = [b"a", b"b", b"c", b"list"]
VALUES = [b"", b"x", b"7", b"-3", b"01", b"+1", b" 1", b"1.5", b"9223372036854775807", b"two words", b"\0\r\n\xff"]
NUMBERS = [b"0", b"1", b"-1", b"2", b"-2", b"100", b"9223372036854775807", b"-9223372036854775808", b"x", b""]
# Time goes by: long enough to be still there at the end, or gone at once.
TIMES = [b"1000", b"100000", b"-1", b"0", b"x", b"9223372036854775807"]


def any_command(chance):
    key, value, number = chance.choice(KEYS), chance.choice(VALUES), chance.choice(NUMBERS)
    options = [[], [b"NX"], [b"XX"], [b"GET"], [b"KEEPTTL"], [b"EX", b"1000"], [b"PX", b"900000"], [b"EX", b"0"],
               [b"EX"], [b"NX", b"XX"], [b"PX", b"x"], [b"xx", b"get"], [b"EX", b"10", b"KEEPTTL"], [b"what"]]  # fmt: skip
    return chance.choice([
        [b"GET", key], [b"SET", key, value, *chance.choice(options)], [b"SETNX", key, value], [b"STRLEN", key],
        [b"MGET", key, b"b"], [b"INCR", key], [b"DECR", key], [b"INCRBY", key, number], [b"DECRBY", key, number],
        [b"DEL", key, b"c"], [b"EXISTS", key, key], [b"TYPE", key], [b"PERSIST", key], [b"DBSIZE"],
        [b"EXPIRE", key, chance.choice(TIMES)], [b"PEXPIRE", key, chance.choice(TIMES) + b"00"],
        [b"SETEX", key, chance.choice(TIMES), value], [b"PSETEX", key, chance.choice(TIMES) + b"000", value],
        [b"TTL", key], [b"LPUSH", key, value, b"y"], [b"RPUSH", key, value], [b"LPOP", key], [b"RPOP", key],
        [b"LPOP", key, number], [b"RPOP", key, number], [b"LLEN", key], [b"LRANGE", key, number, chance.choice(NUMBERS)],
        [b"BLPOP", key, b"list", chance.choice([b"0.01", b"0.001"])], [b"BRPOP", b"list", b"0.01"],
        [b"BLPOP", key, chance.choice([b"x", b"-1", b"inf", b"nan", b""])],
        [b"MULTI"], [b"EXEC"], [b"DISCARD"], [b"WATCH", key], [b"UNWATCH"], [b"PING"], [b"PING", value], [b"ECHO", value],
        [b"get", key], [b"GET"], [b"SET", key], [b"FLUSHDB"], [b"PUBLISH", b"channel", value], [b"SELECT", b"0"],
        [b"SELECT", b"x"], [b"HELLO", b"9"], [b"AUTH", b"default", b"any"], [b"AUTH", b"nobody", b"any"],
        [b"CLIENT", b"SETNAME", b"me"], [b"CLIENT", b"GETNAME"], [b"SUBSCRIBE", b"x"], [b"UNSUBSCRIBE"], [b"RESET"],
    ])  # fmt: skip


class Raw:
    """A connection that reads one whole answer at a time and keeps it as it came."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def ask(self, words):
        parts = [b"*%d\r\n" % len(words)] + [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
        self.socket.sendall(b"".join(parts))
        return self.answer()

    def answer(self):
        line = self.file.readline()
        kind, length = line[:1], line[1:-2]
        if kind == b"$" and length != b"-1":
            return line + self.file.read(int(length) + 2)
        if kind == b"-":
            # After the first word an error is for people.
            return line.split(b" ")[0]
        if kind in b"*>%" and length != b"-1":
            return line + b"".join(self.answer() for _ in range(int(length) * (2 if kind == b"%" else 1)))
        return line

    def close(self):
        self.file.close()
        self.socket.close()


@contextmanager
def both():
    with meeting_points.redis() as redis, meeting_points.ours() as ours:
        yield path_of(redis), path_of(ours)


@pytest.mark.parametrize("protocol", [b"2", b"3"])
def test_random_commands_are_answered_as_redis_answers_them(protocol):
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    with both() as paths:
        for _ in range(10):
            # RESET goes back to RESP2, and a subscriber of that cannot do much else.
            connections = [Raw(path) for path in paths]
            for connection in connections:
                connection.ask([b"HELLO", protocol])
                connection.ask([b"FLUSHDB"])
            history = []
            for _ in range(150):
                command = any_command(chance)
                history.append(command)
                try:
                    answers = [connection.ask(command) for connection in connections]
                except TimeoutError:
                    pytest.fail(f"seed {seed}, no answer after {history}")
                assert answers[0] == answers[1], f"seed {seed}, redis and ours after {history}"
            for connection in connections:
                connection.close()


def test_many_connections_at_once_are_served(ours):
    connections = [Raw(path_of(ours)) for _ in range(300)]
    for i, connection in enumerate(connections):
        assert connection.ask([b"INCR", b"n"]) == b":%d\r\n" % (i + 1)
    for connection in connections:
        connection.close()
