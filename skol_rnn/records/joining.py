"""Join the lines of a part to a text: without hyphens at line ends, with a line end between paragraphs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from skol_rnn.records.rules import JoiningRules

_BLANKS = re.compile(r"\s+")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LAST_WORD = re.compile(r"([^\W\d_]+)[^\w\s]$")
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_SHORTEST_HALF = 4
_DASHES = "–—−"


class Vocabulary:
    """The words of a document, which tell a hyphen that ends a line from the one of "thick-walled"."""

    def __init__(self, lines: Sequence[str], hyphens: str) -> None:
        self._lines, self._hyphens = lines, hyphens

    @cached_property
    def _words(self) -> set[str]:
        found, cut = set(), False
        for line in self._lines:
            words = [match[0].casefold() for match in _WORD.finditer(line)]
            # A word that goes on in the next line is two that nobody wrote.
            begin, cut = int(cut), line.rstrip()[-1:] in self._hyphens
            found.update(words[begin : len(words) - cut])
        return found

    def keeps_hyphen(self, first: str, second: str) -> bool:
        """Whether the document has a word with its hyphen, or both of its halves, and never the whole."""
        one, other = first.casefold(), second.casefold()
        if f"{one}{other}" in self._words:
            return False
        both = min(len(one), len(other)) >= _SHORTEST_HALF and one in self._words and other in self._words
        return both or f"{one}-{other}" in self._words


def joined(pieces: Sequence[tuple[str, bool, bool]], rules: JoiningRules, words: Vocabulary) -> str:
    """Join lines, each with whether something stands before it in the document, and whether it begins a paragraph."""
    text = ""
    for value, apart, new in pieces:
        line = _cleaned(value, rules)
        if not text:
            text = line
        elif new or (apart and not line[:1].islower() and rules.compiled.sentence_end.search(text)):
            text = f"{text}\n{line}"
        else:
            text = _continued(text, line, rules, words)
    return text


def _cleaned(value: str, rules: JoiningRules) -> str:
    """Return a line without soft hyphens inside and with single blanks."""
    line = _BLANKS.sub(" ", value.strip())
    last = line[-1:]
    return "".join(character for character in line[:-1] if character != "\u00ad") + last


def _continued(text: str, line: str, rules: JoiningRules, words: Vocabulary) -> str:
    last, before = text[-1], text[-2:-1]
    if last in rules.soft_hyphens:
        return text[:-1] + line
    in_range = (before.isdigit() or before == "(") and line[:1].isdigit()
    if in_range and last in _DASHES + rules.hyphens:
        return text + line
    if last not in rules.hyphens or not before.isalnum():
        return f"{text} {line}"
    first = _FIRST_WORD.match(line)
    if first and first[0] in rules.suspended:
        return f"{text} {line}"
    # A hyphen after a figure, or before a capital or a figure, belongs to what it joins.
    if first is None or not line[0].islower() or before.isdigit() or first[0] in rules.hyphenated:
        return text + line
    stem = _LAST_WORD.search(text)
    return text + line if stem and words.keeps_hyphen(stem[1], first[0]) else text[:-1] + line
