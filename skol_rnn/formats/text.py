"""Plain text: one row per non-blank line, no labels."""

from __future__ import annotations

from pathlib import Path

from skol_rnn.documents import Document
from skol_rnn.formats._decoding import read_file, refuse_damage


def read_text(path: Path, doc_id: str, *, strict: bool = False) -> Document:
    r"""Read a file of plain text.

    Parameters
    ----------
    path : Path
        The file.
    doc_id : str
        Name for the document.
    strict : bool, default False
        Whether to refuse a file with invalid bytes.

    Returns
    -------
    Document
        The text as it stands in the file, without labels.

    Raises
    ------
    DataError
        If the file cannot be read, is not text, or has invalid bytes and ``strict``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.txt")
    ...     _ = path.write_text("one\n\ntwo\n")
    ...     read_text(path, "a").table()["value"].tolist()
    ['one', 'two']
    """
    decoded = read_file(path)
    if strict:
        refuse_damage(decoded.repairs)
    return Document(doc_id, decoded.text, None, decoded.repairs, str(path), bom=decoded.bom)
