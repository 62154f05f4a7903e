"""The benchmark of quality: its page, trainings that are added to kept ones, its peers, and scores by characters."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from toy import toy_table

ROOT = Path(__file__).resolve().parent.parent
TASK, FINE = "three labels", "fine"
LABELS = ["Nomenclature", "Description", "Misc"]


@pytest.fixture(scope="module")
def quality():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import quality

        yield quality
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture
def kept():
    return json.loads((ROOT / "docs" / "quality.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two folders of YEDDA files, of one volume each."""
    folder = tmp_path_factory.mktemp("corpus")
    for part, volume, documents in (("train", "Journal-001", 6), ("dev", "Journal-002", 3)):
        (folder / part).mkdir()
        for name, rows in toy_table(documents, seed=documents).groupby("doc_id"):
            blocks = "\n".join(f"[@{row.value}#{row.label}*]" for row in rows.itertuples())
            (folder / part / f"{volume}-{name}.ann").write_text(blocks, "utf-8")
    return {"train": str(folder / "train"), "dev": str(folder / "dev")}


def options(corpus, tmp_path, **changed):
    values = {"json": tmp_path / "new.json", "results": tmp_path, "jobs": 0, "seeds": [0], "again": False}
    return argparse.Namespace(**corpus, **{**values, **changed})


def made_run(system, fold, confusion, seed=0, task=TASK, labels=LABELS, **more):
    """Make a training of the JSON file, whose only document has these counts by true and predicted label."""
    confusion = np.array(confusion)
    counts = [confusion.sum(axis=1).tolist(), confusion.sum(axis=0).tolist(), np.diag(confusion).tolist()]
    run = {"system": system, "task": task, "fold": fold, "seed": seed, "labels": labels, "lines": int(confusion.sum())}
    run |= {"documents": {f"{fold}-a": counts}, "confusion": confusion.tolist(), "characters": counts}
    return run | {"train_seconds": 1.0, "predict_seconds": 1.0, "bytes": 1000} | more


def test_the_page_is_what_the_kept_trainings_give(quality, kept, tmp_path):
    quality.quality_report.write(kept, "COMMAND", tmp_path / "benchmarks.md")
    made, page = ((folder / "benchmarks.md").read_text("utf-8") for folder in (tmp_path, ROOT / "docs"))
    assert made.partition("\nF1 is pooled")[2] == page.partition("\nF1 is pooled")[2] != ""


def test_kept_trainings_are_different_ones_and_their_counts_agree(quality, kept):
    assert len({quality.key_of(run) for run in kept["runs"]}) == len(kept["runs"])
    for run in kept["runs"]:
        support, predicted, right = quality.tasks.counts_of([run]).sum(axis=0)
        assert support.sum() == predicted.sum() == run["lines"] and (right <= np.minimum(support, predicted)).all()
        if "confusion" in run:
            confusion = np.array(run["confusion"])
            assert (confusion.sum(axis=1) == support).all() and (confusion.sum(axis=0) == predicted).all()
            assert (np.diag(confusion) == right).all()


def test_parts_of_the_trainings_add_to_one_file_and_are_not_repeated(quality, corpus, tmp_path, monkeypatch):
    arguments = options(corpus, tmp_path)
    quality.run(arguments, TASK, ["majority"], ["dev"])
    first = arguments.json.read_text()
    (tmp_path / "new.json").write_text(json.dumps(json.loads(first) | {"note": "Mine."}))
    report = quality.run(arguments, TASK, ["majority", "LinearSVC"], ["dev", "Journal-001"])
    keys = [(run["system"], run["fold"]) for run in report["runs"]]
    assert sorted(keys) == sorted((s, f) for s in ("majority", "LinearSVC") for f in ("dev", "Journal-001"))
    assert report["note"] == "Mine." and report["runs"][0] == json.loads(first)["runs"][0]

    from skol_rnn.batch_evaluate import workers

    monkeypatch.setattr(workers, "outcome", lambda *_: pytest.fail("trained again"))
    # Another seed changes nothing for systems without one, nor do finished cells in another folder.
    again = options(corpus, tmp_path, seeds=[5, 0], results=tmp_path / "other")
    assert quality.run(again, TASK, ["LinearSVC", "majority"], ["Journal-001", "dev"]) == report


def test_kept_trainings_are_replaced_only_on_request(quality, corpus, tmp_path):
    arguments = options(corpus, tmp_path)
    old = quality.run(arguments, TASK, ["majority"], ["dev"])["runs"][0]
    old["documents"] = {"old": old["documents"].popitem()[1]}
    other = made_run("skol_rnn", "dev", np.eye(3, dtype=int))
    arguments.json.write_text(json.dumps({"runs": [old, other]}))
    assert quality.run(arguments, TASK, ["majority"], ["dev"])["runs"] == [old, other]
    new, same = quality.run(options(corpus, tmp_path, again=True), TASK, ["majority"], ["dev"])["runs"]
    assert len(new["documents"]) == 3 and same == other


def test_an_error_of_a_training_leaves_the_others(quality, corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(quality.peers.Majority, "fit", lambda *_: 1 / 0)
    report = quality.run(options(corpus, tmp_path), TASK, ["majority", "LinearSVC"], ["dev"])
    assert [run["system"] for run in report["runs"]] == ["LinearSVC"]
    assert "majority, dev, seed 0: ZeroDivisionError" in capsys.readouterr().out


def test_missing_vectors_are_told_before_anything_is_trained(quality, corpus, tmp_path):
    with pytest.raises(SystemExit, match="MiniLM sentence vectors, CRF, dev, seed 0 needs --vectors"):
        quality.run(options(corpus, tmp_path), TASK, ["majority", "MiniLM sentence vectors, CRF"], ["dev"])
    assert not (tmp_path / "new.json").exists()


def test_characters_are_those_of_the_lines(quality, tmp_path):
    (tmp_path / "a.csv").write_text('value,label,predicted\nabcd,A,A\n"a, b",A,B\nNA,B,B\nabc,C,A\n')
    assert quality.character_counts(tmp_path / "a.csv", ["A", "B", "C", "D"]) == [
        [8, 2, 3, 0],
        [7, 6, 0, 0],
        [4, 2, 0, 0],
    ]


def test_a_label_without_lines_is_left_out_of_the_mean(quality):
    counts = np.array([[[4, 0, 4], [4, 1, 3], [4, 0, 3]]])
    assert quality.tasks.mean_f1(counts, FINE, LABELS) == pytest.approx((1 + 6 / 7) / 2)
    run = {"labels": LABELS, "characters": [[10, 0, 10], [20, 0, 0], [10, 0, 0]]}
    assert quality.tasks.character_f1([run], FINE) == pytest.approx((20 / 30 + 0) / 2)
    assert np.isnan(quality.tasks.character_f1([run, {"labels": LABELS}], FINE))


def test_the_page_names_the_worst_volume_and_what_is_confused_there(quality, tmp_path):
    good, bad = [[9, 0, 1], [0, 9, 1], [0, 0, 10]], [[2, 0, 8], [0, 9, 1], [3, 1, 10]]
    runs = [made_run("skol_rnn", "A-1", good), made_run("skol_rnn", "B-2", bad), made_run("LinearSVC", "A-1", good)]
    report = {"runs": runs, "versions": {"keras": "3"}}
    quality.quality_report.write(report, "COMMAND", tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text("utf-8")
    pairs = page.partition("### The worst volume: B-2\n")[2]
    assert "| Nomenclature | Misc | 8 | 80.0% |\n| Misc | Nomenclature | 3 | 21.4% |" in pairs
    assert "| LinearSVC | 0.947 |  | - | - |" in page  # half of the volumes have no comparable mean


def test_the_page_of_all_labels_scores_characters_and_labels(quality, tmp_path):
    confusion = [[9, 0, 1], [0, 0, 0], [0, 0, 10]]
    characters = [[20, 0, 30], [10, 0, 40], [10, 0, 30]]
    runs = [
        made_run(s, f, confusion, task=FINE, characters=characters) for s in ("CRF", "skol_rnn") for f in ("dev", "A")
    ]
    quality.quality_report.write({"runs": runs, "versions": {"keras": "3"}}, "COMMAND", tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text("utf-8")
    assert "| skol_rnn | **0.950** | 0.762 | 1 |" in page and "| skol_rnn | 0.950 | **0.950** | 0.950 | 0.762 |" in page
    assert "| Label | lines | CRF | skol_rnn |" in page and "| Description | 0 | - | - |" in page


class TestPeers:
    @pytest.fixture
    def peers(self, quality):
        return quality.peers

    def table(self, documents, seed):
        """Return lines whose label is the word of the next line of the document; the last line is Misc."""
        table = toy_table(documents, 30, seed).assign(blank_before=0, page_break=False)
        rng = np.random.default_rng(seed)
        words = {"Nomenclature": "name", "Description": "text", "Misc": "rest"}
        table["label"] = rng.choice(LABELS, len(table))
        last = table["doc_id"] != table["doc_id"].shift(-1)
        table.loc[last, "label"] = "Misc"
        table["value"] = table["label"].shift(1).map(words).where(table["doc_id"] == table["doc_id"].shift(), "start")
        return table

    def test_the_wide_linear_model_reads_the_lines_around(self, peers):
        from skol_rnn import LabelSet

        labels, model = LabelSet(LABELS), peers.WideLinear()
        model.fit(self.table(20, 0), labels, 0)
        unseen = self.table(5, 1)
        right = model.predict(unseen.drop(columns="label")) == labels.encode(unseen["label"])
        assert right.mean() > 0.7 and model.size() > 0  # own words: a third; further lines mislead a little

    def test_lines_do_not_move_into_another_document(self, peers):
        from scipy.sparse import csr_matrix

        table = toy_table(2, 3)
        rows = csr_matrix(np.arange(1.0, 7).reshape(-1, 1))
        assert peers.shifted(rows, table, -2).toarray().ravel().tolist() == [0, 0, 1, 0, 0, 4]
        assert peers.shifted(rows, table, 1).toarray().ravel().tolist() == [2, 3, 0, 5, 6, 0]

    def test_the_crf_of_sentence_vectors_reads_them_from_the_file(self, peers, tmp_path):
        pytest.importorskip("sklearn_crfsuite")
        import sentence_vectors

        from skol_rnn import LabelSet

        table = toy_table(6).assign(blank_before=0, page_break=False)
        texts = sorted(set(table["value"]))
        label = table.drop_duplicates("value").set_index("value")["label"]
        keys = sentence_vectors.keys_of(texts)
        vectors = np.array([np.eye(3)[LABELS.index(label[text])] for text in texts], np.float16)
        order = np.argsort(keys)
        np.savez(tmp_path / "vectors.npz", keys=keys[order], vectors=vectors[order])
        labels, model = LabelSet(LABELS), peers.SentenceCRF()
        model.cache = tmp_path / "vectors.npz"
        model.fit(table, labels, 0)
        assert (model.predict(table.drop(columns="label")) == labels.encode(table["label"])).all()
        with pytest.raises(ValueError, match="has no vectors of 1 lines: run benchmarks/sentence_vectors.py"):
            model.predict(table.assign(value=["new", *table["value"][1:]]))


def test_sentence_vectors_are_those_of_the_network(quality, tmp_path):
    """The ONNX graph of a made-up encoder against the same computed with NumPy."""
    pytest.importorskip("onnx")
    tokenizers = pytest.importorskip("tokenizers")
    save_file = pytest.importorskip("safetensors.numpy").save_file
    import sentence_vectors
    from scipy.special import erf

    size, heads, layers, words = 8, 2, 2, ["[PAD]", "[UNK]", "a", "b", "c"]
    rng = np.random.default_rng(0)
    names = {"word_embeddings": len(words), "position_embeddings": 16, "token_type_embeddings": 2}
    weights = {f"embeddings.{name}.weight": (rows, size) for name, rows in names.items()}
    weights |= {f"embeddings.LayerNorm.{kind}": (size,) for kind in ("weight", "bias")}
    for n in range(layers):
        shapes = {f"attention.self.{name}": (size, size) for name in ("query", "key", "value")}
        shapes |= {"attention.output.dense": (size, size), "intermediate.dense": (12, size), "output.dense": (size, 12)}
        shapes |= {"attention.output.LayerNorm": (size,), "output.LayerNorm": (size,)}
        for name, shape in shapes.items():
            weights |= {f"encoder.layer.{n}.{name}.weight": shape, f"encoder.layer.{n}.{name}.bias": shape[:1]}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in weights.items()}
    save_file(weights, tmp_path / "model.safetensors")
    config = {"model_type": "bert", "hidden_act": "gelu", "hidden_size": size, "num_attention_heads": heads}
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": layers, "layer_norm_eps": 1e-12}))
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: i for i, w in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))

    def norm(x, name):
        scaled = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def dense(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def vector(ids):
        x = weights["embeddings.word_embeddings.weight"][ids] + weights["embeddings.token_type_embeddings.weight"][0]
        x = norm(x + weights["embeddings.position_embeddings.weight"][: len(ids)], "embeddings.LayerNorm")
        for n in range(layers):
            layer, parts = f"encoder.layer.{n}", []
            q, k, v = (dense(x, f"{layer}.attention.self.{name}") for name in ("query", "key", "value"))
            for h in range(heads):
                own = slice(h * size // heads, (h + 1) * size // heads)
                scores = np.exp(q[:, own] @ k[:, own].T / np.sqrt(size // heads))
                parts.append(scores / scores.sum(-1, keepdims=True) @ v[:, own])
            attended = dense(np.concatenate(parts, 1), f"{layer}.attention.output.dense")
            x = norm(x + attended, f"{layer}.attention.output.LayerNorm")
            inner = dense(x, f"{layer}.intermediate.dense")
            inner = inner * (1 + erf(inner / np.sqrt(2))) / 2
            x = norm(x + dense(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        mean = x.mean(0)
        return mean / np.linalg.norm(mean)

    texts = ["a b c", "c", "b b d a"]
    sentence_vectors.save(tmp_path / "cache.npz", tmp_path, [*texts, "a b c"])
    found = sentence_vectors.look_up(texts, tmp_path / "cache.npz")
    expected = [vector(ids) for ids in ([2, 3, 4], [4], [3, 3, 1, 2])]
    np.testing.assert_allclose(found, expected, atol=2e-3)  # saved in half precision


def test_draws_of_volumes_add_volumes_and_never_test_on_one_of_them(quality):
    import learning_curve

    table = toy_table(8, 12)
    table["doc_id"] = [f"Journal-{name[3:]}x" for name in table["doc_id"]]
    tested = set()
    for seed in range(8):
        before = set()
        for size in (1, 2, 4, 0):
            training, unseen = learning_curve.draw_volumes(table, size, seed)
            volumes = set(training["doc_id"])
            assert len(volumes) == (size or 7) and before <= volumes and not volumes & set(unseen["doc_id"])
            before = volumes
        assert unseen["doc_id"].nunique() == 1
        tested |= set(unseen["doc_id"])
    assert len(tested) == 8


@pytest.mark.slow
def test_a_new_training_gives_the_kept_figures(quality, kept, corpora, tmp_path):
    corpus = {"train": str(corpora / "skol" / "train"), "dev": str(corpora / "skol" / "dev")}
    arguments = options(corpus, tmp_path, jobs=1, predictions=tmp_path / "p")
    systems = ["majority", "LinearSVC"]
    report = quality.run(arguments, TASK, systems, ["dev"])
    assert [run["system"] for run in report["runs"]] == systems
    for run in report["runs"]:
        same = ("system", "task", "fold", "seed", "labels", "lines")
        before = next(r for r in kept["runs"] if all(r[name] == run[name] for name in same))
        ours, others = (quality.tasks.mean_f1(quality.tasks.counts_of([r]), TASK, r["labels"]) for r in (run, before))
        assert ours == pytest.approx(others, abs=1e-3)  # other versions of scikit-learn round differently
        assert run["documents"].keys() == before["documents"].keys()
    assert (tmp_path / "p" / "LinearSVC-three_labels-dev-0.csv").exists()
    again = quality.run(arguments, TASK, systems, ["dev"])
    assert again["runs"] == report["runs"]
