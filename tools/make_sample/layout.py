"""Set text as a scanned journal shows it: wrapped lines, pages with running heads, misread characters, YEDDA markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from make_sample.writer import Dice, Style

FORM_FEED = "\f"

# What text recognition takes one shape for; each pair is tried at every place it occurs.
CONFUSIONS = (
    ("rn", "m"), ("m", "rn"), ("l", "1"), ("1", "l"), ("O", "0"), ("0", "O"), ("I", "l"), ("e", "c"), ("h", "li"),
    ("cl", "d"), ("5", "S"), ("ii", "ü"), (",", "."), (".", ","),
    (" ", ""), ("u", "n"), ("×", "x"), ("fi", "fl"), ("B", "8"),
)  # fmt: skip
LIGATURES = (("fi", "ﬁ"), ("fl", "ﬂ"))


@dataclass(frozen=True)
class Block:
    """Lines of one kind, as one pair of markers encloses them."""

    label: str
    lines: tuple[str, ...]
    gap: int = 0


def wrap(text: str, style: Style, dice: Dice) -> tuple[str, ...]:
    """Break text into lines, dividing some long words at the line's end."""
    lines, line = [], ""
    for word in text.split(" "):
        room = style.width - len(line) - 1
        if line and len(word) > room:
            head, word = _divide(word, room, style, dice)
            lines.append(f"{line} {head}".rstrip(" "))
            line = word
        else:
            line = f"{line} {word}" if line else word
    return (*lines, line)


def _divide(word: str, room: int, style: Style, dice: Dice) -> tuple[str, str]:
    """Return what of a word still fits the line, with its hyphen, and the rest."""
    fits = min(room - 1, len(word) - 3)
    if fits < 3 or not word[: fits + 1].isalpha() or not dice.chance(style.division):
        return "", word
    return word[:fits] + style.hyphen, word[fits:]


def paginate(blocks: Iterable[Block], heads: Sequence[str], style: Style, dice: Dice) -> list[Block]:
    """Cut the blocks into pages and put a running head on top of each page but the first."""
    pages: list[Block] = []
    number, room = dice.between(1, 300), dice.between(34, 50)
    for block in blocks:
        lines, gap = block.lines, block.gap
        while len(lines) > room:
            if room:
                pages.append(Block(block.label, lines[:room], gap))
            number += 1
            pages.append(Block("Page-header", running_head(heads[number % len(heads)], number, style), 1))
            lines, gap, room = lines[room:], 1, dice.between(34, 50)
        pages.append(Block(block.label, lines, gap))
        room -= len(lines)
    return pages


def running_head(title: str, number: int, style: Style) -> tuple[str, ...]:
    """Return the line or lines on top of a page, the first with its form feed."""
    if style.header == 0:
        return (f"{FORM_FEED}{number} ... {title}" if number % 2 else f"{FORM_FEED}{title} ... {number}",)
    if style.header == 1:
        return (f"{FORM_FEED}{title.upper()} {number}",)
    return (f"{FORM_FEED}{number}", title)


def misread(line: str, style: Style, dice: Dice) -> str:
    """Return the line as text recognition would, with some characters taken for others."""
    pairs = [(*pair, style.ligatures) for pair in LIGATURES] + [(*pair, style.noise) for pair in CONFUSIONS]
    for old, new, rate in pairs:
        if rate and old in line:
            first, *others = line.split(old)
            line = first + "".join((new if dice.chance(rate) else old) + part for part in others)
    return line


def noisy(blocks: Iterable[Block], style: Style, dice: Dice) -> list[Block]:
    """Return the blocks with every line as text recognition would give it."""
    return [replace(block, lines=tuple(misread(line, style, dice) for line in block.lines)) for block in blocks]


def render(blocks: Iterable[Block], damage: str | None = None) -> str:
    r"""Write the blocks in YEDDA markup."""
    blocks = list(blocks)
    cut = _interrupted_description(blocks) if damage == "nested" else None
    parts = []
    for i, block in enumerate(blocks):
        opening = "" if cut is not None and i == cut + 2 else "[@"
        mark = "@" if damage == "at-sign" and block.label == "Page-header" else "#"
        closing = "" if i == cut else f"{mark}{block.label}*]"
        parts.append("\n" * block.gap + opening + "\n".join(block.lines) + closing + "\n")
    return "".join(parts)


def _interrupted_description(blocks: Sequence[Block]) -> int | None:
    wanted = ["Description", "Page-header", "Description"]
    for i in range(len(blocks) - 2):
        if [block.label for block in blocks[i : i + 3]] == wanted:
            return i
    return None
