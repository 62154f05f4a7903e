"""Start a round of review: predict a collection, choose lines, and write the page and the task files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skol_rnn.data.discovery import Paths, find_format
from skol_rnn.data.document import Corpus, Document
from skol_rnn.data.reading import read_documents
from skol_rnn.decoding.held_out import HeldOut
from skol_rnn.errors import DataError
from skol_rnn.inference.predictor import ServingModel
from skol_rnn.labels import LabelSet, plural
from skol_rnn.persistence.archive import npz_bytes
from skol_rnn.persistence.atomic import check_writable, write_atomically
from skol_rnn.persistence.bundle import Bundle, checksum, fingerprint, load_bundle
from skol_rnn.report.templating import require_jinja2
from skol_rnn.review.estimate import corrected
from skol_rnn.review.page import page_html
from skol_rnn.review.round import (
    PAGE,
    PROBABILITIES,
    ROUND,
    ReviewRound,
    RoundDocument,
    RoundLine,
    read_rounds,
    text_hash,
)
from skol_rnn.review.selection import VARIETY, Candidates, choose, importance, reasons, scores
from skol_rnn.review.tasks import task_files

if TYPE_CHECKING:
    from skol_rnn.model import RNNSkolModel

CONTEXT = 3  # lines shown before and after a line
RULE = "expected errors of the important labels"


def start_review(
    model: str | Path | RNNSkolModel,
    paths: Paths | Corpus,
    out: str | Path,
    *,
    lines: int | float = 100,
    important: Sequence[str] | None = None,
    seed: int = 0,
    after: Sequence[str | Path] = (),
    other: str | None = None,
    format: str | None = None,
    strict: bool = False,
) -> ReviewRound:
    """Choose the lines most worth a person's time, and write a folder with a page and task files to review them.

    Lines come first where the model expects an error in an important label, or where it contradicts the annotation, and
    count more where they are out of line with their neighbours.  They are of many kinds and documents, and no text comes
    twice while there are others.

    Parameters
    ----------
    model : str, Path or RNNSkolModel
        A model of lines, saved or trained.
    paths : str, Path, iterable of these, or Corpus
        Files, folders or globs, or what ``read_documents`` returned for them; annotated or not.
    out : str or Path
        New folder for the round.
    lines : int or float, default 100
        Number of lines to choose; below 1 a share of all lines.
    important : sequence of str, optional
        Labels whose errors count, each by how rare it is; all but the most frequent of the training data if not given.
    seed : int, default 0
        Seed of the order of lines with equal scores.
    after : sequence of str or Path, optional
        Earlier rounds; their lines are not chosen again, whatever the names of the files are now.
    other : str, optional
        Label that stands for labels that the model does not know; that of its training if not given.
    format : str, optional
        Format of the files, as in ``read_documents``.
    strict : bool, default False
        Whether damaged markup raises an error.

    Returns
    -------
    ReviewRound
        The round; open its ``page`` in a browser.

    Raises
    ------
    DataError
        If ``out`` exists, the documents cannot be used, or no line is left.
    ValueError
        If ``lines`` or ``seed`` is out of its range, or a label is unknown.
    BundleError
        If the model cannot be used.

    Examples
    --------
    >>> import tempfile
    >>> from skol_rnn import RNNSkolModel
    >>> from skol_rnn.datasets import SAMPLE
    >>> model = RNNSkolModel(preset="instant", verbosity=0).fit(SAMPLE / "train")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = start_review(model, SAMPLE / "test", folder + "/round", lines=20)
    ...     len(found.lines), found.page.name
    (20, 'review.html')
    """
    out = Path(out)
    from skol_rnn.data.inputs import other_label

    require_jinja2()
    check_round(out, lines, seed)
    earlier = read_rounds(list(after))
    bundle, print_ = _opened(model)
    state = bundle.state
    if state["parameters"].get("unit", "line") != "line":
        raise DataError("The model labels tokens, and a review reads lines: give a model of lines.")
    known = LabelSet(tuple(state["labels"]))
    other = other_label(other, state["other"], known)
    for name in important or ():
        known.index(name)
    corpus = paths if isinstance(paths, Corpus) else read_files(paths, format, strict)
    documents = describe(corpus, format)
    model_ = ServingModel(bundle)
    chosen = list(important) if important else [name for name in known if name != model_.majority] or list(known)
    candidates, predicted, annotated = predicted_lines(model_, corpus, other)
    numbers = np.concatenate([line_numbers(document) for document in corpus])
    read = _read_before(earlier, documents, numbers)
    number = _number(lines, len(candidates), int((~read).sum()))
    weights = importance(candidates, chosen)
    score = scores(candidates, weights)
    rows = choose(candidates, score, number, seed, read)
    rule = {
        "name": RULE,
        "important": {name: float(weights[known.index(name)]) for name in chosen},
        "lines": int(lines) if lines >= 1 else lines,
        "variety": VARIETY,
        "after": [each.id for each in earlier],
    }
    lines_ = ReviewLines(corpus, candidates, predicted, annotated, numbers, score)
    model_of = {"name": model_.name, "fingerprint": print_}
    held = model_.predictor.decoder.held_out
    return write_round(out, lines_, rows, documents, model=model_of, other=other, rule=rule, seed=seed, held=held)


class ReviewLines(NamedTuple):
    """The lines that a round is chosen from; the arrays have an item for each line."""

    corpus: Corpus
    candidates: Candidates
    predicted: np.ndarray
    annotated: np.ndarray
    numbers: np.ndarray  # in the file, from 1
    score: np.ndarray


def write_round(
    out: Path,
    lines: ReviewLines,
    rows: Sequence[int],
    documents: list[RoundDocument],
    *,
    model: dict[str, str],
    other: str | None,
    rule: dict[str, Any],
    seed: int,
    held: HeldOut | None = None,
) -> ReviewRound:
    """Write the folder of a round of the lines in some rows; ``held`` corrects the probabilities for the status."""
    candidates, known = lines.candidates, lines.candidates.labels
    why = reasons(candidates, rows, lines.annotated, lines.predicted)
    found = ReviewRound(
        folder=out,
        model=model,
        labels=list(known),
        other=other,
        rule=rule,
        seed=seed,
        documents=documents,
        lines=[_line(lines, row, reason) for row, reason in zip(rows, why, strict=True)],
    )
    columns = [known.index(name) for name in rule["important"]]
    arrays: dict[str, np.ndarray] = {
        "probabilities": corrected(candidates.probabilities, held, columns).astype(np.float32),
        "current": candidates.current.astype(np.int16),
        "score": lines.score.astype(np.float32),
        "line": lines.numbers.astype(np.int32),
    }
    _write(found, {PROBABILITIES: npz_bytes(arrays), **task_files(found), PAGE: page_html(found).encode()})
    return found


def check_round(out: Path, lines: float, seed: int) -> None:
    """Refuse arguments before any work."""
    if isinstance(lines, bool) or not lines > 0 or (lines > 1 and lines != int(lines)):
        raise ValueError(f"lines must be a whole number from 1 on or a share below 1, but is {lines}.")
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed must be from 0 to 2147483647, but is {seed}.")
    if os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir())):
        raise DataError(f"{out} exists: a round gets a new folder; choose another name.")
    check_writable(out)


def _opened(model: str | Path | RNNSkolModel) -> tuple[Bundle, str]:
    """Return the bundle of a model and its fingerprint."""
    if isinstance(model, (str, Path)):
        return load_bundle(model), fingerprint(Path(model))
    bundle = model.bundle()
    return bundle, checksum(bundle.files()["manifest.json"])


def read_files(paths: Paths, format: str | None, strict: bool) -> Corpus:
    """Read files, which corrections can go into."""
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if "-" in map(str, given):
        raise DataError("Standard input (-) cannot be reviewed, since corrections go into files: give files.")
    return read_documents(given, format=format, strict=strict)


def describe(corpus: Corpus, format: str | None) -> list[RoundDocument]:
    """Describe the documents; of a file with several, each has its place."""
    if not len(corpus):
        raise DataError("There is no document to review: give files with text.")
    places: dict[str, int] = {}
    found = []
    for document in corpus:
        if document.path is None:
            raise DataError(f"{document.doc_id} was not read from a file, where corrections could go: give files.")
        path = os.path.abspath(document.path)
        place = places.get(path, 0)
        places[path] = place + 1
        form = format or find_format(Path(path)) or "text"
        found.append(
            RoundDocument(
                name=document.doc_id,
                path=path,
                format=form,
                position=place,
                sha256=text_hash(document.text),
                annotated=document.labels is not None,
                lines=document.n_rows,
            )
        )
    return found


def predicted_lines(
    model: ServingModel, corpus: Corpus, other: str | None
) -> tuple[Candidates, np.ndarray, np.ndarray]:
    """Predict the lines; return also the predicted labels and which lines are annotated."""
    from skol_rnn.data.inputs import fold_labels

    known = LabelSet(model.labels)
    found = list(model.predict_documents(document.columns() for document in corpus))
    predicted = known.encode(np.concatenate([each.labels for each in found]))
    # `other` is for lines of another label, not for those without one.
    given = [label for document in corpus for label in document.labels or [None] * document.n_rows]
    annotated = np.array([label is not None for label in given])
    current = predicted.copy()
    if annotated.any():
        import pandas as pd

        column = pd.Series([label for label in given if label is not None], dtype=object)
        current[annotated] = known.encode(fold_labels(column, known, other, "the documents"))
    candidates = Candidates(
        labels=known,
        probabilities=np.concatenate([each.probabilities for each in found]).astype(np.float64),
        current=current,
        documents=np.repeat(np.arange(len(corpus)), [document.n_rows for document in corpus]),
        texts=[document.text[line.start : line.end] for document in corpus for line in document.lines],
    )
    return candidates, predicted, annotated


def line_numbers(document: Document) -> np.ndarray:
    """Return the number in the file of each line with text, from 1."""
    characters = np.frombuffer(document.text.encode("utf-32-le", "surrogatepass"), "<u4")
    ends = np.flatnonzero(characters == ord("\n"))
    return np.searchsorted(ends, [line.start for line in document.lines]) + 1


def _read_before(earlier: Iterable[ReviewRound], documents: Sequence[RoundDocument], numbers: np.ndarray) -> np.ndarray:
    """Return which lines earlier rounds have chosen; documents are recognised by their text."""
    chosen = {(each.documents[line.document].sha256, line.line) for each in earlier for line in each.lines}
    hashes = (document.sha256 for document in documents for _ in range(document.lines))
    return np.array([pair in chosen for pair in zip(hashes, numbers.tolist(), strict=True)], dtype=bool)


def _number(lines: float, every: int, left: int) -> int:
    """Return how many lines to choose."""
    if not left:
        raise DataError(f"No line is left to review: all {plural(every, 'line')} are in the earlier rounds.")
    return min(int(lines) if lines >= 1 else max(1, round(lines * every)), left)


def _line(lines: ReviewLines, row: int, why: list[str]) -> RoundLine:
    """Describe a chosen line."""
    candidates, predicted, numbers, score = lines.candidates, lines.predicted, lines.numbers, lines.score
    document = int(candidates.documents[row])
    first, end = np.searchsorted(candidates.documents, [document, document + 1]).tolist()
    around = range(max(first, row - CONTEXT), min(end, row + CONTEXT + 1))
    names = candidates.labels.names
    return RoundLine(
        document=document,
        line=int(numbers[row]),
        row=row - first,
        text=candidates.texts[row],
        label=names[candidates.current[row]],
        predicted=names[predicted[row]],
        probabilities={name: round(float(p), 4) for name, p in zip(names, candidates.probabilities[row], strict=True)},
        score=round(float(score[row]), 6),
        reasons=why,
        context=[(int(numbers[near]), candidates.texts[near]) for near in around],
    )


def _write(found: ReviewRound, files: dict[str, bytes]) -> None:
    """Write the folder of a round, whole or not at all."""
    out = found.folder
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".skol-rnn-review-", dir=out.parent))
    try:
        new = scratch / "round"
        for name, data in {**files, ROUND: found.to_json()}.items():
            write_atomically(new / name, data)
        os.replace(new, out)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(out)) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def unlikely(found: ReviewRound) -> list[str]:
    """Return the important labels that no line has, and that are probable for none."""
    lines = found.collection()
    columns = zip(found.important, lines.probabilities.T, strict=True)
    return [name for name, p in columns if not (p >= 0.5).any() and found.labels.index(name) not in lines.current]
