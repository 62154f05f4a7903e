"""Names of what is in a line: words, word pairs, affixes, shapes, and the leading and last tokens."""

from __future__ import annotations

import re

LEADING = 3
"""Tokens at the start of a line that have features of their own."""
MAX_TOKENS = 200
"""Tokens of a line that are looked at: it bounds the work on a line that is a whole file."""
MAX_CHARACTERS = 20 * MAX_TOKENS
"""Characters of a line that are looked at."""
TOKEN = r"[^\W\d_]+|\d+|[^\w\s\ud800-\udfff]"  # half a surrogate pair is no character
"""Pattern of a token: a word, a number or another character."""

_TOKEN = re.compile(TOKEN)


def line_features(text: str) -> list[str]:
    """Name the features of one line: words, word pairs, affixes, shapes, and the leading and last tokens."""
    tokens = line_tokens(text)
    if not tokens:
        return ["h="]
    words, shapes = [word_of(token) for token in tokens], [shape_of(token) for token in tokens]
    own = ([f"w={word}", f"s={shape}", *affix_features(word)] for word, shape in zip(words, shapes, strict=True))
    names = [name for of_token in own for name in of_token]
    names += [f"b={word} {after}" for word, after in zip(words, words[1:], strict=False)]
    for i, (word, shape) in enumerate(zip(words[:LEADING], shapes, strict=False), 1):
        names += [f"{i}={word}", f"{i}s={shape}"]
    return [*names, f"h={' '.join(shapes[:LEADING])}", f"l={words[-1]}", f"t={' '.join(shapes[-2:])}"]


def line_tokens(text: str) -> list[str]:
    """Cut a line in normal form into words, numbers and other characters."""
    return _TOKEN.findall(text[:MAX_CHARACTERS])[:MAX_TOKENS]


def affix_features(word: str) -> list[str]:
    """Name the features that the ends of a word are."""
    return [f"p={word[:3]}", f"e={word[-3:]}", f"E={word[-4:]}"] if len(word) > 4 else []


def word_of(token: str) -> str:
    """Return a token without regard to case, and a number by how many digits it has."""
    return "0" * min(len(token), 5) if token.isdigit() else token.casefold()


def shape_of(token: str) -> str:
    """Return what kind of token it is."""
    if token.isdigit():
        return "0" * min(len(token), 5)
    if not token.isalpha():
        return token
    if token.isupper():
        return "X" if len(token) == 1 else "XX"
    return "Xx" if token[0].isupper() else "x"
