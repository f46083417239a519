"""The tables, in markdown: one with the best peer beside ours, one with everybody, losses included."""

SCALES = {"ns": 1.0, "us": 1e3, "ms": 1e6}


def _short(value):
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def duration(ns):
    for unit, scale in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= scale:
            return f"{_short(ns / scale)} {unit}"
    return f"{_short(ns)} ns"


def cell(row, number):
    """A question mark: other programs ran meanwhile."""
    if number is None:
        return "-"
    return _value(row, number) + ("?" if number.disturbed else "")


def _value(row, number):
    """Ratios stand alone; latencies are median / 99th percentile, or the median alone where calls were timed in batches."""
    if row.shown == "burnt":
        return _short(number.value)
    if row.shown == "latency":
        scale = SCALES[row.unit]
        if "pause" not in row.parameters:
            return _short(number.value / scale)
        return f"{_short(number.value / scale)} / {_short(number.p99 / scale)}"
    return f"{number.ratio:.2f}"


def unit(row):
    return {"ratio": "x", "latency": row.unit, "burnt": "us"}[row.shown]


def reference(row, number):
    if number is None:
        return "-"
    if row.shown != "ratio":
        return f"{cell(row, number)} {unit(row)}"
    rate = f", {row.bytes * row.parameters['n'] / number.value:.1f} GB/s" if row.bytes else ""
    return duration(number.value) + rate + ("?" if number.disturbed else "")


def spread(row, number):
    if row.shown == "ratio":
        return f"{number.ratio_low:.2f}..{number.ratio_high:.2f}"
    scale = 1.0 if row.shown == "burnt" else SCALES[row.unit]
    return f"{_short(number.low / scale)}..{_short(number.high / scale)}"


def _line(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def best_peer(cells, peers):
    present = [(cells[peer.name].value, index, peer) for index, peer in enumerate(peers) if peer.name in cells]
    return min(present)[2] if present else None


def summary(rows, results, ours, peers):
    """`results`: row name -> cells by contender name."""
    lines = [
        _line(["workload", "unit", "plain loop", ours.title, "spread", "best peer", "", "best peer's time / ours"]),
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = results[row.name]
        mine, best = cells.get(ours.name), best_peer(cells, peers)
        theirs = cells[best.name] if best else None
        against = theirs.value / max(mine.value, 1e-9) if mine and theirs and row.shown != "burnt" else None
        lines.append(
            _line(
                [
                    row.title,
                    unit(row),
                    reference(row, cells.get("loop")),
                    cell(row, mine),
                    spread(row, mine) if mine else "-",
                    cell(row, theirs),
                    best.title if best else "-",
                    f"{against:.2f}" if against else "-",
                ]
            )
        )
    return "\n".join(lines)


def everybody(rows, results, contenders):
    lines = [
        _line(["workload", "unit", *(contender.title for contender in contenders)]),
        "|---|---|" + "---|" * len(contenders),
    ]
    for row in rows:
        cells = results[row.name]
        lines.append(_line([row.title, unit(row), *(cell(row, cells.get(contender.name)) for contender in contenders)]))
    return "\n".join(lines)


def sweep(cells, counts, costs_ns):
    """`cells`: (n, cost) -> (loop_ns, time_ns, ratio). Below 2 us a difference in ns, above it a ratio."""
    lines = [_line(["n", *(duration(cost) for cost in costs_ns)]), "|---|" + "---|" * len(costs_ns)]
    for n in counts:
        if not any((n, cost) in cells for cost in costs_ns):
            continue
        row = [f"{n:,}".replace(",", " ")]
        for cost in costs_ns:
            if (n, cost) not in cells:
                row.append("")
                continue
            loop_ns, time_ns, ratio = cells[n, cost]
            row.append(f"{ratio:.2f}" if loop_ns >= 2000 else f"{time_ns - loop_ns:+.0f} ns")
        lines.append(_line(row))
    return "\n".join(lines)
