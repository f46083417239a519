"""The command line of benches/run."""

import argparse
import json
import platform
import random
import sys
import time
from dataclasses import replace
from pathlib import Path

from . import build, contenders, picture, results, rows, table
from .measuring import Failure, Machine, cpu_count

OUTPUT = build.ROOT / "target" / "bench"


def _arguments():
    parser = argparse.ArgumentParser(prog="benches/run", description="libparmap beside its peers, on this machine.")
    parser.add_argument("--workload", action="append", help="rows by name, comma-separated (default: all)")
    parser.add_argument("--contender", action="append", help="contenders by name, comma-separated (default: all)")
    parser.add_argument("--repeats", type=int, help="rounds; each measures every contender once (default: 5; quick: 1)")
    parser.add_argument("--budget", type=float, help="ms of samples per measurement (default: 150; quick: 50)")
    parser.add_argument("--quick", action="store_true", help="about a minute: fewer peers and rounds, a coarse sweep")
    parser.add_argument("--workers", type=int, default=cpu_count(), help="threads for everybody (default: the CPUs)")
    parser.add_argument("--patience", type=float, help="s to wait and measure again if disturbed (default: 300; quick: 30)")
    parser.add_argument("--library", type=Path, help="libparmap.so to measure (default: build it)")
    parser.add_argument("--against", type=Path, help="a second libparmap.so, measured as `against`")
    parser.add_argument("--sweep", action="store_true", help="only the sweep against the plain loop")
    parser.add_argument("--no-sweep", action="store_true", help="leave the sweep out")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder for numbers, tables and picture")
    parser.add_argument("--list", action="store_true", help="name workloads and contenders, and stop")
    return parser.parse_args()


def _chosen(names, everything, what):
    if not names:
        return list(everything)
    wanted = [name for part in names for name in part.split(",")]
    unknown = set(wanted) - {one.name for one in everything}
    if unknown:
        raise SystemExit(f"benches/run: there is no {what} called {', '.join(sorted(unknown))}; --list names them")
    return [one for one in everything if one.name in wanted]


def _list():
    print("workloads:")
    for row in rows.ROWS:
        print(f"  {row.name:20} {row.title}")
    print("contenders:")
    for contender in contenders.ALL:
        print(f"  {contender.name:20} {contender.title}")


def _say(text):
    print(text, file=sys.stderr, flush=True)


def _rounds(arguments, row, repeats):
    return max(1, round(repeats * (1 if arguments.quick else row.repeats)))


def _measure_rows(machine, chosen, taking_part, arguments, repeats, budget):
    """Row name -> contender name -> one {metric: samples} per round; and the refusals."""
    taken, refused = {}, {}
    for row in (row for row in chosen if not row.source):
        begin = time.monotonic()
        by_name = taken[row.name] = {contender.name: [] for contender in taking_part}
        for _ in range(_rounds(arguments, row, repeats)):
            # In a new order each round, so that nobody always follows the same neighbour.
            for contender in random.sample(taking_part, len(taking_part)):
                if (row.name, contender.name) in refused:
                    continue
                try:
                    by_name[contender.name].append(machine.samples(contender, row.workload, row.parameters, budget))
                except Failure as failure:
                    refused[row.name, contender.name] = str(failure)
                    _say(f"  {contender.title} at {row.name}: {failure}")
        _say(f"  {row.name}: {time.monotonic() - begin:.1f} s")
    for row in (row for row in chosen if row.source):
        taken[row.name] = taken[row.source]
    return taken, refused


def _with_sources(chosen):
    """A row that shares another's process needs that one measured too."""
    names = {row.name for row in chosen} | {row.source for row in chosen}
    return [row for row in rows.ROWS if row.name in names]


def _quick(row):
    if not row.quick:
        return row
    said = ", ".join(f"{name} {value:,}" for name, value in row.quick.items()).replace(",", " ")
    return replace(row, title=f"{row.title} (here {said})", parameters={**row.parameters, **row.quick})


def _measure_sweep(machine, ours, arguments, repeats, budget):
    cells = {}
    longest = 50_000_000 if arguments.quick else rows.SWEEP_LONGEST_NS
    for n, cost in rows.sweep_cells(longest):
        if arguments.quick and n in (2, 8, 16, 32, 100):
            continue
        taken = [machine.samples(ours, "sweep", {"n": n, "cost": cost}, budget / 3) for _ in range(max(1, repeats // 2))]
        pooled = {metric: [value for repeat in taken for value in repeat[metric]] for metric in taken[0]}
        cells[n, cost] = tuple(results.percentile(pooled[metric], 0.5) for metric in ("loop_ns", "time_ns", "ratio"))
    return cells


def _machine_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':', 1)[1].strip()}, {cpu_count()} CPUs, Linux {platform.release()}"
    return f"{platform.machine()}, {cpu_count()} CPUs, Linux {platform.release()}"


def main():
    arguments = _arguments()
    if arguments.list:
        return _list()
    repeats = arguments.repeats or (1 if arguments.quick else 5)
    budget = arguments.budget or (50 if arguments.quick else 150)
    patience = (30 if arguments.quick else 300) if arguments.patience is None else arguments.patience
    chosen = _with_sources(_chosen(arguments.workload, rows.ROWS, "workload"))
    if arguments.quick:
        chosen = [_quick(row) for row in chosen]
    wanted = _chosen(arguments.contender, contenders.ALL, "contender")
    if arguments.quick and not arguments.contender:
        wanted = [contender for contender in wanted if contender.quick]
    library = (arguments.library or build.library()).resolve()
    program = build.measure_program()
    paths, missing = build.everything()
    for name in ("loop", "parmap"):
        if name in missing:
            raise SystemExit(f"benches/run: {name} is missing: {missing[name]}")
    machine = Machine(program, paths, library, arguments.workers, patience)
    taking_part = [contender for contender in wanted if contender.name in paths]
    if contenders.LOOP not in taking_part:
        taking_part.insert(0, contenders.LOOP)
    if arguments.against:
        machine.add_library("against", arguments.against.resolve())
        taking_part.append(replace(contenders.OURS, name="against", title="against"))

    begin = time.monotonic()
    machine.calibrate(contenders.LOOP)
    taken, refused, swept = {}, {}, {}
    if not arguments.sweep:
        taken, refused = _measure_rows(machine, chosen, taking_part, arguments, repeats, budget)
    if arguments.sweep or not (arguments.no_sweep or arguments.workload):
        swept = _measure_sweep(machine, contenders.OURS, arguments, repeats, budget)

    texts = [f"{_machine_name()}; {arguments.workers} workers; {repeats} rounds; {time.monotonic() - begin:.0f} s"]
    share = machine.disturbed_s / max(machine.measured_s * cpu_count(), 1e-9)
    texts.append(f"Other programs took {share:.1%} of the CPUs during the measurements; a number that they disturbed has a ? behind it.")
    texts += [f"Missing: {name}: {reason}" for name, reason in missing.items()]
    texts += [f"Refused: {name} at {row}: {reason}" for (row, name), reason in refused.items()]
    arguments.output.mkdir(parents=True, exist_ok=True)
    if taken:
        numbers = {row.name: results.numbers(row, taken[row.name]) for row in chosen}
        peers = [one for one in taking_part if one not in (contenders.LOOP, contenders.OURS)]
        texts.append(table.summary(chosen, numbers, contenders.OURS, peers))
        texts.append(table.everybody(chosen, numbers, [one for one in taking_part if one is not contenders.LOOP]))
        drawn = [peer for peer in peers if peer.family in picture.COLOURS]
        (arguments.output / "speed.svg").write_text(
            picture.speed(chosen, numbers, contenders.OURS, drawn, arguments.workers, _machine_name())
        )
    if swept:
        texts.append(
            "Against the plain loop, at a call site called before: "
            "times as fast, or ns more where the loop takes less than 2 us:"
        )
        texts.append(table.sweep(swept, rows.SWEEP_COUNTS, rows.SWEEP_COSTS_NS))
    raw = {"rows": taken, "sweep": [[n, cost, *values] for (n, cost), values in swept.items()], "missing": missing}
    (arguments.output / "numbers.json").write_text(json.dumps(raw))
    (arguments.output / "speed.md").write_text("\n\n".join(texts) + "\n")
    print("\n\n".join(texts))
    _say(f"Numbers, tables and picture: {arguments.output}")
