"""The search for class weights, loss and decision by cross-validation over documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.training.parameters import ModelParameters, values_of
from skol_rnn.training.settings import resolve
from skol_rnn.tuning.out_of_fold import calibrated, decisions, score_decisions, train_folds
from skol_rnn.tuning.result import TrialReport, TuningResult
from skol_rnn.tuning.space import moderate_trials, suggest
from skol_rnn.tuning.storage import BestProbabilities, finished, open_study, run_again
from skol_rnn.tuning.task import Task


def tune_class_weights(
    data: Any,
    y: Any = None,
    *,
    labels: Sequence[str] | None = None,
    other: str | None = None,
    n_trials: int = 20,
    folds: int = 3,
    groups: str | Mapping[str, str] | None = None,
    metric: str = "important_f1",
    important: Sequence[str] | None = None,
    storage: str | Path | None = None,
    study_name: str = "skol_rnn",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    search: Sequence[str] = ("alpha", "loss"),
    callback: Callable[[TrialReport], None] | None = None,
) -> TuningResult:
    """Search class weights and loss by cross-validation over documents, and choose the best of three decisions.

    The search starts with moderate settings; Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) then
    samples near the best ones.  Each trial trains one network for each fold, and scores the decisions argmax, corrected
    and tuned on the same probabilities; calibration and offsets of a fold are fitted on the other folds.  In all trials
    the epoch is chosen on the fold that is scored.  A trial below the median of the others at the same epoch is pruned.

    Parameters
    ----------
    data : table, list of lines or documents, Corpus, or path(s)
        Annotated documents.
    y : list of str or list of list of str, optional
        Labels, if the data have none.
    labels, other : list of str and str, optional
        As in ``RNNSkolModel.fit``.
    n_trials : int, default 20
        Number of trials, including those of an earlier run in ``storage``.
    folds : int, default 3
        Number of folds.
    groups : str or mapping, optional
        Column of the groups, or the group of each ``doc_id``; documents of one group stay in one fold.
    metric : str, default "important_f1"
        "important_f1", "macro_f1", "accuracy" or "f1/Label".
    important : sequence of str, optional
        Labels of the important F1; all but the most frequent if not given.
    storage : path, optional
        SQLite file of the trials; an interrupted search resumes from it.  One process at a time.
    study_name : str, default "skol_rnn"
        Name of the search in that file.
    seed : int, default 0
        Seed of folds, networks and sampler.
    settings : mapping, optional
        Parameters of ``RNNSkolModel`` that all trials share: epochs, window_size and so on.
    search : sequence of str, default ("alpha", "loss")
        What to search: "alpha" is the exponent of smoothed weights, "weights" a weight for each label, "loss" the loss.
    callback : callable, optional
        Called with a ``TrialReport`` after each trial.

    Returns
    -------
    TuningResult
        The best settings and all trials.

    Raises
    ------
    DataError
        If there are fewer documents or groups than folds, a label occurs in only one of them, or the storage belongs to
        another search.
    ValueError
        If an argument is out of its range or unknown.
    ImportError
        If optuna is missing.
    """
    for name, value, least in (("n_trials", n_trials, 1), ("folds", folds, 2)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, but is {value!r}.")
    task = Task.of(data, y, labels, other, folds, groups, metric, important, seed, settings or {}, search)
    epochs = max(int(resolve(values_of(ModelParameters(**task.settings)))["epochs"]), 1)
    study = open_study(storage, study_name, seed, task.fingerprint(), warmup=epochs // 2)
    for parameters in moderate_trials(task.search, task.rarity):
        study.enqueue_trial(parameters, skip_if_exists=True)
    best = BestProbabilities(storage, study_name)
    while len(finished(study)) < n_trials:
        trial = study.ask()
        score = _run_trial(study, trial, task, epochs, best)
        if callback:
            callback(TrialReport(trial.number, len(finished(study)), trial.params, score, study.best_value))
    return _result(study, task, best)


def _run_trial(study: Any, trial: Any, task: Task, epochs: int, best: BestProbabilities) -> float | None:
    """Train and score a trial; return its score, or None if it was pruned."""
    import optuna

    highest: dict[int, float] = {}

    def report(fold: int, epoch: int, score: float) -> None:
        # Finished folds count with their best epoch, the current one with this epoch.
        done = [highest[earlier] for earlier in range(fold)]
        highest[fold] = max(score, highest.get(fold, score))
        trial.report(float(np.mean([*done, score])), fold * epochs + epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        settings = suggest(trial, task.search, task.rarity)
        found = train_folds(task, settings, report)
        posterior = calibrated(found, task)
        scores = score_decisions(decisions(found, posterior, task), task)
        chosen = max(scores, key=lambda name: scores[name]["score"])
        trial.set_user_attr("settings", settings | {"decision": chosen})
        trial.set_user_attr("scores", scores)
        value = float(scores[chosen]["score"])
        # Saved before the trial counts as finished: a kill in between costs one trial, not the best posteriors.
        best.keep(trial.number, value, posterior)
        study.tell(trial, value)
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return None
    except BaseException:
        run_again(study, trial.number)
        raise
    return value


def _result(study: Any, task: Task, best: BestProbabilities) -> TuningResult:
    rows, points = [], []
    for trial in finished(study):
        scores = trial.user_attrs.get("scores", {})
        value = trial.value if trial.state.name == "COMPLETE" else np.nan
        by_decision = {name: values["score"] for name, values in scores.items()}
        rows.append({"number": trial.number, "state": trial.state.name, "score": value, **trial.params, **by_decision})
        points += [{"number": trial.number, "decision": name, **values} for name, values in scores.items()]
    return TuningResult(
        settings={**task.columns, **task.settings, **study.best_trial.user_attrs["settings"]},
        fit_settings={"labels": list(task.labels), "other": task.other},
        score=study.best_value,
        metric=task.metric,
        trials=pd.DataFrame(rows),
        labels=task.labels,
        important=task.important,
        posterior=best.load(study.best_trial.number),
        true=task.true,
        points=points,
    )
