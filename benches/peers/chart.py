"""The ratios as a bar chart: SVG, by hand."""

import math

from systems import TITLES

WIDTH, LEFT, RIGHT, TOP = 860, 250, 70, 84
BAR, GAP, BETWEEN = 15, 3, 20

# Colours follow the reader's; where a viewer knows no media queries, those for light hold.
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 16px; font-weight: 600; }
.small { font-size: 11px; }
.label { font-size: 11px; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; }
.ground { fill: #ffffff; }
.duckdb { fill: #2f6fbd; }
.clickhouse { fill: #d9822b; }
.grid { stroke: #d8dee4; stroke-width: 1; }
.one { stroke: #1f2328; stroke-width: 1.5; }
.floor, .goal { stroke: #b3202c; stroke-width: 2; }
.goal { stroke-dasharray: 3 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .label { stroke: #0d1117; }
  .ground { fill: #0d1117; }
  .duckdb { fill: #6cb0ff; }
  .clickhouse { fill: #f0a35e; }
  .grid { stroke: #30363d; }
  .one { stroke: #e6edf3; }
  .floor, .goal { stroke: #ff7b86; }
}
"""


def chart(rows):
    """The chart of the rows of `report.ratios`."""
    peers = [name for name in TITLES if any(name in row["ratios"] for row in rows)]
    values = [value for row in rows for value in (*row["ratios"].values(), row["floor"], row["goal"]) if value]
    least = 10 ** math.floor(math.log10(min([1, *values])))
    most = max([10, *values]) * 1.5
    block = len(peers) * (BAR + GAP) + BETWEEN
    height = TOP + len(rows) * block + 40

    def x(value):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(value / least) / math.log(most / least)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>How many times as long the peers take as Throughline</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" class="ground"/>',
        '<text class="title" x="20" y="28">How many times as long the peers take as Throughline</text>',
        *_legend(peers),
        *_grid(x, least, most, height),
    ]
    for number, row in enumerate(rows):
        out += _row(row, peers, x, TOP + number * block + BETWEEN / 2)
    one = x(1)
    out.append(f'<line class="one" x1="{one:.1f}" x2="{one:.1f}" y1="{TOP}" y2="{height - 36}"/>')
    return "\n".join([*out, "</svg>"]) + "\n"


def _legend(peers):
    out, place = [], 20
    for name in peers:
        out.append(f'<rect x="{place}" y="46" width="12" height="12" class="{name}"/>')
        out.append(f'<text x="{place + 18}" y="57">{TITLES[name]}</text>')
        place += 120
    for mark in ("floor", "goal"):
        out.append(f'<line class="{mark}" x1="{place}" x2="{place}" y1="44" y2="60"/>')
        out.append(f'<text x="{place + 10}" y="57">{mark}</text>')
        place += 70
    return out


def _grid(x, least, most, height):
    out = []
    decade = least
    while decade <= most:
        for step in (1, 2, 5):
            value = decade * step
            if value <= most:
                out.append(f'<line class="grid" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{TOP}" y2="{height - 36}"/>')
                out.append(f'<text class="small" x="{x(value):.1f}" y="{height - 18}" text-anchor="middle">{value:g}x</text>')
        decade *= 10
    return out


def _row(row, peers, x, top):
    bottom = top + len(peers) * (BAR + GAP) - GAP
    bars, labels = [], [f'<text x="{LEFT - 12}" y="{(top + bottom) / 2 + 4:.1f}" text-anchor="end">{row["title"]}</text>']
    for place, name in enumerate(peers):
        ratio = row["ratios"].get(name)
        if ratio is None:
            continue
        y = top + place * (BAR + GAP)
        first, last = sorted((x(1), x(ratio)))
        width = max(last - first, 1)
        bars.append(f'<rect class="{name}" x="{first:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BAR}" rx="2"/>')
        words = ("&gt; " if name in row["late"] else "") + (f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.2g}x")
        labels.append(f'<text class="label" x="{last + 6:.1f}" y="{y + BAR - 4:.1f}">{words}</text>')
    for mark in ("floor", "goal"):
        if row[mark]:
            place = x(row[mark])
            bars.append(f'<line class="{mark}" x1="{place:.1f}" x2="{place:.1f}" y1="{top - 4:.1f}" y2="{bottom + 4:.1f}"/>')
    # Words last, so that no mark runs through them.
    return bars + labels
