"""Systems compared by the benchmarks: each trains on one table of lines and labels another."""

from __future__ import annotations

import os
import pickle
import re
import tempfile
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, hstack

_NO_LINE = -1
WORD = re.compile(r"\w+|[^\w\s]")
MOST_WORDS = 40


class Majority:
    """Predict the most frequent label for every line."""

    seeded = False

    def fit(self, table, labels, seed):
        """Find the most frequent label."""
        self.label = int(np.argmax(np.bincount(labels.encode(table["label"]))))

    def predict(self, table):
        """Label every line."""
        return np.full(len(table), self.label)

    def size(self):
        """Return the size of the model in bytes."""
        return 8


class LinearLines:
    """Linear classifier on TF-IDF of words and word pairs of a line, optionally also of the two adjacent lines."""

    seeded = False

    def __init__(self, kind, neighbours=False):
        self.kind, self.neighbours = kind, neighbours

    def fit(self, table, labels, seed):
        """Fit vocabulary and classifier."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.svm import LinearSVC

        # Punctuation marks count as words: without them the SVC loses 0.06 on dev.
        tokens = {"token_pattern": r"\w+|[^\w\s]", "ngram_range": (1, 2)}
        self.words = TfidfVectorizer(**tokens, min_df=2, sublinear_tf=True).fit(table["value"])
        kinds = {"logistic": LogisticRegression(C=10, max_iter=300), "svc": LinearSVC(random_state=seed)}
        self.classifier = kinds[self.kind].fit(self._features(table), labels.encode(table["label"]))

    def _features(self, table):
        own = self.words.transform(table["value"])
        return hstack([own, *(shifted(own, table, step) for step in (-1, 1))]).tocsr() if self.neighbours else own

    def predict(self, table):
        """Label every line."""
        return self.classifier.predict(self._features(table))

    def size(self):
        """Return the size of the model in bytes."""
        return len(pickle.dumps((self.words, self.classifier)))


def shifted(rows, table, step):
    """Return for each line the features of the line `step` lines later in its document, or zeros."""
    source = np.arange(len(table)) + step
    inside = (source >= 0) & (source < len(table))
    documents = table["doc_id"].to_numpy()
    inside[inside] = documents[source[inside]] == documents[np.flatnonzero(inside)]
    moved = csr_matrix((inside.sum(), rows.shape[1])) if not inside.any() else rows[source[inside]]
    place = csr_matrix(
        (np.ones(inside.sum()), (np.flatnonzero(inside), np.arange(inside.sum()))), (len(table), inside.sum())
    )
    return place @ moved


class CRF:
    """Linear-chain CRF over the lines of a document (crfsuite, L-BFGS)."""

    seeded = False

    def fit(self, table, labels, seed):
        """Train."""
        import sklearn_crfsuite

        self.labels = labels
        self.tagger = sklearn_crfsuite.CRF(algorithm="lbfgs", c1=0.1, c2=0.1, max_iterations=100)
        names = [list(d["label"]) for _, d in table.groupby("doc_id", sort=False)]
        self.tagger.fit(crf_features(table), names)

    def predict(self, table):
        """Label every line."""
        found = self.tagger.predict(crf_features(table))
        return np.concatenate([self.labels.encode(document) for document in found])

    def size(self):
        """Return the size of the model in bytes."""
        return os.path.getsize(self.tagger.modelfile.name)


def crf_features(table):
    """Return the features of each line: its words, affixes and shapes, and the words of nearby lines."""
    documents = []
    for _, document in table.groupby("doc_id", sort=False):
        words = [WORD.findall(value)[:MOST_WORDS] for value in document["value"]]
        lines = []
        for i, own in enumerate(words):
            names = {"bias"} | line_names(own, document["value"].iat[i])
            names.add(f"blank={min(int(document['blank_before'].iat[i]), 2)}")
            for step in (-2, -1, 1, 2):
                if 0 <= i + step < len(words):
                    nearby = words[i + step]
                    names |= {f"{step}:w={word.lower()}" for word in nearby[: 40 if abs(step) == 1 else 5]}
                    names.add(f"{step}:shape={' '.join(map(shape, nearby[:3]))}")
                else:
                    names.add(f"{step}:none")
            lines.append(sorted(names))
        documents.append(lines)
    return documents


def line_names(words, text):
    """Return the names of a line's own features."""
    names = {f"w={word.lower()}" for word in words} | {f"e={word[-3:].lower()}" for word in words if len(word) > 4}
    names |= {f"{i}={word.lower()}" for i, word in enumerate(words[:3])} | {
        f"{i}s={shape(w)}" for i, w in enumerate(words[:3])
    }
    names |= {f"b={a.lower()} {b.lower()}" for a, b in zip(words, words[1:], strict=False)}
    if words:
        names |= {f"last={words[-1].lower()}", f"lasts={shape(words[-1])}"}
    length, digits = len(text.strip()), sum(c.isdigit() for c in text)
    names |= {f"length={length // 10}", f"digits={min(5 * digits // max(length, 1), 4)}"}
    return names


def shape(word):
    """Return the shape of a word."""
    if word.isdigit():
        return "0" * min(len(word), 4)
    if not word.isalpha():
        return word[:2]
    if word.isupper():
        return "X" if len(word) == 1 else "XX"
    return "Xx" if word[0].isupper() else "x"


class WideLinear:
    """Logistic regression on the names of a line, those of four lines on each side, damped, and layout numbers.

    The method of the linear model inside skol_rnn, with the features of the CRF above instead of skol_rnn's own.
    """

    seeded = False
    reach, nearest, further, numbers_scale = 4, 0.6, 0.7, 0.3

    def fit(self, table, labels, seed):
        """Fit vocabulary, scales and classifier; averaged stochastic gradient descent."""
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import SGDClassifier
        from sklearn.preprocessing import StandardScaler

        self.names = CountVectorizer(analyzer=names_of_text, binary=True, min_df=2, dtype=np.float32)
        own, numbers = self.names.fit_transform(table["value"]), layout_numbers(table)
        self.scaler = StandardScaler().fit(numbers)
        self.classifier = SGDClassifier(
            loss="log_loss", alpha=2e-6, average=True, max_iter=4, tol=None, random_state=seed
        ).fit(self._features(table, own, numbers), labels.encode(table["label"]))

    def _features(self, table, own, numbers):
        from sklearn.preprocessing import normalize

        own = normalize(own)
        sides = [
            sum(
                self.nearest * self.further ** (k - 1) * shifted(own, table, side * k) for k in range(1, self.reach + 1)
            )
            for side in (-1, 1)
        ]
        numbers = np.clip(self.scaler.transform(numbers), -6, 6) * self.numbers_scale
        return hstack([own, *sides, csr_matrix(numbers)], format="csr", dtype=np.float32)

    def predict(self, table):
        """Label every line."""
        own = self.names.transform(table["value"])
        return self.classifier.predict(self._features(table, own, layout_numbers(table)))

    def size(self):
        """Return the size of the model in bytes, weights as float32."""
        return len(pickle.dumps(self.names.vocabulary_)) + 4 * self.classifier.coef_.size


def names_of_text(text):
    """Return the names of a line's own features, from its text."""
    return line_names(WORD.findall(text)[:MOST_WORDS], text)


def layout_numbers(table):
    """Describe the layout of each line: lengths, shares of characters, its ends and what is around it."""
    numbers = []
    for text, blank, page_break in zip(table["value"], table["blank_before"], table["page_break"], strict=True):
        body = text.strip()
        size = max(len(body), 1)
        kinds = (str.isupper, str.isdigit, str.isalpha, str.isspace)
        shares = [sum(map(kind, body)) / size for kind in kinds]
        ends = [body[:1].isupper(), body[:1].isdigit(), *(body[-1:] == mark for mark in ".-,")]
        indent = min(len(text) - len(text.lstrip()), 20) / 10
        numbers.append([np.log(size), *shares, *ends, indent, np.log1p(min(blank, 9)), page_break])
    numbers = np.array(numbers, np.float32)
    around = [shifted(csr_matrix(numbers[:, [0, -2, -1]]), table, step).toarray() for step in (-1, 1)]
    return np.hstack([numbers, *around])


class SentenceCRF:
    """Linear-chain CRF on the sentence vector of each line and layout numbers: the successor of the old recipe.

    The file of sentence_vectors.py has the vectors; computing them is not part of the times.
    """

    seeded = False
    cache = None

    def fit(self, table, labels, seed):
        """Train."""
        import sklearn_crfsuite
        from sklearn.preprocessing import StandardScaler

        if self.cache is None:
            raise ValueError("the sentence vectors are missing: give their file with --vectors")
        self.labels = labels
        numbers = self._numbers(table)
        self.scaler = StandardScaler().fit(numbers)
        self.tagger = sklearn_crfsuite.CRF(algorithm="lbfgs", c1=0.1, c2=0.1, max_iterations=100)
        names = [list(d["label"]) for _, d in table.groupby("doc_id", sort=False)]
        self.tagger.fit(self._sequences(table, numbers), names)

    def _numbers(self, table):
        import sentence_vectors

        return np.hstack([sentence_vectors.look_up(table["value"], self.cache), layout_numbers(table)])

    def _sequences(self, table, numbers):
        """Yield the features of each document: a dict takes 30 kB a line, so that only one document has them at a time."""
        scaled = np.clip(self.scaler.transform(numbers), -6, 6)
        names = [str(column) for column in range(scaled.shape[1])]
        for rows in table.groupby("doc_id", sort=False).indices.values():
            yield [{"bias": 1.0, **dict(zip(names, line.tolist(), strict=True))} for line in scaled[rows]]

    def predict(self, table):
        """Label every line."""
        found = self.tagger.predict(self._sequences(table, self._numbers(table)))
        return np.concatenate([self.labels.encode(document) for document in found])

    def size(self):
        """Return the size of the model in bytes, without the encoder."""
        return os.path.getsize(self.tagger.modelfile.name)


class OldRecipe:
    """Recipe from the guide of the old classifier: padding trained as class 0, decisions by argmax."""

    window, stride, epochs = 15, 5, 6

    def __init__(self, weights=None):
        self.weights = weights

    def fit(self, table, labels, seed):
        """Train two BiLSTM layers of 128 units on 800 word and 200 suffix TF-IDF features per line."""
        import keras
        from keras import layers
        from sklearn.feature_extraction.text import TfidfVectorizer

        keras.utils.set_random_seed(seed)
        suffixes = r"(?u)\w{0,3}\b"
        self.words = TfidfVectorizer(max_features=800).fit(table["value"])
        self.suffixes = TfidfVectorizer(max_features=200, token_pattern=suffixes).fit(table["value"])
        self.n_labels = len(labels)
        vectors, windows, _ = self._windows(table)
        true = np.append(labels.encode(table["label"]), 0)  # the padding has class 0: a defect of the old recipe
        weight = np.array([(self.weights or {}).get(name, 1.0) for name in labels])
        network = keras.Sequential([layers.Input((self.window, vectors.shape[1]))])
        for _ in range(2):
            network.add(layers.Bidirectional(layers.LSTM(128, return_sequences=True)))
            network.add(layers.Dropout(0.3))
        network.add(layers.Dense(self.n_labels, activation="softmax"))
        network.compile("adam", keras.losses.SparseCategoricalCrossentropy())
        self.network = network
        order = np.random.default_rng(seed)
        for _ in range(self.epochs):
            shuffled = order.permutation(len(windows))
            for start in range(0, len(shuffled), 32):
                rows = windows[shuffled[start : start + 32]]
                network.train_on_batch(vectors[rows], true[rows], sample_weight=weight[true[rows]])

    def _windows(self, table):
        own = hstack([self.words.transform(table["value"]), self.suffixes.transform(table["value"])])
        vectors = np.vstack([own.toarray().astype(np.float32), np.zeros((1, own.shape[1]), np.float32)])
        windows, lengths = [], []
        start = 0
        for _, document in table.groupby("doc_id", sort=False):
            n = len(document)
            for first in range(0, max(n - self.window, 0) + self.stride, self.stride):
                rows = np.arange(first, first + self.window)
                if first >= n:
                    break
                windows.append(np.where(rows < n, start + rows, _NO_LINE))
            start += n
            lengths.append(n)
        return vectors, np.array(windows), lengths

    def predict(self, table):
        """Label every line by the mean over its windows."""
        vectors, windows, _ = self._windows(table)
        total = np.zeros((len(table) + 1, self.n_labels))
        for start in range(0, len(windows), 256):
            rows = windows[start : start + 256]
            found = self.network.predict_on_batch(vectors[rows])
            np.add.at(total, rows.ravel(), np.asarray(found).reshape(-1, self.n_labels))
        return np.argmax(total[:-1], axis=1)

    def size(self):
        """Return the size of the model in bytes."""
        return 4 * self.network.count_params() + len(pickle.dumps((self.words, self.suffixes)))


class Ours:
    """RNNSkolModel."""

    def __init__(self, **parameters):
        self.parameters = parameters

    def fit(self, table, labels, seed):
        """Train."""
        from skol_rnn import RNNSkolModel

        self.model = RNNSkolModel(**self.parameters, random_state=seed, verbosity=0)
        self.model.fit(table, labels=list(labels))

    def predict(self, table):
        """Label every line."""
        found = self.model.predict(table)
        return found["prediction"].to_numpy()

    def size(self):
        """Return the size of the model in bytes."""
        with tempfile.TemporaryDirectory() as folder:
            return os.path.getsize(self.model.save(Path(folder) / "model.skol"))
