"""Storage of trials, so that an interrupted search resumes."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from skol_rnn.errors import DataError
from skol_rnn.persistence.archive import npz_bytes, read_npz
from skol_rnn.persistence.atomic import write_atomically

FINISHED = ("COMPLETE", "PRUNED")
"""States of trials that count; a failed trial runs again."""
_STARTUP = 4  # trials that are never pruned: there is no median to compare them with


def require_libraries() -> None:
    """Raise an ImportError that names the extra where a library of the search is missing; call it before any work."""
    for package in ("optuna", "tomli_w"):
        try:
            import_module(package)
        except ImportError as error:
            name = package.replace("_", "-")
            raise ImportError(f'The search needs {name}: pip install "skol_rnn[tune]"') from error


def open_study(storage: str | Path | None, name: str, seed: int, fingerprint: str, warmup: int = 0) -> Any:
    """Open or create the study of a search."""
    require_libraries()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = None
    if storage is not None:
        Path(storage).parent.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{Path(storage).absolute()}"
    try:
        study = optuna.create_study(
            study_name=name,
            storage=url,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=warmup),
        )
    except Exception as error:  # errors of the database differ by driver
        raise DataError(f"{storage} cannot store trials ({str(error).splitlines()[0]}).") from error
    known = study.user_attrs.get("fingerprint")
    if known is None:
        study.set_user_attr("fingerprint", fingerprint)
    elif known != fingerprint:
        raise DataError(f"{storage} has trials with other data, labels, folds or settings: use another file.")
    # A resumed search must not repeat the random choices of its first run.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials), n_startup_trials=_STARTUP + 2)
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        run_again(study, trial.number)
    return study


def run_again(study: Any, number: int) -> None:
    """Mark a trial as failed and queue its parameters, including those that it did not reach."""
    from optuna.trial import TrialState

    trial = study.trials[number]
    study.tell(number, state=TrialState.FAIL)
    study.enqueue_trial({**trial.system_attrs.get("fixed_params", {}), **trial.params})


def finished(study: Any) -> list[Any]:
    """Return the trials that count."""
    return [trial for trial in study.trials if trial.state.name in FINISHED]


class BestProbabilities:
    """Posteriors of the best trial so far, in a file next to the trials or in memory."""

    def __init__(self, storage: str | Path | None, name: str) -> None:
        self.path = None if storage is None else Path(f"{storage}.{name}.npz")
        self.kept: dict[str, np.ndarray] = {}
        if self.path and self.path.exists():
            self.kept = read_npz(self.path)

    def keep(self, number: int, score: float, posterior: np.ndarray) -> None:
        """Keep a trial's posteriors if none scored better."""
        if self.kept and float(self.kept["score"]) >= score:
            return
        self.kept = {"number": np.array(number), "score": np.array(score), "posterior": posterior}
        if self.path:
            write_atomically(self.path, npz_bytes(self.kept))

    def load(self, number: int) -> np.ndarray:
        """Return the posteriors of a trial."""
        # They may come from a killed trial; run again, it has the same settings and score, and another number.
        if not self.kept:
            raise DataError(
                f"The posteriors of trial {number} are not at {self.path}: keep this file next to the trials."
            )
        return self.kept["posterior"]
