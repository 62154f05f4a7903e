"""The search: start moderate, push, back off, on documents held out in folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.model import RNNSkolModel
from skol_rnn.training.settings import resolve
from skol_rnn.tuning.out_of_fold import calibrated, decisions, score_decisions, train_folds
from skol_rnn.tuning.result import TrialReport, TuningResult
from skol_rnn.tuning.space import draw, moderate_trials
from skol_rnn.tuning.storage import FINISHED, BestProbabilities, open_study, run_again, unfinished
from skol_rnn.tuning.task import Task

Told = Callable[[TrialReport], None]


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
    told: Told | None = None,
) -> TuningResult:
    """Search class weights and loss by cross-validation over documents, and decide by the best of three decisions.

    The moderate settings come first; then Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) goes where
    they scored best.  A trial trains one network a fold; argmax, corrected and tuned decisions are scored from the same
    probabilities, calibration and offsets of a fold being found on the others.  The epoch is chosen on the fold that is
    scored, alike in all trials.  A trial that stays below the median of the others at the same epoch is given up.

    Parameters
    ----------
    data : DataFrame, Corpus, list of documents, or path(s)
        Annotated documents.
    y : list of list of str, optional
        Labels, where the data have none.
    labels, other : list of str and str, optional
        As ``RNNSkolModel.fit`` takes them.
    n_trials : int, default 20
        Trials in all, those of an earlier run in ``storage`` counted.
    folds : int, default 3
        Folds.
    groups : str or mapping, optional
        Column, or group by ``doc_id``: documents of one group stay in one fold.
    metric : str, default "important_f1"
        "important_f1", "macro_f1", "accuracy" or "f1/Label".
    important : sequence of str, optional
        Labels of the important F1; all but the most frequent if not given.
    storage : path, optional
        SQLite file of the trials; a run that was stopped, or killed, goes on from it.  One process at a time.
    study_name : str, default "skol_rnn"
        Name of the search in that file.
    seed : int, default 0
        Seed of folds, networks and draws.
    settings : mapping, optional
        Parameters of ``RNNSkolModel`` that stay as they are: epochs, window_size and so on.
    search : sequence of str, default ("alpha", "loss")
        What to vary, of ``SEARCHES``; "weights" draws a weight for each label instead of the exponent.
    told : callable, optional
        Called with a ``TrialReport`` after each trial.

    Returns
    -------
    TuningResult
        The best settings and all trials.

    Raises
    ------
    DataError
        If documents or groups do not suffice for the folds, a label is in one of them only, or the storage is of
        another search.
    ValueError
        If an argument is out of its range or unknown.
    ImportError
        If optuna is missing.
    """
    for name, value, least in (("n_trials", n_trials, 1), ("folds", folds, 2)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, but is {value!r}.")
    task = Task.of(
        data,
        y,
        labels=labels,
        other=other,
        folds=folds,
        groups=groups,
        metric=metric,
        important=important,
        seed=seed,
        settings=settings or {},
        search=search,
    )
    epochs = int(resolve(RNNSkolModel(**task.settings).get_params())["epochs"])
    study = open_study(storage, study_name, seed, task.fingerprint(), warmup=epochs // 2)
    for parameters in moderate_trials(task.search, task.rarity):
        study.enqueue_trial(parameters, skip_if_exists=True)
    best = BestProbabilities(storage, study_name)
    while unfinished(study, n_trials):
        _run_trial(study, task, epochs, best, told)
    return _result(study, task, best)


def _run_trial(study: Any, task: Task, epochs: int, best: BestProbabilities, told: Told | None) -> None:
    import optuna

    trial = study.ask()
    highest: dict[int, float] = {}

    def report(fold: int, epoch: int, score: float) -> None:
        # Folds that are done count with their best epoch, the present one with this epoch.
        done = [highest[earlier] for earlier in range(fold)]
        highest[fold] = max(score, highest.get(fold, score))
        trial.report(float(np.mean([*done, score])), fold * epochs + epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        settings = draw(trial, task.search, task.rarity)
        found = train_folds(task.table, task.folds, task.labels, {**task.settings, **settings}, report, task.metric)
        posterior = calibrated(found, task.true)
        decided = decisions(found, posterior, task.true, task.labels, task.units, task.metric, task.important)
        scores = score_decisions(decided, task.true, task.labels, task.metric, task.important)
        chosen = max(scores, key=lambda name: scores[name]["score"])
        trial.set_user_attr("settings", settings | {"decision": chosen})
        trial.set_user_attr("scores", scores)
        value = scores[chosen]["score"]
        # Before the trial counts as finished: a kill in between costs a trial, not the curves of the best one.
        best.keep(trial.number, value, posterior)
        study.tell(trial, value)
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        value = None
    except BaseException:
        run_again(study, trial.number)
        raise
    if told:
        number = sum(t.state.name in FINISHED for t in study.trials)
        told(TrialReport(trial.number, number, trial.params, value, study.best_value))


def _result(study: Any, task: Task, best: BestProbabilities) -> TuningResult:
    rows, points = [], []
    for trial in study.trials:
        if trial.state.name not in FINISHED:
            continue
        scores = trial.user_attrs.get("scores", {})
        by_decision = {name: values["score"] for name, values in scores.items()}
        value = trial.value if trial.state.name == "COMPLETE" else np.nan
        rows.append({"number": trial.number, "state": trial.state.name, "score": value, **trial.params, **by_decision})
        points += [
            {"number": trial.number, "decision": name, "precision": v["precision"], "recall": v["recall"]}
            for name, v in scores.items()
        ]
    settings = {**task.columns, **task.settings, **study.best_trial.user_attrs["settings"]}
    return TuningResult(
        settings,
        {"labels": list(task.labels), "other": task.other},
        study.best_value,
        task.metric,
        pd.DataFrame(rows),
        task.labels,
        task.important,
        best.load(study.best_trial.number),
        task.true,
        points,
    )
