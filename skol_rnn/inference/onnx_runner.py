"""The network as ONNX Runtime runs it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from copy import copy
from functools import cache
from pathlib import Path

import numpy as np

from skol_rnn.errors import BundleError
from skol_rnn.features.base import LineFeatures
from skol_rnn.features.runtime import import_runtime
from skol_rnn.inference.bags import bags
from skol_rnn.inference.onnx_check import BAGS, SHARED_ARRAYS, check_graph
from skol_rnn.labels import printable

_INT8_FLAGS = {"avx512_vnni", "avx_vnni"}
_PROCESSOR = Path("/proc/cpuinfo")
# A second line of defence behind ``check_graph``: what a graph of ours never needs, ONNX Runtime refuses, too.
_HARDENING = {
    # Files that a graph names are looked for here instead of in the current folder: nothing is below the null device.
    "session.model_external_initializers_file_folder_path": os.devnull,
    "session.load_model_format": "ONNX",  # its own format, of which the check knows nothing, is recognised otherwise
    "session.strict_shape_type_inference": "1",  # shapes that contradict each other are an error, not a warning
    "optimization.constant_folding_max_output_size_in_bytes": str(1 << 26),  # 1 GB otherwise
}


@cache
def int8_is_fast() -> bool:
    """Return whether the processor multiplies 8-bit numbers in one step (VNNI), as far as the system says.

    Without it ONNX Runtime is slower with them, and less exact, for its sums of two products saturate at 16 bits.
    """
    with suppress(OSError), _PROCESSOR.open(encoding="utf-8", errors="replace") as file:
        flags = next((line for line in file if line.startswith("flags")), "")
        return not _INT8_FLAGS.isdisjoint(flags.split())
    return False


class OnnxRunner:
    """Runs the network with ONNX Runtime on lines; the graph gathers them into windows."""

    def __init__(self, graph: bytes, arrays: Mapping[str, np.ndarray], threads: int | None = None) -> None:
        outside = check_graph(graph, arrays)
        runtime = import_runtime()
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        for name, value in _HARDENING.items():
            options.add_session_config_entry(name, value)
        # Batches differ in shape: memory kept for each shape adds up and saves no time.
        options.enable_mem_pattern = False
        options.enable_cpu_mem_arena = False
        if threads is not None:
            options.intra_op_num_threads = threads
        shared = {name: array for name, array in arrays.items() if name.endswith(SHARED_ARRAYS)}
        self.embeddings = next(iter(shared.values())) if outside else None
        """Rows of the bags that are computed outside of the graph; None if the graph computes them."""
        self._bags: np.ndarray | None = None
        values = [] if outside else [runtime.OrtValue.ortvalue_from_numpy(array) for array in shared.values()]
        try:
            if values:
                options.add_external_initializers(list(shared), values)
            self._session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no common base class
            reason = printable(" ".join(str(error).split()))
            raise BundleError(
                f"ONNX Runtime cannot load the model's graph ({reason:.300}): save the model again."
            ) from error
        self.n_labels: int = self._session.get_outputs()[0].shape[-1]
        self._inputs = {value.name: value.shape for value in self._session.get_inputs()}

    def with_bags(self, bags: np.ndarray) -> OnnxRunner:
        """Return a runner of those lines whose bags, (lines, size), are given."""
        runner = copy(self)
        runner._bags = bags
        return runner

    def logits(self, features: LineFeatures, lines: np.ndarray) -> np.ndarray:
        """Compute logits (windows, window, labels) of windows of lines; -1 is padding, on the right."""
        # Consecutive windows cover consecutive lines.
        first, end = lines[:, 0].min(), lines.max() + 1
        ids = features.ids[first:end]
        inputs = {"ids": ids, "numbers": features.numbers[first:end], "lines": np.where(lines < 0, -1, lines - first)}
        if self.embeddings is not None:
            inputs[BAGS] = bags(self.embeddings, ids) if self._bags is None else self._bags[first:end]
        elif "ids" in self._inputs and not isinstance(self._inputs["ids"][1], int):  # as earlier versions saved them
            used = np.flatnonzero(ids.any(axis=0))  # ids are left-aligned, and most lines have few
            inputs["ids"] = ids[:, : used[-1] + 1 if len(used) else 1]
        try:
            found: np.ndarray = self._session.run(None, {name: inputs[name] for name in self._inputs})[0]
        except Exception as error:  # its errors have no common base class
            reason = printable(" ".join(str(error).split()))
            raise BundleError(
                f"ONNX Runtime cannot run the model's graph ({reason:.300}): save the model again."
            ) from error
        return found
