"""Draw the pictures of the documentation: ``python tools/draw_figures.py`` writes ``docs/figures``.

Text and lines take the colour of the page, so the pictures can be read in light and in dark; the colours of the labels
are from Okabe and Ito's palette, which colour-blind people can tell apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from math import log2
from pathlib import Path
from statistics import mean

DOCS = Path(__file__).resolve().parents[1] / "docs"
WIDTH = 440
COLOURS = {"Nomenclature": "#d55e00", "Description": "#0072b2", "Misc": "#808080"}
# Where a picture stands alone, as on a page of a code host; a page of the site gives its own colour.
STYLE = "<style>svg{color:#222}@media(prefers-color-scheme:dark){svg{color:#ddd}}</style>"
LINES = (
    ("MYCOTAXON 54", "Misc"),
    ("Spores were measured in water.", "Misc"),
    ("Fusella minor Karsten 1881.", "Nomenclature"),
    ("= Fusella levis Ellis 1890.", "Nomenclature"),
    ("Pileus 2-4 cm broad, ochraceous.", "Description"),
    ("Lamellae crowded, white.", "Description"),
    ("Specimens examined: Finland.", "Misc"),
    ("Notes. Close to F. major.", "Misc"),
)


def text(x: float, y: float, words: str, size: int = 13, anchor: str = "start", bold: bool = False) -> str:
    """Draw words."""
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}"{weight} fill="currentColor">'
        f"{escape(words)}</text>"
    )


def box(x: float, y: float, width: float, height: float, colour: str, opacity: float = 0.3) -> str:
    """Draw a filled box."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" fill="{colour}" '
        f'fill-opacity="{opacity:g}"/>'
    )


def frame(x: float, y: float, width: float, height: float) -> str:
    """Draw an empty box."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" fill="none" stroke="currentColor" '
        'stroke-opacity="0.6"/>'
    )


def arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    """Draw an arrow, down or to the right."""
    head = (
        f"{to_x - 4:g},{to_y - 6:g} {to_x + 4:g},{to_y - 6:g}"
        if x == to_x
        else f"{to_x - 6:g},{to_y - 4:g} {to_x - 6:g},{to_y + 4:g}"
    )
    return (
        f'<path d="M{x:g} {y:g}L{to_x:g} {to_y:g}" stroke="currentColor" stroke-opacity="0.6" fill="none"/>'
        f'<polygon points="{to_x:g},{to_y:g} {head}" fill="currentColor" fill-opacity="0.6"/>'
    )


def save(name: str, height: float, parts: Iterable[str]) -> None:
    """Write a picture."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" font-family="sans-serif">'
    (DOCS / "figures").mkdir(exist_ok=True)
    (DOCS / "figures" / name).write_text("\n".join([head, STYLE, *parts, "</svg>", ""]), encoding="utf-8")


def line_picture() -> None:
    """Draw how a line becomes a vector."""
    parts = [
        box(4, 6, 432, 26, COLOURS["Nomenclature"]),
        text(12, 24, "Fusella minor Karsten, Hedwigia 12: 34. 1881.", 14),
    ]
    groups = (
        ("words", ("fusella", "minor", "karsten", "first: fusella")),
        ("shapes and endings", ("Xx", "Xx, Xx 99: 99. 9999", "-ella", "-sten")),
        ("place on the page", ("5 words", "2 blank lines before", "not indented")),
    )
    for column, (title, items) in enumerate(groups):
        x = 4 + column * 147
        parts += [arrow(x + 69, 34, x + 69, 56), text(x + 69, 72, title, 12, "middle", True)]
        for row, item in enumerate(items):
            parts += [box(x, 80 + row * 24, 138, 20, "#009e73", 0.2), text(x + 69, 94 + row * 24, item, 12, "middle")]
    parts += [
        arrow(220, 180, 220, 200),
        text(220, 216, "each gets a learnt vector; the vectors are averaged", 12, "middle"),
    ]
    for cell in range(24):
        parts.append(box(40 + cell * 15, 226, 13, 18, "#009e73", 0.15 + 0.75 * ((cell * 7 + 3) % 11) / 11))
    parts.append(text(220, 262, "the vector of this line", 12, "middle"))
    save("line.svg", 270, parts)


def windows_picture() -> None:
    """Draw windows that overlap; a line takes its label from the window that has it nearest the middle."""
    parts = [text(4, 16, "a document, line by line", 12, bold=True), text(262, 16, "windows of 4 lines", 12, bold=True)]
    for row, (words, label) in enumerate(LINES):
        y = 28 + row * 26
        parts += [box(4, y, 244, 22, COLOURS[label]), box(4, y, 5, 22, COLOURS[label], 1), text(16, y + 15, words, 12)]
    for window in range(3):
        x, first = 266 + window * 58, window * 2
        parts.append(frame(x, 26 + first * 26, 50, 4 * 26))
        for place, share in enumerate((0.2, 0.6, 0.6, 0.2)):
            parts.append(box(x + 4, 28 + (first + place) * 26, 42, 22, "#009e73", share))
    parts += [
        text(4, 258, "Each line is read with the lines around it.", 12),
        text(4, 275, "Its label comes from the window that has it nearest the middle (strong green).", 12),
    ]
    save("windows.svg", 284, parts)


def network_picture() -> None:
    """Draw how the network reads a window in both directions."""
    parts = [text(70, 16, "line vectors", 12, "middle", True), text(204, 16, "reads both ways", 12, "middle", True)]
    parts.append(text(362, 16, "probability of each label", 12, "middle", True))
    shares = ((0.05, 0.1, 0.85), (0.92, 0.03, 0.05), (0.6, 0.2, 0.2), (0.03, 0.9, 0.07), (0.02, 0.93, 0.05))
    for row, ((words, _), probabilities) in enumerate(zip(LINES[1:6], shares, strict=True)):
        y = 28 + row * 40
        parts += [
            box(4, y, 132, 26, "#009e73", 0.2),
            text(10, y + 17, " ".join(words.split()[:2]) + " ...", 11),
            arrow(138, y + 13, 158, y + 13),
        ]
        parts += [box(160, y, 40, 26, "#cc79a7", 0.35), box(208, y, 40, 26, "#cc79a7", 0.35)]
        if row < 4:
            parts.append(arrow(180, y + 26, 180, y + 40))
        if row:
            parts.append(f'<path d="M228 {y}L228 {y - 14}" stroke="currentColor" stroke-opacity="0.6"/>')
            parts.append(
                f'<polygon points="228,{y - 14} 224,{y - 8} 232,{y - 8}" fill="currentColor" fill-opacity="0.6"/>'
            )
        parts += [
            text(180, y + 17, "down", 11, "middle"),
            text(228, y + 17, "up", 11, "middle"),
            arrow(250, y + 13, 278, y + 13),
        ]
        x = 282.0
        for label, share in zip(COLOURS, probabilities, strict=True):
            parts.append(box(x, y + 3, share * 154, 20, COLOURS[label], 0.65))
            x += share * 154
    for place, label in enumerate(COLOURS):
        parts += [box(8 + place * 120, 236, 14, 14, COLOURS[label], 0.65), text(28 + place * 120, 248, label, 12)]
    save("network.svg", 258, parts)


def decision_picture() -> None:
    """Draw three thresholds of a rare label, with precision and recall."""
    parts = [text(4, 16, "lines sorted by their probability of Nomenclature", 12, bold=True)]
    truth = "MMMMMMMMMMNMMMNMMNMNNMNNNN"
    for place, letter in enumerate(truth):
        colour = COLOURS["Nomenclature" if letter == "N" else "Misc"]
        parts += [box(4 + place * 16.6, 30, 14, 30, colour, 0.75 if letter == "N" else 0.4)]
    parts += [text(4, 76, "0", 12), text(436, 76, "1", 12, "end")]
    parts += [box(4, 262, 14, 14, COLOURS["Nomenclature"], 0.75), text(24, 274, "really Nomenclature", 12)]
    parts += [box(200, 262, 14, 14, COLOURS["Misc"], 0.4), text(220, 274, "really Misc", 12)]
    for row, (cut, name) in enumerate(((22, "high threshold"), (17, "in the middle"), (10, "low threshold"))):
        y, x = 92 + row * 56, 3 + cut * 16.6
        found, all_true = truth[cut:].count("N"), truth.count("N")
        precision, recall = found / len(truth[cut:]), found / all_true
        parts += [box(x, y, 436 - x, 12, COLOURS["Nomenclature"], 0.5), frame(x, y, 436 - x, 12)]
        parts += [text(4, y + 11, name, 12, bold=True)]
        parts.append(
            text(
                4,
                y + 30,
                f"precision {precision:.2f}, recall {recall:.2f}: {len(truth[cut:])} lines are called Nomenclature",
                12,
            )
        )
    save("decision.svg", 284, parts)


def learning_curve_picture() -> None:
    """Draw F1 by class over the number of annotated documents, as measured."""
    runs = [
        r for r in json.loads((DOCS / "learning_curve.json").read_text("utf-8"))["runs"] if r["system"] == "skol_rnn"
    ]
    sizes = sorted({run["documents"] for run in runs} - {0})
    left, bottom, height, step = 38.0, 250.0, 220.0, 62.0

    def at(size: int, value: float) -> tuple[float, float]:
        return left + 14 + log2(size) * step, bottom - value * height

    parts: list[str] = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        y = at(1, tick)[1]
        parts.append(f'<path d="M{left:g} {y:g}H400" stroke="currentColor" stroke-opacity="0.2"/>')
        parts.append(text(left - 6, y + 4, f"{tick:g}", 11, "end"))
    for size in sizes:
        rare = mean(run["rare_lines"] for run in runs if run["documents"] == size)
        x = at(size, 0)[0]
        parts += [text(x, bottom + 16, str(size), 12, "middle"), text(x, bottom + 48, f"{rare:.0f}", 12, "middle")]
    parts += [text(left, bottom + 32, "documents (above), and Nomenclature lines in them (below)", 11)]
    parts.append(text(4, 14, "F1 on unseen documents", 12, bold=True))
    for label, colour in COLOURS.items():
        found = {size: [run["f1"][label] for run in runs if run["documents"] == size] for size in sizes}
        if label != "Misc":
            area: Sequence[tuple[float, float]] = [at(size, max(found[size])) for size in sizes]
            area = [*area, *(at(size, min(found[size])) for size in reversed(sizes))]
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in area)
            parts.append(f'<polygon points="{points}" fill="{colour}" fill-opacity="0.2"/>')
        means = [at(size, mean(found[size])) for size in sizes]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in means)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in means]
    for label, (x, y) in {"Misc": (60, 39), "Description": (54, 117), "Nomenclature": (160, 176)}.items():
        parts.append(text(x, y, label, 12, bold=True))
    save("learning_curve.svg", 306, parts)


def draw_all() -> None:
    """Write all pictures."""
    for draw in (line_picture, windows_picture, network_picture, decision_picture, learning_curve_picture):
        draw()


if __name__ == "__main__":
    draw_all()
