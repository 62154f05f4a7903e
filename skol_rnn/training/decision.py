"""After training: calibration, offsets and transition weight, each fitted only if the decision uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from skol_rnn.data.bio import is_bio
from skol_rnn.data.inputs import LabelledRows
from skol_rnn.decoding.calibration import fit_calibration
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.offsets import prior_offsets
from skol_rnn.decoding.span_tuning import tuned_outside_offset
from skol_rnn.decoding.tuning import cross_tuned_offsets, tuned_transition_weight
from skol_rnn.evaluation.fragments import SPAN_METRIC, FragmentScorer
from skol_rnn.labels import LabelSet
from skol_rnn.training.log import TrainingLog

_MOST_NAMED = 5


def fitted_decoder(
    decoder: Decoder,
    raw: np.ndarray,
    rows: LabelledRows,
    labels: LabelSet,
    settings: Mapping[str, Any],
    log: TrainingLog,
) -> Decoder:
    """Fit the decoder to the network's probabilities on the validation set."""
    how = settings["calibration"]
    if how == "cautious" and settings["monitor"] == SPAN_METRIC:
        how = "temperature"  # biases of B and I labels lower the fragment F1 (docs/experiments.md)
    if how != "none":
        correction = decoder.correction
        found = fit_calibration(correction.posterior(raw), rows.true, how, correction.logit_offsets())
        decoder = replace(decoder, calibration=found)
        bias = f"bias {named_values(found.bias, labels)}" if found.bias.any() else "no bias"
        log.say(f"Calibrated on the validation set: temperature {found.temperature:.3f}, {bias}.")
    if settings["decision"] in ("auto", "tuned"):
        return _with_offsets(decoder, raw, rows, labels, settings, log)
    if settings["decision"] == "viterbi":
        posterior, documents = decoder.posterior(raw), rows.table["doc_id"].to_numpy()
        metric = "important_f1" if settings["monitor"] == SPAN_METRIC else settings["monitor"]
        weight = tuned_transition_weight(
            posterior, rows.true, labels, documents, decoder.transitions, metric, settings["important"]
        )
        log.say(f"Decision: Viterbi with transitions of weight {weight:g}, tuned on the validation set.")
        return replace(decoder, transition_weight=weight)
    return decoder


def _with_offsets(
    decoder: Decoder,
    raw: np.ndarray,
    rows: LabelledRows,
    labels: LabelSet,
    settings: Mapping[str, Any],
    log: TrainingLog,
) -> Decoder:
    posterior, metric = decoder.posterior(raw), settings["monitor"]
    if metric == SPAN_METRIC:
        tuned = with_outside_offset(decoder, raw, rows, labels)
        log.say(f"Decision: offset tuned for fragment F1 on the validation set: {named_values(tuned.offsets, labels)}.")
        return tuned
    documents = rows.table["doc_id"].to_numpy()
    choice = cross_tuned_offsets(
        posterior, rows.true, labels, documents, metric, settings["important"], decoder.logit_offsets()
    )
    if choice.offsets.any():
        log.say(
            f"Decision: offsets {named_values(choice.offsets, labels)}; cross-validated gain in {metric} "
            f"{choice.gain:.4f}, above one standard error ({choice.error:.4f})."
        )
    else:
        log.say(
            f"Decision: plain posteriors; offsets gain {choice.gain:.4f} in {metric} by cross-validation, "
            f"within one standard error ({choice.error:.4f})."
        )
    return replace(decoder, offsets=choice.offsets, tuned=True)


def decoder_without_validation(
    decoder: Decoder, counts: np.ndarray, labels: LabelSet, decision: str, log: TrainingLog
) -> Decoder:
    """Derive offsets from the label counts."""
    offsets = prior_offsets(counts, together=is_bio(labels))
    if decision == "auto":
        log.say(f"Decision: offsets from label counts (no validation set): {named_values(offsets, labels)}.")
    return replace(decoder, offsets=offsets)


def with_outside_offset(decoder: Decoder, raw: np.ndarray, rows: LabelledRows, labels: LabelSet) -> Decoder:
    """Return the decoder with the offset of O that has the best fragment F1; all legal sequences score alike."""
    scorer = FragmentScorer.of(rows, labels)
    offsets = tuned_outside_offset(decoder.posterior(raw), scorer, labels, rows.lengths)
    return replace(decoder, offsets=offsets, transition_weight=0.0, tuned=True)


def named_values(values: np.ndarray, labels: LabelSet, form: str = "+.2f") -> str:
    """Name the labels with the largest values, largest first."""
    order = [i for i in np.argsort(-np.abs(values), kind="stable") if values[i]]
    named = ", ".join(f"{labels.names[i]} {values[i]:{form}}" for i in order[:_MOST_NAMED])
    return named + (f" and {len(order) - _MOST_NAMED} more" if len(order) > _MOST_NAMED else "") or "none"
