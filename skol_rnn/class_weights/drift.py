"""How the labels and counts of the data differ from those that class weights were frozen with."""

from __future__ import annotations

from skol_rnn.class_weights.form import REMEDY
from skol_rnn.errors import DataError
from skol_rnn.labels import LabelSet


def positions(frozen: LabelSet, labels: LabelSet, source: str) -> list[int]:
    """Find the labels of the data among those of frozen weights.

    Parameters
    ----------
    frozen, labels : LabelSet
        Labels of the weights, and of the data.
    source : str
        What messages call the weights.

    Returns
    -------
    list of int
        For each label of the data, its index among the frozen ones.

    Raises
    ------
    DataError
        If there are labels on one side only; the message names them.

    Examples
    --------
    >>> positions(LabelSet(("a", "b")), LabelSet(("b", "a")), "w.json")
    [1, 0]
    """
    told = [
        f"{what} {', '.join(map(repr, only))}"
        for what, only in (
            ("there is no weight for the label", [name for name in labels if name not in frozen]),
            ("the data have no label", [name for name in frozen if name not in labels]),
        )
        if only
    ]
    if told:
        raise DataError(f"{source}: its labels are not those of the data: {'; '.join(told)}. To mend it, {REMEDY}")
    return [frozen.index(name) for name in labels]


def drifted(name: str, before: int, now: float) -> str:
    """Say how a label's count has changed.

    Parameters
    ----------
    name : str
        The label.
    before, now : int
        Its lines when the weights were frozen, and now.

    Returns
    -------
    str
        A sentence, without a full stop.

    Examples
    --------
    >>> drifted("Nomenclature", 6798, 7100)
    "'Nomenclature' had 6,798 lines when the weights were frozen and has 7,100 now (+4.4 %)"
    >>> drifted("Key", 0, 3)
    "'Key' had 0 lines when the weights were frozen and has 3 now (new)"
    """
    change = f"{100 * (now - before) / before:+.1f} %" if before else "new"
    lines = "line" if before == 1 else "lines"
    return f"{name!r} had {before:,} {lines} when the weights were frozen and has {now:,.0f} now ({change})"
