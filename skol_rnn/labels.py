"""The ordered set of labels: names to indices and back, and the nearest name to a misspelt one."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

UNLABELLED = ("skip", "other", "ignore")
"""What becomes, in training, of lines without a label."""

NO_LABEL = -1
"""Index of padding and of lines without a label; no loss, gradient or metric includes it."""


def plural(number: float, noun: str) -> str:
    """Return a number with its noun, such as "1 line" or "2,000 lines"."""
    return f"{int(number):,} {noun}" if number == 1 else f"{int(number):,} {noun}s"


def suggestion(name: str, known: Iterable[str]) -> str:
    """Suggest the known name nearest to a misspelt one."""
    # difflib counts a difference in case, the most common slip, as a large distance.
    by_fold = {k.casefold(): k for k in known}
    folded = name.casefold()
    # A prefix ("Misc" for "Misc-exposition") has a large edit distance but means the longer name.
    near = [k for k in by_fold if folded and k.startswith(folded)] or difflib.get_close_matches(folded, by_fold, 1, 0.5)
    return f" Did you mean {by_fold[near[0]]!r}?" if near else ""


def printable(text: str, keep: str = "\t") -> str:
    r"""Escape what a terminal or a page would obey or hide: control characters, directions of writing, surrogates.

    >>> print(printable("a\x1b[31mb\u202ec"))
    a\x1b[31mb\u202ec
    """
    if text.isprintable():
        return text
    return "".join(c if _is_shown(c) or c in keep else c.encode("unicode_escape").decode() for c in text)


def _is_shown(character: str) -> bool:
    # Blanks of all widths, soft hyphens, and the joiners that Persian, Indic scripts and emoji need.
    return character.isprintable() or character in "\xad\u200c\u200d" or unicodedata.category(character) == "Zs"


def alike_labels(counts: Mapping[str, int]) -> dict[str, str]:
    """Map each label that differs from a more frequent one only in Unicode form, case or outer blanks to that one."""
    found: dict[str, str] = {}
    mapping = {}
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        key = unicodedata.normalize("NFKC", label).casefold().strip()
        if found.setdefault(key, label) != label:
            mapping[label] = found[key]
    return mapping


def check_choice(name: str, value: object, allowed: Iterable[str | None]) -> None:
    """Raise a ValueError with the nearest name if a value is not allowed."""
    if value not in (allowed := tuple(allowed)):
        names = [choice for choice in allowed if choice is not None]
        hint = suggestion(str(value), names)
        raise ValueError(f"{name} must be one of {', '.join(names)}, but is {value!r}.{hint}")


def label_counts(true: np.ndarray, n_labels: int) -> np.ndarray:
    """Count the rows of each label; rows without a label are not counted."""
    return np.bincount(true[true != NO_LABEL], minlength=n_labels)


def rare_labels(counts: np.ndarray, labels: LabelSet) -> list[str]:
    """Return all labels but the most frequent: the important ones by default."""
    return [name for i, name in enumerate(labels) if i != int(np.argmax(counts))] or list(labels)


@dataclass(frozen=True)
class LabelSet:
    """Label names in a fixed order; the position of a name is its index everywhere.

    Parameters
    ----------
    names : tuple of str
        Distinct, non-empty label names.

    Raises
    ------
    ValueError
        If there is no name, a name is empty or not text, or one occurs twice.

    Examples
    --------
    >>> labels = LabelSet(("Nomenclature", "Description", "Misc"))
    >>> labels.encode(["Misc", None, "Description"]).tolist()
    [2, -1, 1]
    >>> labels.decode([0, 2])
    ['Nomenclature', 'Misc']
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError("There are no labels: give labels=[...] or data with a label column.")
        wrong = [n for n in self.names if not isinstance(n, str) or not n]
        if wrong:
            raise ValueError(f"Labels must be non-empty text, but {wrong[0]!r} is not.")
        twice = [n for i, n in enumerate(self.names) if n in self.names[:i]]
        if twice:
            raise ValueError(f"Label {twice[0]!r} is given twice.")

    @classmethod
    def from_data(cls, labels: Iterable[str | None]) -> LabelSet:
        """Collect the labels that occur, in alphabetical order as scikit-learn's ``classes_`` are.

        Parameters
        ----------
        labels : iterable of str or None
            Labels of the lines; None is skipped.

        Returns
        -------
        LabelSet
            The distinct labels, sorted.

        Examples
        --------
        >>> LabelSet.from_data(["b", None, "a", "b"]).names
        ('a', 'b')
        """
        return cls(tuple(sorted({label for label in labels if label is not None})))

    def index(self, name: str) -> int:
        """Return the index of a label.

        Parameters
        ----------
        name : str
            A label.

        Returns
        -------
        int
            Its position.

        Raises
        ------
        ValueError
            If the label is unknown; the message suggests the nearest one.

        Examples
        --------
        >>> LabelSet(("a", "b")).index("b")
        1
        """
        try:
            return self.names.index(name)
        except ValueError:
            known = ", ".join(self.names)
            raise ValueError(f"Unknown label {name!r}; known are {known}.{suggestion(name, self.names)}") from None

    def encode(self, labels: Iterable[str | None]) -> np.ndarray:
        """Turn labels into indices.

        Parameters
        ----------
        labels : iterable of str or None
            Labels of n lines; None, and the NaN that a table makes of it, becomes ``NO_LABEL``.

        Returns
        -------
        ndarray of int32, shape (n,)
            The indices.

        Raises
        ------
        ValueError
            If a label is unknown.
        """
        positions = {name: i for i, name in enumerate(self.names)}
        found = []
        for label in labels:
            if label is None or label != label:
                found.append(NO_LABEL)
                continue
            if label not in positions:
                self.index(str(label))  # raises with the suggestion
            found.append(positions[label])
        return np.asarray(found, dtype=np.int32)

    def decode(self, indices: Sequence[int] | np.ndarray) -> list[str]:
        """Turn indices into labels.

        Parameters
        ----------
        indices : sequence of int
            Indices between 0 and ``len(self) - 1``.

        Returns
        -------
        list of str
            The names.
        """
        return [self.names[i] for i in indices]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names
