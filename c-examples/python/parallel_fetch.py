"""Fetches pages into databases, then asks the databases: a parent that starts this same script as its children.

Most of such work is waiting, so that more programs run at once than there are CPUs. The server is this script's own, and
takes a while for each answer, as servers do.
"""

import http.server
import json
import random
import sqlite3
import sys
import tempfile
import threading
import time
import urllib.request

import libparmap

STATIONS = ["Abisko", "Bergen", "Cuxhaven", "Davos", "Esbjerg", "Faro", "Gdansk", "Helsinki"]
DAYS = 365
SECONDS_TO_ANSWER = 0.2


# ---- the children ------------------------------------------------------------------------------------------------


def fetch(url, database):
    with urllib.request.urlopen(url) as answer:
        temperatures = json.load(answer)
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS weather (day INTEGER PRIMARY KEY, temperature REAL)")
        connection.executemany("INSERT OR REPLACE INTO weather VALUES (?, ?)", enumerate(temperatures, 1))


def query(database):
    with sqlite3.connect(database) as connection:
        (row,) = connection.execute("SELECT count(*), min(temperature), avg(temperature), max(temperature) FROM weather")
    print("{:4} days, {:6.1f} to {:.1f}, on average {:.1f} degrees".format(*row[:2], row[3], row[2]))


# ---- the parent --------------------------------------------------------------------------------------------------


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(SECONDS_TO_ANSWER)
        weather = random.Random(self.path)
        page = json.dumps([round(weather.gauss(8, 7), 1) for _ in range(DAYS)]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


def run(workers, *argument_lists):
    """The seconds it took, and what the children printed."""
    begin = time.perf_counter()
    children = libparmap.run(
        [[sys.executable, __file__, *arguments] for arguments in argument_lists], workers=workers, check=True, text=True
    )
    return time.perf_counter() - begin, [child.stdout for child in children]


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        pages = [
            ("fetch", f"http://127.0.0.1:{server.server_port}/{station}", f"{folder}/{station}.db") for station in STATIONS
        ]  # fmt: skip
        sequential, _ = run(1, *pages)
        parallel, _ = run(len(pages), *pages)
        _, answers = run(len(pages), *(("query", database) for _, _, database in pages))
    print(f"{len(pages)} pages fetched into databases by child scripts, and the databases asked")
    for station, answer in zip(STATIONS, answers):
        print(f"  {station:9}{answer}", end="")
    print(f"  one after the other {sequential:9.3f} s")
    print(f"  in parallel         {parallel:9.3f} s")
    print(f"  speed-up            {sequential / parallel:9.2f} x")


if __name__ == "__main__":
    role, *arguments = sys.argv[1:] or ["parent"]
    {"parent": main, "fetch": fetch, "query": query}[role](*arguments)
