"""The table as two pictures in one file: what a small call costs, and how much faster than the plain loop larger work runs.

One line per workload, a mark for every contender, ours the large one.
"""

import math
from xml.sax.saxutils import escape

from .table import duration

ROW_HEIGHT, LEFT, WIDTH, RIGHT, TOP, PANEL_GAP = 26, 360, 540, 40, 70, 66
OURS_COLOUR, LOOP_COLOUR = "#d62728", "#222222"
COLOURS = {
    "GNU OpenMP": "#8c564b",
    "LLVM OpenMP": "#e377c2",
    "oneTBB": "#1f77b4",
    "pthreadpool": "#2ca02c",
    "rayon": "#ff7f0e",
    "fork_union": "#9467bd",
    "chili": "#d4a017",
    "pthreads per call": "#7f7f7f",
}


class Scale:
    """Where a value stands between the left and the right edge; what lies outside is drawn at the edge."""

    def __init__(self, lowest, highest, ticks, label, logarithmic):
        self.lowest, self.highest, self.ticks, self.label, self.logarithmic = lowest, highest, ticks, label, logarithmic

    def x(self, value):
        value = min(max(value, self.lowest), self.highest)
        if self.logarithmic:
            share = math.log(value / self.lowest) / math.log(self.highest / self.lowest)
        else:
            share = (value - self.lowest) / (self.highest - self.lowest)
        return LEFT + WIDTH * share


def _text(x, y, text, anchor="start", size=12, colour="#222", weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _mark(x, y, colour, radius, title):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"><title>{escape(title)}</title></circle>'


def _rule(x, top, bottom, colour="#ddd", width=1.0):
    return f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="{colour}" stroke-width="{width}"/>'


def _loop_mark(x, y, title):
    return f'<g>{_rule(x, y - 9, y + 9, LOOP_COLOUR, 2.5)}<title>{escape(title)}</title></g>'


def _legend(families):
    y = 46
    parts = [_mark(20, y, OURS_COLOUR, 6, "libparmap"), _text(30, y + 4, "libparmap", weight="bold")]
    parts += [_loop_mark(118, y, "plain loop"), _text(126, y + 4, "plain loop")]
    x = 206
    for family in families:
        parts += [_mark(x, y, COLOURS[family], 4, family), _text(x + 8, y + 4, family)]
        x += 30 + 7 * len(family)
    return parts


def _panel(top, heading, rows, results, ours, peers, scale, value_of):
    """`value_of`: from a cell to the place on the scale."""
    bottom = top + 30 + ROW_HEIGHT * len(rows)
    parts = [_text(20, top + 12, heading, size=14, weight="bold")]
    for tick in scale.ticks:
        parts += [_rule(scale.x(tick), top + 24, bottom), _text(scale.x(tick), bottom + 16, scale.label(tick), "middle")]
    for index, row in enumerate(rows):
        y = top + 30 + ROW_HEIGHT * index + ROW_HEIGHT / 2
        cells = results[row.name]

        def mark(contender, colour, radius):
            value = value_of(cells[contender.name])
            return _mark(scale.x(value), y, colour, radius, f"{contender.title}: {scale.label(value)}")

        parts.append(_text(LEFT - 14, y + 4, row.title, "end"))
        if "loop" in cells:
            value = value_of(cells["loop"])
            parts.append(_loop_mark(scale.x(value), y, f"plain loop: {scale.label(value)}"))
        parts += [mark(peer, COLOURS[peer.family], 4) for peer in peers if peer.name in cells]
        if ours.name in cells:
            parts.append(mark(ours, OURS_COLOUR, 6))
    return parts, bottom + PANEL_GAP


def speed(rows, results, ours, peers, workers, machine):
    """CPU burnt while idle has no place here; the table has it."""
    calls = [row for row in rows if row.shown == "latency"]
    work = [row for row in rows if row.shown == "ratio"]
    families = list(dict.fromkeys(peer.family for peer in peers))
    times = Scale(3, 1e7, [10**power for power in range(1, 8)], duration, True)
    ratios = Scale(0, workers * 1.1, [half / 2 for half in range(2 * workers + 1)], lambda value: f"{value:.2g}x", False)
    parts, bottom = [], TOP
    if calls:
        heading = "What a small call costs (less is better)"
        drawn, bottom = _panel(bottom, heading, calls, results, ours, peers, times, lambda cell: cell.value)
        parts += drawn
    if work:
        heading = "Times as fast as the plain loop (more is better)"
        drawn, bottom = _panel(bottom, heading, work, results, ours, peers, ratios, lambda cell: cell.ratio)
        parts += drawn
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" height="{bottom - 30}" '
        'font-family="sans-serif">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        _text(20, 24, f"libparmap and its peers on {machine}", size=16, weight="bold"),
        *_legend(families),
    ]
    return "\n".join([*head, *parts, "</svg>", ""])
