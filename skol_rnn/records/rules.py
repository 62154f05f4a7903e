"""How lines are joined to records: a table of values, which a file can replace."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from skol_rnn.errors import DataError
from skol_rnn.labels import printable, suggestion


@dataclass(frozen=True)
class JoiningRules:
    r"""The rules by which lines become records; the defaults are those of taxonomic treatments.

    Patterns are regular expressions.  "Begin lines" are those of the label that begins a record, "part lines" those of
    the labels that follow it.  A line that a rule leaves out counts as one of another label.

    Parameters
    ----------
    continues : tuple of str
        A begin block that starts with one of these patterns belongs to the record before, as a list of synonyms does.
    repeated_words : int
        So does one whose first words, this many, are those of the record: a heading and the name below it.
    lower_case_continues : bool
        So does one that starts in lower case.
    unfinished_name : str
        So does one after a begin line that ends with this pattern.
    name_gap : int
        Lines of other labels between two begin blocks of one record, at most.
    part_gap : int
        Lines of other labels before a part line of a record, at most.  What comes later is a record without a name.
    doubtful_gap : int
        More lines of other labels than this within a record are a flag.
    skip : tuple of str
        A line that is one of these patterns, from start to end, is left out.
    page_line : str
        A begin or part line next to a page break that has this pattern is left out as a page header or footer.
    page_line_characters : int
        Length of such a line, at most.
    hyphens : str
        Characters that may be hyphens at the end of a line.
    soft_hyphens : str
        Those that are never part of a word.
    suspended : tuple of str
        Words before which a hyphen at a line end stays, with a blank: "thin- to thick-walled".
    hyphenated : tuple of str
        Words before which a hyphen at a line end stays without a blank: "thick-walled".
    sentence_end : str
        How a text ends that is complete.
    name : str
        How a name starts: "two names" are two lines of a record that start with different ones.
    has_name : str
        What a name has somewhere: without it, as in "comb. nov." alone, the record has no name.
    least_probability : float
        A record with a less probable line is flagged.

    Examples
    --------
    >>> JoiningRules(part_gap=10).part_gap
    10
    """

    continues: tuple[str, ...] = (
        r"[\W\d_]{0,3}[=≡]",
        r"(?:Basionym|Bas\.|Synonym|Syn\.|Misapplied|Excluded|Replaced|Type\b|Anamorph|Teleomorph|MycoBank|non )",
    )
    repeated_words: int = 2
    lower_case_continues: bool = True
    unfinished_name: str = r"[,&(:;–-]\s*$"
    name_gap: int = 4
    part_gap: int = 40
    doubtful_gap: int = 12
    skip: tuple[str, ...] = (
        r"[\W\d_]*",
        r"(?i:\(?(?:fig(?:ure)?s?|f ig|pl(?:ate)?s?)\b[.:]?(?:[\s\d.,;:&()!|–—-]|\b[a-z]\b)*)",
        r"(?i:m[yv]co\s?bank\s*:?\s*(?:no\.?\s*)?mb\s*\d+\s*\.?)",
    )
    page_line: str = r"^\d{1,4}\s+(?:\.\.\.\s*)?[A-Z]|^[A-Z].*\s\d{1,4}$"
    page_line_characters: int = 80
    hyphens: str = "-\u2010\u00ad\u00ac"
    soft_hyphens: str = "\u00ad\u00ac"
    suspended: tuple[str, ...] = ("to", "and", "or", "und", "bis", "et", "vel", "ou")
    hyphenated: tuple[str, ...] = (
        "walled", "shaped", "like", "spored", "celled", "coloured", "colored", "brown", "yellow", "white", "grey", "gray",
        "green", "forming", "connection", "connections",
    )  # fmt: skip
    sentence_end: str = r"[.!?…][\"'”’»)\]]*\s*$|[)\]”»]\s*$"
    name: str = r"(?:\d{1,3}[a-z]?[.)]\s*)?([A-Z][a-zà-ÿ]+(?:-[a-z]+)?)\s+([a-zà-ÿ]{3,}(?:-[a-zà-ÿ]+)*)\b"
    has_name: str = r"\b[A-ZÀ-Þ][^\W\d_]{2,}"
    least_probability: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value, default = getattr(self, field.name), field.default
            if isinstance(default, tuple) and isinstance(value, list):
                object.__setattr__(self, field.name, value := tuple(value))
            if not _fits(value, default):
                raise ValueError(f"The rule {field.name} must be {_KINDS[type(default)]}, but is {value!r:.60}.")
            for pattern in value if isinstance(value, tuple) else (value,):
                if field.name in _PATTERNS:
                    _check_pattern(field.name, pattern)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read the rules of a TOML file; those that it lacks have their defaults.

        Parameters
        ----------
        path : path
            TOML file whose keys are the names of rules.

        Returns
        -------
        JoiningRules
            The rules.

        Raises
        ------
        DataError
            If the file cannot be read, or a rule is unknown or has a wrong value.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "rules.toml").write_text('part_gap = 60')
        ...     JoiningRules.from_file(Path(folder, "rules.toml")).part_gap
        60
        """
        try:
            values: dict[str, Any] = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
        except ValueError as error:
            raise DataError(f"{path} is not a TOML file: {printable(str(error))}.") from error
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise DataError(f"{path}: there is no rule {name!r}.{suggestion(name, known)}")
        try:
            return cls(**values)
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error

    @cached_property
    def compiled(self) -> Compiled:
        """The patterns, compiled."""
        return Compiled(self)


_PATTERNS = ("continues", "unfinished_name", "skip", "page_line", "sentence_end", "name", "has_name")
_KINDS = {
    tuple: "a list of texts",
    bool: "true or false",
    int: "a whole number from 0 on",
    str: "a text",
    float: "a number from 0 to 1",
}


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, tuple):
        return isinstance(value, tuple) and all(isinstance(item, str) and item for item in value)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, (int, float)) and 0 <= value <= 1
    return isinstance(value, type(default)) and (isinstance(value, str) or value >= 0)


def _check_pattern(name: str, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"The rule {name} has {pattern!r:.60}, which is not a regular expression: {error.msg}."
        ) from error


class Compiled:
    """Compiled patterns of rules."""

    def __init__(self, rules: JoiningRules) -> None:
        self.continues = _any_of(rules.continues)
        self.skip = _any_of(rules.skip)
        self.unfinished_name, self.page_line = re.compile(rules.unfinished_name), re.compile(rules.page_line)
        self.sentence_end, self.name = re.compile(rules.sentence_end), re.compile(rules.name)
        self.has_name = re.compile(rules.has_name)


def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    # No pattern at all matches nothing.
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)")
