"""The Python workers of a Spark session: which Python they run, and whether it can do the work."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from skol_rnn.errors import SkolError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_checked: set[str] = set()  # ids of the applications whose workers can do the work


def prepare_workers(session: SparkSession) -> None:
    """Let the workers on this machine run this Python, unless the caller chose one, and check once that workers work."""
    try:
        context = session.sparkContext
    except Exception as error:  # pyspark has its own kind of it in each version
        raise SkolError("Spark Connect is not supported: use a classic session with a sparkContext.") from error
    settings = context.getConf()
    chosen = "PYSPARK_PYTHON" in os.environ or settings.contains("spark.pyspark.python")
    if context.master.startswith("local") and not chosen:
        # "python3" otherwise, which is often another Python than that of a virtual environment.
        context.pythonExec = sys.executable
    key = f"{context.applicationId} {context.pythonExec}"
    if key in _checked:
        return
    try:
        context.parallelize([0], 1).foreach(_import_all)
    except Exception as error:
        if advice := _advice(str(error), context.pythonExec):
            raise SkolError(advice) from error
        raise
    _checked.add(key)


def _import_all(_: int) -> None:
    """Import in a worker what the work needs."""
    import pandas  # noqa: F401
    import pyarrow  # noqa: F401

    import skol_rnn.classifier.labelling  # noqa: F401
    from skol_rnn.features.runtime import import_runtime

    import_runtime()


def _advice(message: str, python: str) -> str:
    """Say in one sentence what is wrong with the workers' Python, "" if the error is about something else."""
    todo = f"set the environment variable PYSPARK_PYTHON to {sys.executable} before the session starts"
    if found := re.search(r"No module named '([\w.]+)'", message):
        missing = found[1].partition(".")[0]
        return (
            f"The Python of Spark's workers, {python}, has no module {missing!r}: install skol_rnn[serve,spark] for it, "
            f"or, on one machine, {todo}."
        )
    if found := re.search(r"different version[^\d]*(\d+\.\d+)", message):
        return (
            f"Spark's workers run Python {found[1]} ({python}), and this program {sys.version_info.major}."
            f"{sys.version_info.minor}: {todo}, or on a cluster to the same version on each machine."
        )
    if f'Cannot run program "{python}"' in message or "Error from python worker" in message:
        return f"Spark cannot start the Python of its workers, {python}: {todo}."
    return ""
