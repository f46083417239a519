"""How often water finds its way down through a random grid of which a share P is open.

    percolation.py P CHILDREN

../parent.c starts one of these for each P. They meet at PAR_SYNC_URL, by an ordinary Redis client: each adds its point
of the curve, and the last one draws all of it. On large grids the curve is a step at 0.5927, which nobody has derived yet.
"""

import os
import random
import sys

import redis

SIZE = 80
GRIDS = 40
WIDTH = 50


def water_comes_through(p, rng):
    is_dry = [[rng.random() < p for _ in range(SIZE)] for _ in range(SIZE)]
    wet = [(0, column) for column in range(SIZE) if is_dry[0][column]]
    while wet:
        row, column = wet.pop()
        if row == SIZE - 1:
            return True
        for to_row, to_column in (row - 1, column), (row, column - 1), (row, column + 1), (row + 1, column):
            if to_row >= 0 and 0 <= to_column < SIZE and is_dry[to_row][to_column]:
                is_dry[to_row][to_column] = False
                wet.append((to_row, to_column))
    return False


def main(p, children):
    rng = random.Random(p)
    share = sum(water_comes_through(p, rng) for _ in range(GRIDS)) / GRIDS

    meeting = redis.Redis.from_url(os.environ["PAR_SYNC_URL"], decode_responses=True)
    meeting.rpush("curve", f"{p:.2f} {share:.2f}")
    if meeting.incr("arrived") == children:
        for point in sorted(meeting.lrange("curve", 0, -1)):
            print(point, "#" * round(WIDTH * float(point.split()[1])))
        # A Redis is still there the next time.
        meeting.delete("curve", "arrived")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
