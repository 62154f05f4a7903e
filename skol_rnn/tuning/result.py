"""The result of a search: its trials, the best settings, and precision-recall curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.labels import LabelSet
from skol_rnn.persistence.atomic import write_atomically
from skol_rnn.tuning.curves import draw_curves


@dataclass(frozen=True)
class TrialReport:
    """Report of one trial: the best score so far, and its own, which is None if the trial was pruned."""

    number: int
    finished: int
    parameters: dict[str, Any]
    score: float | None
    best: float

    def __str__(self) -> str:
        """Return one line."""
        chosen = ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else str(v) for k, v in self.parameters.items())
        score = "pruned" if self.score is None else f"{self.score:.4f}"
        return f"trial {self.number}: {score} (best {self.best:.4f})  {chosen}"


@dataclass(frozen=True, repr=False)
class TuningResult:
    """Result of a search.

    Attributes
    ----------
    settings : dict
        Parameters of ``RNNSkolModel`` of the best trial, including its decision.
    fit_settings : dict
        ``labels`` and ``other`` for ``fit``.
    score : float
        Its cross-validated score; slightly optimistic, as the best of several.
    metric : str
        Score that was maximised.
    trials : DataFrame
        One row for each trial: ``number``, ``state``, ``score``, its parameters, and the score of each decision.
    labels : LabelSet
        Labels in the order of the probabilities.
    important : tuple of str
        Labels of the important F1.
    posterior : ndarray, shape (lines, labels)
        Cross-validated posteriors of the best trial.
    true : ndarray of int, shape (lines,)
        True labels of those lines, as indices.
    points : list of dict
        For each finished trial and decision: ``number``, ``decision``, ``precision`` and ``recall`` by label.
    """

    settings: dict[str, Any]
    fit_settings: dict[str, Any]
    score: float
    metric: str
    trials: pd.DataFrame
    labels: LabelSet
    important: tuple[str, ...]
    posterior: np.ndarray
    true: np.ndarray
    points: Sequence[dict[str, Any]]

    def __repr__(self) -> str:
        return f"TuningResult({self.metric}={self.score:.4f}, trials={len(self.trials)}, settings={self.settings})"

    @property
    def best_number(self) -> int:
        """Number of the best trial."""
        finished = self.trials.dropna(subset="score")
        return int(finished["number"].to_numpy()[finished["score"].to_numpy().argmax()])

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of ``trials``."""
        return self.trials.copy()

    def config(self) -> str:
        """Return the best settings as TOML for ``skol-rnn train --config``."""
        import tomli_w

        values = {**self.fit_settings, **self.settings}
        values["class_weights"] = "none" if values.get("class_weights") is None else values["class_weights"]
        head = f"# {self.metric} {self.score:.4f} cross-validated, the best of {len(self.trials)} trials\n"
        return head + tomli_w.dumps({key: _plain(value) for key, value in values.items() if value is not None})

    def save_config(self, path: str | Path) -> Path:
        """Write :meth:`config` to a file and return its path."""
        write_atomically(Path(path), self.config().encode())
        return Path(path)

    def save_curves(self, path: str | Path) -> Path:
        """Draw precision against recall of each important label to a .png or .svg file, and return its path."""
        return draw_curves(Path(path), self)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.item() if isinstance(value, np.generic) else value
