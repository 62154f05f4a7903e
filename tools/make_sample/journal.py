"""Make a corpus of journal-like documents, and write the sample that is bundled with the package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from make_sample import vocabulary as words
from make_sample.layout import Block, noisy, paginate, render
from make_sample.sections import Sections
from make_sample.writer import KINDS, Dice, Writer, draw_style, make_author, make_taxon

TRAIN_DOCUMENTS, TEST_DOCUMENTS = 18, 6
LINES_PER_DOCUMENT = 330
ISSUES_PER_JOURNAL = 3
NOISE = (0.0, 0.004, 0.008, 0.015)
"""Levels of text recognition noise: the probability that a character which looks like another is misread."""


def make_journal_corpus(
    n_documents: int = TRAIN_DOCUMENTS + TEST_DOCUMENTS, seed: int = 0, lines_per_document: int = LINES_PER_DOCUMENT
) -> list[tuple[str, str]]:
    """Make journal-like documents of fungal taxonomy, annotated in YEDDA markup.

    Three consecutive documents come from one made-up journal and share its style. About 3 % of the lines are
    Nomenclature and 15 % Description. Many lines occur word for word under several labels, so that only their
    neighbours show which is right. A corpus of six or more documents has two with broken markup, as real files have;
    see `damaged_documents`.

    Parameters
    ----------
    n_documents : int, default=24
        How many documents.
    seed : int, default=0
        Non-negative seed; the same seed gives the same bytes on every platform and Python version.
    lines_per_document : int, default=330
        Approximate mean number of non-blank lines; a document has 0.75 to 1.45 times as many.

    Returns
    -------
    list of (str, str)
        Name and text of each document; names sort in this order.

    Raises
    ------
    ValueError
        If a number is too small: the minimum is one document, seed 0 and 100 lines.

    Examples
    --------
    >>> name, text = make_journal_corpus(1, seed=0, lines_per_document=100)[0]
    >>> name
    '01-annales-mycophilorum'
    >>> "#Nomenclature*]" in text
    True
    """
    for what, value, least in (
        ("n_documents", n_documents, 1),
        ("seed", seed, 0),
        ("lines_per_document", lines_per_document, 100),
    ):
        if value < least:
            raise ValueError(f"{what} must be at least {least}, not {value}.")
    damage = damaged_documents(n_documents)
    digits = max(2, len(str(n_documents)))
    documents = [_document(i, seed, lines_per_document, damage.get(i)) for i in range(n_documents)]
    return [(f"{i:0{digits}d}-{name}", text) for i, (name, text) in enumerate(documents, start=1)]


def damaged_documents(n_documents: int) -> dict[int, str]:
    """Return the kind of broken markup by the index of the document that has it."""
    return {n_documents // 3: "nested", 2 * n_documents // 3: "at-sign"} if n_documents >= 6 else {}


def _document(index: int, seed: int, lines: int, damage: str | None) -> tuple[str, str]:
    journal = index // ISSUES_PER_JOURNAL
    title = words.JOURNALS[journal % len(words.JOURNALS)][0]
    # Two independent streams: the journal's style must not change with what an issue contains.
    journal_dice = Dice(seed * 1_000_003 + 2 * journal + 1)
    dice = Dice(2 * (seed * 1_000_003 + index) + 2**40)
    writer = Writer(dice, draw_style(journal_dice, dice.pick(NOISE)), KINDS[index % len(KINDS)])
    blocks = list(_article(Sections(writer), lines * dice.between(75, 125) // 100))
    heads = (title, f"{make_author(dice)}: {dice.pick(writer.taxa).binomial}")
    blocks = noisy(paginate(blocks, heads, writer.style, dice), writer.style, dice)
    return re.sub("[^a-z]+", "-", title.lower()), render(blocks, damage)


def _article(sections: Sections, lines: int) -> Iterator[Block]:
    """Yield the blocks of one article of about this many lines."""
    written = 0
    for part in _parts(sections, lines):
        for block in part:
            written += len(block.lines)
            yield block
    references = max(4, lines // 16)
    while written + 2 * references + 4 < lines:
        for block in sections.paragraphs("prose", 1):
            written += len(block.lines)
            yield block
    yield from sections.back(references)


def _parts(sections: Sections, lines: int) -> Iterator[Iterator[Block]]:
    """Yield the sections in order; the number of treatments sets the share of Nomenclature and Description."""
    dice, writer = sections.dice, sections.writer
    yield sections.front()
    if dice.chance(0.6):
        yield sections.general()
    yield iter([sections.heading("Taxonomy")])
    if dice.chance(0.5):
        yield sections.genus_treatment()
    key_first = dice.chance(0.5)
    if key_first:
        yield sections.key()
    for number in range(1, max(2, lines * 18 // 1000) + 1):
        yield sections.treatment(number, make_taxon(dice, writer.genus))
    if not key_first:
        yield sections.key()
    if dice.chance(0.6):
        yield sections.checklist()
    yield iter([sections.heading("Discussion")])


def write_sample(folder: str | Path, seed: int = 0) -> Path:
    """Write the sample corpus: 18 documents to train on and 6, from other journals, to test on."""
    folder = Path(folder)
    for i, (name, text) in enumerate(make_journal_corpus(seed=seed)):
        part = folder / ("train" if i < TRAIN_DOCUMENTS else "test")
        part.mkdir(parents=True, exist_ok=True)
        (part / f"{name}.txt.ann").write_bytes(text.encode("utf-8"))
    return folder
