"""The bundled sample corpus, and the download of the public annotated journals with checksums and a cache."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from skol_rnn.errors import DataError
from skol_rnn.persistence.atomic import write_atomically

SAMPLE = Path(__file__).parent / "sample"  # installed with the package
BASE_URL = "https://raw.githubusercontent.com/piggyatbaqaqi/skol/main/data/annotated/journals/"
"""Where the annotators publish the journals. The branch may change; put a commit's hash in place of ``main`` to fix it."""

SUMS = "SHA256SUMS"  # file of the download folder that records checksums, for ``sha256sum --check``
JOURNAL_FILES: tuple[str, ...] = (
    "Mycologia/Vol41/2015.28594.Mycologia-Vol-xli-1949_text.txt.ann",
    *(f"Mycotaxon/Vol{volume:03d}/n1.txt.ann" for volume in range(54, 59)),
    *(f"Mycotaxon/Vol117/s{part}.txt.ann" for part in range(1, 50)),
    *(f"Mycotaxon/Vol118/s{part}.txt.ann" for part in range(1, 55)),
    *(f"Mycotaxon/Vol119/s{part}.txt.ann" for part in range(1, 62)),
    *(f"Persoonia/Vol{volume:03d}/n{part}.txt.ann" for volume in range(16, 19) for part in range(1, 5)),
    *(f"Persoonia/Vol019/s{part}.txt.ann" for part in range(1, 9)),
)
"""Names of the 190 annotated files below `BASE_URL`."""

CORPORA: dict[str, tuple[str, str]] = {
    "sample": ("24 made-up documents (18 to train on, 6 to test on), installed with the package", "Apache-2.0"),
    "journals": (
        f"{len(JOURNAL_FILES)} annotated scans of mycological journals (Mycologia, Mycotaxon, Persoonia)",
        "not stated; their repository declares MIT for its software only. Ask the publishers before you pass files on.",
    ),
}
"""Content and licence of the corpora that ``skol-rnn download`` knows."""


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


def download_journals(
    folder: str | Path | None = None,
    *,
    base_url: str = BASE_URL,
    registry: Mapping[str, str | None] | None = None,
    timeout: float = 60.0,
) -> Path:
    """Download annotated journals (Mycologia, Mycotaxon, Persoonia), or any files of your own server.

    A file with the right checksum is not downloaded again. The authors publish no checksums: the first download is
    trusted, its SHA-256 is recorded in ``SHA256SUMS``, and later downloads must match it.  The licence of the journals
    is not stated: their repository declares MIT for its software only.  Ask the publishers before you pass files on.

    Parameters
    ----------
    folder : str or Path, optional
        Where the files go, by default ``journals`` in `cache_folder`. Folders in the names are kept.
    base_url : str, optional
        Address that the names are appended to.
    registry : mapping of str to (str or None), optional
        SHA-256 (or ``"md5:..."`` and the like) by file name, None for an unknown one. By default `JOURNAL_FILES`
        without checksums. A ``.zip`` file is unpacked into a folder of the same name.
    timeout : float, default=60.0
        Seconds to wait for the server.

    Returns
    -------
    Path
        The folder, for ``read_documents``.

    Raises
    ------
    ImportError
        If pooch is not installed.
    ValueError
        If the registry is empty or a name would leave the folder.
    DataError
        If a file cannot be downloaded, its checksum is wrong, or an archive is damaged.  The next call continues there.

    Examples
    --------
    >>> folder = download_journals("journals", registry={"Mycotaxon/Vol117/s1.txt.ann": None})  # doctest: +SKIP
    """
    try:
        import pooch
    except ImportError:
        raise ImportError("Downloading needs pooch: install it with pip install 'skol_rnn[data]'.") from None
    hashes = dict.fromkeys(JOURNAL_FILES) if registry is None else dict(registry)
    if not hashes:
        raise ValueError("registry is empty: name some files, or omit it to download all journals.")
    for name in hashes:
        path = PurePosixPath(name)
        # A backslash or colon leads out of the folder on Windows, a line break would forge an entry in SUMS.
        if not name or path.is_absolute() or ".." in path.parts or set(name) & set("\\:\r\n") or name == SUMS:
            raise ValueError(f"registry names a file {name!r}: use names relative to the folder, without '..'.")
    folder = cache_folder() / "journals" if folder is None else Path(folder)
    known = _read_sums(folder / SUMS)
    store = pooch.create(
        path=folder,
        base_url=base_url.rstrip("/") + "/",
        registry={name: digest or known.get(name) for name, digest in hashes.items()},
        retry_if_failed=1,
    )
    for name in hashes:
        file = _fetch(store, name, pooch.HTTPDownloader(timeout=timeout))
        known[name] = pooch.file_hash(str(file))
        lines = [f"{digest}  {file}\n" for file, digest in sorted(known.items())]
        write_atomically(folder / SUMS, "".join(lines).encode("utf-8"))
    return folder


def _read_sums(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    known = {}
    for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        digest, separator, name = line.partition("  ")
        if not separator or len(digest) != 64:
            raise DataError(f"{path}, line {i}: not a SHA-256 and a name; remove the file to record the sums again.")
        known[name] = digest
    return known


def _fetch(store: Any, name: str, downloader: Any) -> Path:
    """Return the path of one file, downloaded if necessary."""
    processor = partial(_unpack, name) if name.endswith(".zip") else None
    try:
        store.fetch(name, processor=processor, downloader=downloader)
    except zipfile.BadZipFile as error:
        raise DataError(f"{name} from {store.base_url} is not a readable archive ({error}).") from error
    except ValueError as error:
        problem = f"{name} from {store.base_url} does not have the expected checksum, so it was not kept ({error})"
        remedy = f"If you trust the new file, correct the registry or remove its line from {store.path / SUMS}."
        raise DataError(f"{problem} {remedy}") from error
    except OSError as error:
        raise DataError(f"{name} could not be downloaded from {store.base_url}: {error}") from error
    return Path(store.path) / name


def _unpack(name: str, path: str, action: str, store: Any) -> str:
    """Unpack an archive into a folder of the same name, completely or not at all."""
    target = Path(path).with_suffix("")
    if action == "fetch" and target.is_dir():
        return path
    with TemporaryDirectory(dir=target.parent, prefix=".unpack-") as scratch:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(Path(scratch) / "new")
        if target.exists():
            target.rename(Path(scratch) / "old")
        (Path(scratch) / "new").rename(target)
    return path
