"""Why a line has its label: what its words, its layout and its neighbours add to the label's score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skol_rnn.data.document import Document
from skol_rnn.data.table import Lines, lengths_of, rows_of
from skol_rnn.errors import BundleError
from skol_rnn.features.base import LineFeatures
from skol_rnn.inference.linear_member import REACH, neighbour_weight
from skol_rnn.inference.predictor import Predictor, ServingModel, load_serving
from skol_rnn.labels import NO_LABEL, check_choice, printable, suggestion

if TYPE_CHECKING:
    from skol_rnn.evaluation.predicted import Predicted

PARTS = ("auto", "linear", "network")
TOP = 5
_SHOWN = 40  # characters of a neighbour
_MOST_ERRORS = 2_000  # of a report


class Contribution(NamedTuple):
    """What one thing adds to the score of a label.

    Parameters
    ----------
    kind : str
        "word", "pair" (of words), "shape", "layout", "line" (a neighbour), "number", "characters" or "feature".
    what : str
        The word, the name of the layout number, or the distance and the text of the neighbour.
    value : float
        What it adds; negative values speak against the label.
    """

    kind: str
    what: str
    value: float


@dataclass(frozen=True)
class Explanation:
    """What adds to the score of a label for one line; ``bias`` and all contributions sum to ``score``.

    Parameters
    ----------
    document : str
        Name of the document.
    line : int
        Row of the line, as ``line_number`` in the table.
    label : str
        The label that is explained.
    part : str
        What is explained: "linear", the linear model, exactly; or "network", by gradient times input.
    score : float
        The logit of the label.
    bias : float
        What no input adds: the bias of the linear model; for the network what the gradient does not explain.
    contributions : tuple of Contribution
        The largest ones, in absolute value, first.
    """

    document: str
    line: int
    label: str
    part: str
    score: float
    bias: float
    contributions: tuple[Contribution, ...]

    def top(self, number: int = TOP) -> tuple[list[Contribution], list[Contribution]]:
        """Return what speaks most for the label, and what speaks most against it.

        Parameters
        ----------
        number : int, default 5
            How many of each, at most.

        Returns
        -------
        tuple of list of Contribution
            Those for and those against the label, the largest first.
        """
        signs = (1, -1)
        speak = ([one for one in self.contributions if sign * one.value > 0][:number] for sign in signs)
        first, second = speak
        return first, second

    def __str__(self) -> str:
        return why_text(self)


def why_text(explanation: Explanation, number: int = TOP) -> str:
    """Say in two lines what speaks for and against a label."""
    sides = zip(("for", "against"), explanation.top(number), strict=True)
    lines = [f"{name} {explanation.label}: " + (", ".join(map(_shown, side)) or "nothing") for name, side in sides]
    return printable("\n".join(lines), keep="\n")


def _shown(one: Contribution) -> str:
    kind = "" if one.kind in ("word", "pair") else f"{one.kind} "
    what = f"“{one.what}”" if one.kind in ("word", "pair", "shape") else one.what
    return f"{kind}{what} {one.value:+.2f}"


def explain(
    model: Any, document: Document | Sequence[str], line: int, label: str | None = None, *, part: str = "auto"
) -> Explanation:
    """Say which words, layout numbers and neighbouring lines speak for and against a label.

    Parameters
    ----------
    model : path, ServingModel or RNNSkolModel
        A model; for ``part="network"`` one that runs in Keras.
    document : Document or list of str
        The document, or its lines.
    line : int
        Row of the line, as ``line_number`` in the table, from 0 on.
    label : str, optional
        The label to explain; the one that is predicted if not given.
    part : {"auto", "linear", "network"}, default "auto"
        What to explain: the linear model, whose contributions are exact, or the network by gradient times input, which is
        exact for the bag of words and a first approximation of all that follows it.  "auto" is the linear model where
        there is one.  A model's answer is the mean of both, and of the second pass, which is not explained; nor is what a
        token's label gains from the labels around it.

    Returns
    -------
    Explanation
        ``print`` shows five for and five against.

    Raises
    ------
    ValueError
        If there is no such line, label or part.
    BundleError
        If the model lacks the part.

    Examples
    --------
    >>> from skol_rnn import RNNSkolModel
    >>> texts = [["Fusella minor", "Pileus red", "Thanks to all"], ["Fusella nova", "Pileus blue", "Thanks to you"]] * 3
    >>> model = RNNSkolModel(preset="instant", verbosity=0).fit(texts, [["Name", "Text", "Misc"]] * 6)
    >>> why = explain(model, texts[0], 0, "Name")
    >>> "fusella" in [one.what for one in why.top(5)[0]]
    True
    """
    if isinstance(model, (str, Path)):
        model = load_serving(model, backend="keras" if part == "network" else "auto", precision="float32")
    predictor = model.predictor if isinstance(model, ServingModel) else _trained(model)
    return Explainer.of(predictor, document).line(line, label, part)


def _trained(model: Any) -> Predictor:
    if not hasattr(model, "_require_trained"):
        raise TypeError(f"model must be a path, a ServingModel or an RNNSkolModel, not {type(model).__name__}.")
    model._require_trained()
    return model._predictor


@dataclass(frozen=True)
class Explainer:
    """Explains the lines of one document, whose features are computed once."""

    predictor: Predictor
    name: str
    values: Sequence[str]
    features: LineFeatures

    @classmethod
    def of(cls, predictor: Predictor, document: Document | Sequence[str]) -> Explainer:
        """Compute the features of a document."""
        if not isinstance(document, Document):
            if isinstance(document, str) or not all(isinstance(line, str) for line in document):
                raise TypeError("document must be a Document or a list of lines.")
            document = Document("document", "\n".join(document))
        if not document.n_rows:
            raise ValueError(f"{document.doc_id} has no line with text.")
        return cls.of_table(predictor, document.columns() if document.unit == "line" else document.table())

    @classmethod
    def of_table(cls, predictor: Predictor, table: Lines) -> Explainer:
        """Compute the features of the rows of one document."""
        values = list(table["value"])
        return cls(predictor, str(np.asarray(table["doc_id"])[0]), values, predictor.features.transform(table))

    @cached_property
    def _in_one_bag(self) -> LineFeatures:
        return self.predictor.features.in_one_bag(self.features)

    @cached_property
    def _predicted(self) -> np.ndarray:
        predictor, lengths = self.predictor, [len(self.values)]
        return predictor.decoder.posterior(predictor.probabilities_of(self.features, lengths)).argmax(axis=1)

    def line(self, line: int, label: str | None = None, part: str = "auto") -> Explanation:
        """Explain a label of a line; the most probable one if none is given."""
        check_choice("part", part, PARTS)
        if isinstance(line, bool) or not isinstance(line, (int, np.integer)) or not 0 <= line < len(self.values):
            raise ValueError(f"line must be from 0 to {len(self.values) - 1}, a row of {self.name}, but is {line!r}.")
        names = self.predictor.labels.names
        if label is not None and label not in names:
            raise ValueError(f"The model has no label {label!r}, only {', '.join(names)}.{suggestion(label, names)}")
        index = names.index(label) if label is not None else int(self._predicted[line])
        linear = part == "linear" or (part == "auto" and self.predictor.linear is not None)
        found = self._of_linear(int(line), index) if linear else self._of_network(int(line), index)
        score, bias, sums = found
        largest = sorted(sums.items(), key=lambda item: -abs(item[1]))
        contributions = tuple(Contribution(*key, value) for key, value in largest if value)
        how = "linear" if linear else "network"
        return Explanation(self.name, int(line), names[index], how, score, bias, contributions)

    def _of_linear(self, line: int, label: int) -> tuple[float, float, dict[tuple[str, str], float]]:
        """Return score, bias and contributions of the linear model, which are exact."""
        member = self.predictor.linear
        if member is None:
            raise BundleError('The model has no linear part: explain its network with part="network".')
        words, sums = member.words, defaultdict[tuple[str, str], float](float)
        ids, numbers = self._in_one_bag
        own = _kept(ids, line)
        for key, value in self._by_word(line, own, words[own, 0, label]):
            sums[key] += value
        for name, value in zip(self._number_names, numbers[line] * member.numbers[:, label].astype(float), strict=True):
            sums[name] += float(value)
        for distance in range(1, REACH + 1) if words.shape[1] > 1 else ():
            for side, other in ((1, line - distance), (2, line + distance)):
                if 0 <= other < len(ids):
                    kept = _kept(ids, other)
                    total = _shares(words[kept, side, label]).sum()
                    sums[self._neighbour(other, line)] += float(neighbour_weight(distance) * total)
        bias = float(member.bias[label])
        return bias + sum(sums.values()), bias, sums

    def _of_network(self, line: int, label: int) -> tuple[float, float, dict[tuple[str, str], float]]:
        """Return logit, what is not explained, and contributions of the network by gradient times input."""
        network, windows = getattr(self.predictor.runner, "network", None), self.predictor.windows
        if windows is None:
            raise BundleError('The model is linear (preset="instant") and has no network: leave out part="network".')
        if network is None:
            raise BundleError('The gradients of a network need Keras: load_serving(path, backend="keras").')
        from skol_rnn.inference.keras_runner import window_inputs
        from skol_rnn.network.gradient import logit_slopes

        size = max(min(windows.window_size, len(self.values)), 1)
        first = int(np.clip(line - size // 2, 0, len(self.values) - size))
        rows = np.arange(first, first + size)
        slopes = logit_slopes(network, window_inputs(self.features, rows[None]), line - first, label)
        sums = defaultdict[tuple[str, str], float](float)
        own, context = self._slots
        for bag in slopes.bags:
            ids = self.features.ids[:, own:context] if bag.of_context else self.features.ids[:, :own]
            for row, gradient in zip(rows.tolist(), bag.gradient, strict=True):
                kept = _kept(ids, row)
                weights = bag.embeddings[kept] @ gradient
                if row != line:
                    sums[self._neighbour(row, line)] += float(_shares(weights).sum())
                    continue
                for key, value in self._by_word(row, kept, weights, bag.of_context):
                    sums[key] += value
        for row, numbers, characters in zip(rows.tolist(), slopes.numbers, slopes.characters, strict=True):
            named = dict(zip(self._number_names, numbers.tolist(), strict=True))
            named |= {("characters", self.values[row]): float(characters)}
            for key, value in named.items():
                sums[key if row == line else self._neighbour(row, line)] += value
        return slopes.logit, slopes.logit - sum(sums.values()), sums

    @property
    def _slots(self) -> tuple[int, int]:
        """Columns where the row's own ids and those of its context end."""
        features = self.predictor.features
        own = self.features.ids.shape[1] - features.context_slots - features.characters
        return own, own + features.context_slots

    def _by_word(
        self, row: int, kept: np.ndarray, weights: np.ndarray, of_context: bool = False
    ) -> list[tuple[tuple[str, str], float]]:
        """Return what each id of a row adds, under the name of what it stands for."""
        known = {} if of_context else self.predictor.features.described(self.values[row])
        kind = "context" if of_context else "feature"
        names = (known.get(i, (kind, f"number {i}")) for i in kept.tolist())
        return list(zip(names, _shares(weights).tolist(), strict=True))

    @cached_property
    def _number_names(self) -> list[tuple[str, str]]:
        size, names = self.features.numbers.shape[1], self.predictor.features.number_names
        if len(names) == size:
            return [("layout", name) for name in names]
        return [("number", str(i)) for i in range(1, size + 1)]

    def _neighbour(self, row: int, line: int) -> tuple[str, str]:
        return "line", f"{row - line:+d} “{self.values[row].strip()[:_SHOWN]}”"


def _kept(ids: np.ndarray, row: int) -> np.ndarray:
    """Return the ids of a row without empty slots."""
    found: np.ndarray = ids[row][ids[row] > 0]
    return found


def _shares(weights: np.ndarray) -> np.ndarray:
    """Divide what the ids of a row add as their bag does."""
    return weights.astype(np.float64) / max(len(weights), 1) ** 0.5


def explain_rows(predictor: Predictor, table: Lines, rows: Sequence[int]) -> dict[int, str]:
    """Say why some rows of a table have the labels in its column ``predicted``, by the linear model.

    The pages show it.  Without a linear model, and for tokens, whose features have no names, there is nothing to say.
    """
    if predictor.linear is None or not predictor.features.number_names:
        return {}
    found, wanted, start = dict[int, str](), set(rows), 0
    for length in lengths_of(table):
        own = [row for row in range(start, start + length) if row in wanted]
        if own:
            part = rows_of(table, start, start + length)
            labels = list(part["predicted"])
            explainer = Explainer.of_table(predictor, part)
            found |= {row: why_text(explainer.line(row - start, labels[row - start], "linear")) for row in own}
        start += length
    return found


def explain_errors(predictor: Predictor, predicted: Predicted) -> dict[int, str]:
    """Say why the wrong rows of a report have their labels."""
    true, found = predicted.true, predicted.labels.encode(predicted.table["predicted"])
    wrong = np.flatnonzero((true != NO_LABEL) & (true != found))[:_MOST_ERRORS]
    return explain_rows(predictor, predicted.table, wrong.tolist())
