"""Fill sentence patterns with words: the dice, the made-up taxa, and the style of one journal."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from make_sample import vocabulary as words

T = TypeVar("T")
SLOT = re.compile(r"\{([^{}]+)\}")
NUMBERS = re.compile(r"(~?)(\d+)-(\d+)")
KINDS = ("agaric", "micro_fungus", "asco", "polypore")


class Dice:
    """Random choices that are the same on every platform and every Python version."""

    def __init__(self, seed: int) -> None:
        self._next = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self._next() < probability

    def between(self, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``, both included."""
        return low + int(self._next() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[int(self._next() * len(items))]


@dataclass(frozen=True)
class Style:
    """How one journal looks: choices that hold for a whole document."""

    width: int
    dash: str
    unit: str
    hyphen: str
    citation: int
    bibliography: int
    header: int
    key: int
    synonym: str
    organ: int
    caps_names: bool
    caps_headings: bool
    numbered: bool
    division: float
    gap: float
    noise: float
    ligatures: float
    habitat: str
    note: str


def draw_style(dice: Dice, noise: float) -> Style:
    """Draw the style of a journal."""
    return Style(
        width=dice.between(56, 88),
        dash=dice.pick("-–"),
        unit=dice.pick(("µm", "µm", "um", "μm")),
        hyphen=dice.pick(("-", "-", "\u00ad")),
        citation=dice.between(0, 2),
        bibliography=dice.between(0, 2),
        header=dice.between(0, 2),
        key=dice.between(0, 2),
        synonym=dice.pick(("= ", "= ", "≡ ", "Syn. ", "")),
        organ=dice.between(0, 2),
        caps_names=dice.chance(0.25),
        caps_headings=dice.chance(0.5),
        numbered=dice.chance(0.4),
        division=dice.between(0, 6) / 10,
        gap=dice.between(4, 9) / 10,
        noise=noise,
        ligatures=dice.pick((0.0, 0.0, 0.8)),
        habitat=dice.pick(("Misc-exposition", "Habitat-distribution")),
        note=dice.pick(("Notes: ", "Remarks. ", "Discussion — ", "", "")),
    )


@dataclass(frozen=True)
class Taxon:
    """A made-up species with the place of its publication."""

    genus: str
    epithet: str
    author: str
    journal: str
    volume: int
    page: int
    year: int

    @property
    def binomial(self) -> str:
        """Genus and epithet."""
        return f"{self.genus} {self.epithet}"

    @property
    def short(self) -> str:
        """Epithet with the genus abbreviated."""
        return f"{self.genus[0]}. {self.epithet}"


def make_genus(dice: Dice) -> str:
    """Make up a genus name."""
    return dice.pick(words.GENUS_STARTS) + dice.pick(words.GENUS_MIDDLES) + dice.pick(words.GENUS_ENDS)


def make_author(dice: Dice) -> str:
    """Make up a family name."""
    return dice.pick(words.AUTHOR_STARTS) + dice.pick(words.AUTHOR_ENDS)


def make_authority(dice: Dice) -> str:
    """Make up the authority after a species name: one author, two, an abbreviation, or a recombination."""
    first, second = make_author(dice), make_author(dice)
    brief = first[: dice.between(3, 5)] + "."
    return dice.pick((first, brief, f"{brief} & {second}", f"({brief}) {second}", f"{first} ex {second}"))


def make_taxon(dice: Dice, genus: str) -> Taxon:
    """Make up a species of a genus."""
    return Taxon(
        genus,
        dice.pick(words.EPITHET_STARTS) + dice.pick(words.EPITHET_ENDS),
        make_authority(dice),
        dice.pick(words.JOURNALS)[1],
        dice.between(1, 120),
        dice.between(3, 480),
        dice.between(1871, 1998),
    )


class Writer:
    """Turns patterns into text for one document."""

    def __init__(self, dice: Dice, style: Style, kind: str) -> None:
        self.dice, self.style, self.kind = dice, style, kind
        self.genus, self.neighbour = make_genus(dice), make_genus(dice)
        self.taxa = [make_taxon(dice, genus) for genus in [self.genus] * 14 + [self.neighbour] * 6]
        self.slots: dict[str, Callable[[], str]] = {
            "genus": lambda: self.genus if dice.chance(0.8) else self.neighbour,
            "species": self._species,
            "author": lambda: make_author(dice),
            "collector": lambda: f"{dice.pick(words.INITIALS)}. {make_author(dice)}",
            "um": lambda: style.unit,
            "Fig": lambda: "FIG." if style.caps_headings else "Fig.",
        }

    def expand(self, pattern: str) -> str:
        """Fill the slots of a pattern, innermost first, until none is left."""
        while SLOT.search(pattern):
            pattern = SLOT.sub(lambda match: self._fill(match.group(1)), pattern)
        # An abbreviation at the end of a sentence has its full stop already.
        return pattern.replace("..", ".")

    def sentence(self, name: str) -> str:
        """Expand one pattern of a list of ``vocabulary.GRAMMAR``."""
        return self.expand(self.dice.pick(words.GRAMMAR[name]))

    def paragraph(self, name: str, fewest: int, most: int) -> str:
        """Join some sentences of one list, each pattern once before any comes again."""
        sentences, unused = [], list[str]()
        for _ in range(self.dice.between(fewest, most)):
            unused = unused or list(words.GRAMMAR[name])
            sentences.append(self.expand(unused.pop(self.dice.between(0, len(unused) - 1))))
        return " ".join(sentences)

    def _fill(self, slot: str) -> str:
        numbers = NUMBERS.fullmatch(slot)
        if numbers:
            return self._number(bool(numbers[1]), int(numbers[2]), int(numbers[3]))
        if slot in self.slots:
            return self.slots[slot]()
        return self.dice.pick(slot.split("|") if "|" in slot else words.GRAMMAR[slot])

    def _number(self, is_range: bool, low: int, high: int) -> str:
        first = self.dice.between(low, high)
        if not is_range:
            return str(first)
        last = first + 1 + self.dice.between(0, first // 2)
        return f"{first}{self.style.dash}{last}"

    def _species(self) -> str:
        taxon = self.dice.pick(self.taxa)
        return taxon.binomial if self.dice.chance(0.4) else taxon.short
