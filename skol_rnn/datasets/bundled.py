"""Copy the bundled sample corpus to a folder."""

from __future__ import annotations

import os
from pathlib import Path

from skol_rnn.persistence.atomic import write_atomically

SAMPLE = Path(__file__).parent / "sample"  # installed with the package


def cache_folder() -> Path:
    """Return the folder of samples and downloads: ``SKOL_RNN_CACHE``, or ``~/.cache/skol_rnn``."""
    return Path(os.environ.get("SKOL_RNN_CACHE") or Path.home() / ".cache" / "skol_rnn")


def sample_corpus(folder: str | Path | None = None) -> Path:
    """Copy the bundled sample corpus to a folder.

    The sample has 18 documents to train on and 6, from other journals, to test on. All of them are made up.
    Files of the folder that differ from the sample are replaced; other files stay.

    Parameters
    ----------
    folder : str or Path, optional
        Where to copy the files, by default ``sample`` in `cache_folder`.

    Returns
    -------
    Path
        The folder, with ``train/`` and ``test/``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [len(list((sample_corpus(folder) / part).iterdir())) for part in ("train", "test")]
    [18, 6]
    """
    folder = cache_folder() / "sample" if folder is None else Path(folder)
    for source in SAMPLE.glob("*/*.ann"):
        target, content = folder / source.relative_to(SAMPLE), source.read_bytes()
        if not target.is_file() or target.read_bytes() != content:
            write_atomically(target, content)
    return folder
