"""The real articles with spans: nothing is lost between the spans of the files and those of a decision."""

from __future__ import annotations

import numpy as np
import pytest

from skol_rnn import LabelSet, read_documents
from skol_rnn.data.bio import decode_spans
from skol_rnn.data.table import lengths_of
from skol_rnn.decoding.calibration import Calibration
from skol_rnn.decoding.correction import Correction
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.offsets import DECISIONS
from skol_rnn.decoding.transitions import learn_transitions, legal_steps, only_legal
from skol_rnn.evaluation.span_scores import fragment_scores
from skol_rnn.model import RNNSkolModel
from skol_rnn.windows import cut_windows, merge_windows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["train", "dev"])
def corpus(request, corpora):
    return read_documents(corpora / "ptc" / request.param, unit="token")


def test_gold_probabilities_through_windows_and_every_decision_give_the_gold_spans(corpus):
    table = corpus.table
    labels = LabelSet.from_data(table["label"])
    assert len(labels) == 29
    true, lengths = labels.encode(table["label"]), lengths_of(table)
    windows = cut_windows(lengths, 128, 64)
    merged = merge_windows(np.eye(29)[true][np.maximum(windows.lines, 0)], windows)
    transitions = only_legal(learn_transitions(true, lengths, 29), labels)
    decoder = Decoder(
        Correction(np.ones(29)), np.zeros(29), transitions, Calibration(1.0, np.zeros(29)), 0.5, tuned=True
    )
    gold = {document.doc_id: document.spans for document in corpus}
    start, step = legal_steps(labels)
    for how in DECISIONS:
        decided = decoder.decide(merged, lengths, how)
        found, first = {}, 0
        for document in corpus:
            path = decided[first : first + document.n_rows]
            assert start[path[0]] and step[path[:-1], path[1:]].all()
            found[document.doc_id] = decode_spans(document.tokens, labels.decode(path))
            first += document.n_rows
        assert sum(map(len, found.values())) == sum(map(len, gold.values()))
        assert fragment_scores(gold, found).f1 >= 0.9995, how


def test_a_model_labels_every_token_legally_and_long_articles_whole(corpora):
    """A small network on some articles: how good it is does not matter here."""
    training = read_documents(corpora / "ptc" / "train", unit="token").table
    some = training["doc_id"].isin(training["doc_id"].unique()[:40])
    model = RNNSkolModel(unit="token", epochs=1, hidden_size=16, line_size=16, input_size=16, verbosity=0)
    model.fit(training[some].reset_index(drop=True))
    longest = training["doc_id"].value_counts().index[0]
    dev = read_documents(corpora / "ptc" / "dev", unit="token").table
    rows = model.predict(dev)
    start, step = legal_steps(LabelSet(tuple(model.labels_)))
    for _, part in rows.groupby("doc_id", sort=False):
        path = part["prediction"].to_numpy()
        assert start[path[0]] and step[path[:-1], path[1:]].all()
    alone = dev[dev["doc_id"] == dev["doc_id"].iloc[-1]]
    among = rows[rows["doc_id"] == alone["doc_id"].iloc[0]]
    assert model.predict(alone)["predicted_label"].tolist() == among["predicted_label"].tolist()
    whole = training[training["doc_id"] == longest]
    assert len(whole) > 9_000
    assert model.predict(whole)["predicted_label"].notna().sum() == len(whole)
