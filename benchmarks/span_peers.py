"""Span systems compared by the benchmarks: each trains on one table of BIO tokens and labels another."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

_LINE_END = 2  # of break_before
_RELIABLE = 0.5


class Majority:
    """Predict each line of a document as one span of the most frequent type."""

    def fit(self, table, seed):
        """Find the most frequent type."""
        self.type = table.loc[table["label"].str.startswith("B-"), "label"].str[2:].mode()[0]

    def predict(self, table):
        """Label every token."""
        first = (table["break_before"] >= _LINE_END) | (table["line_number"] == 0)
        return np.where(first, "B-" + self.type, "I-" + self.type)


class Dictionary:
    """Look up the texts of training spans, longest first; if reliable, only texts labelled at least half of the time."""

    def __init__(self, reliable=False):
        self.reliable = reliable

    def fit(self, table, seed):
        """Collect the texts of spans with their most frequent types."""
        from skol_rnn.data.bio import decode_spans

        types = {}
        for words, labels in documents(table):
            places = [(i, i + 1) for i in range(len(words))]
            for first, last, name in decode_spans(places, labels):
                types.setdefault(tuple(words[first:last]), Counter())[name] += 1
        self.types = {words: counts.most_common(1)[0][0] for words, counts in types.items()}
        self._index()
        if self.reliable:
            found = Counter(key for words, _ in documents(table) for _, _, key in self._matches(words))
            labelled = {words: sum(counts.values()) for words, counts in types.items()}
            self.types = {w: t for w, t in self.types.items() if labelled[w] >= _RELIABLE * max(found[w], 1)}
            self._index()

    def _index(self):
        self.lengths = {}
        for words in self.types:
            self.lengths.setdefault(words[0], set()).add(len(words))

    def _matches(self, words):
        place = 0
        while place < len(words):
            for length in sorted(self.lengths.get(words[place], ()), reverse=True):
                key = tuple(words[place : place + length])
                if key in self.types:
                    yield place, place + length, key
                    place += length - 1
                    break
            place += 1

    def predict(self, table):
        """Label every token."""
        labels = []
        for words, _ in documents(table):
            own = ["O"] * len(words)
            for first, last, key in self._matches(words):
                name = self.types[key]
                own[first:last] = ["B-" + name] + ["I-" + name] * (last - first - 1)
            labels += own
        return np.array(labels, dtype=object)


class CRF:
    """Linear-chain CRF over lines of text (crfsuite, L-BFGS) with standard token features.

    If tuned, a tenth of the training documents becomes a validation set, and the offset of O with the best fragment F1
    there is added to the logarithms of the marginals, as in RNNSkolModel.
    """

    def __init__(self, tuned=False):
        self.tuned = tuned

    def fit(self, table, seed):
        """Train."""
        import sklearn_crfsuite

        from skol_rnn.data.splits import split_documents

        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / "model.crfsuite"
        self.tagger = sklearn_crfsuite.CRF(
            algorithm="lbfgs", c1=0.1, c2=0.1, max_iterations=100, model_filename=os.fspath(file)
        )
        held = table["doc_id"].isin(split_documents(table, 0.1, seed)[1]) & self.tuned
        kept = table[~held].reset_index(drop=True)
        self.tagger.fit(crf_features(kept), [list(line["label"]) for line in lines(kept)])
        if self.tuned:
            self._tune(kept, table[held].reset_index(drop=True))

    def _tune(self, kept, held):
        from skol_rnn import LabelSet
        from skol_rnn.data.inputs import LabelledRows
        from skol_rnn.decoding.span_tuning import tuned_outside_offset
        from skol_rnn.evaluation.fragments import FragmentScorer

        self.labels = LabelSet.from_data([*kept["label"], *held["label"]])
        rows = LabelledRows.of(held, self.labels)
        scorer = FragmentScorer.of(rows, self.labels)
        self.offsets = tuned_outside_offset(self._marginals(held), scorer, self.labels, rows.lengths)

    def _marginals(self, table):
        found = self.tagger.predict_marginals(crf_features(table))
        return np.array([[token.get(name, 0.0) for name in self.labels] for line in found for token in line])

    def predict(self, table):
        """Label every token."""
        if not self.tuned:
            return np.concatenate([np.array(line, dtype=object) for line in self.tagger.predict(crf_features(table))])
        from skol_rnn.decoding.transitions import bio_transitions
        from skol_rnn.decoding.viterbi import best_sequences

        flat = bio_transitions(self.labels)
        scores = np.log(np.maximum(self._marginals(table), 1e-12))
        lengths = table.groupby("doc_id", sort=False).size().tolist()
        decided = best_sequences(scores, lengths, flat.start, flat.step, self.offsets[None])[0]
        return np.array(self.labels.decode(decided), dtype=object)


class Ours:
    """RNNSkolModel for tokens; systems that differ only in the decision share one training."""

    trained = {}

    def __init__(self, decision=None, **parameters):
        self.decision, self.parameters = decision, parameters

    def fit(self, table, seed):
        """Train, unless a model with the same parameters and seed exists."""
        from skol_rnn import RNNSkolModel

        key = (*sorted(self.parameters.items()), seed)
        if key not in self.trained:
            began = time.monotonic()
            model = RNNSkolModel(**self.parameters, unit="token", random_state=seed, verbosity=1).fit(table)
            self.trained[key] = model, time.monotonic() - began
        self.model, self.seconds = self.trained[key]

    def predict(self, table):
        """Label every token."""
        return self.model.set_params(decision=self.decision).predict(table)["predicted_label"].to_numpy()


def documents(table):
    """Yield the lower-cased words and the labels of each document."""
    for _, part in table.groupby("doc_id", sort=False):
        yield part["value"].str.lower().tolist(), part["label"].tolist() if "label" in part else None


def lines(table):
    """Split documents into lines of text."""
    first = (table["break_before"] >= _LINE_END) | (table["line_number"] == 0)
    return [part for _, part in table.groupby(first.cumsum().to_numpy(), sort=False)]


def crf_features(table):
    """Return the features of each token: word, shape and affixes, and the words and shapes of nearby tokens."""
    return [line_features(line["value"].tolist()) for line in lines(table)]


def line_features(words):
    """Return the names of the features of each token of a line."""
    from skol_rnn.features.tokens.hashed import shape

    lower, shapes = [word.lower() for word in words], [shape(word) for word in words]
    rows = []
    for i, word in enumerate(lower):
        names = ["bias", f"w={word}", f"W={words[i]}", f"s={shapes[i]}"]
        names += [f"{kind}{n}={part}" for n in (2, 3, 4) for kind, part in (("p", word[:n]), ("e", word[-n:]))]
        for step in (-2, -1, 1, 2):
            inside = 0 <= i + step < len(words)
            names += [f"{step}w={lower[i + step]}", f"{step}s={shapes[i + step]}"] if inside else [f"{step}none"]
        if i + 1 < len(words):
            names.append(f"b={word} {lower[i + 1]}")
        rows.append(names)
    return rows
