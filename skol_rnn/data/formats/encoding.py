"""Decode the bytes of a file, the same way for every format, and list what is unusual about them."""

from __future__ import annotations

import codecs
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from skol_rnn.data.document import Repair
from skol_rnn.errors import DataError

INVALID = "invalid UTF-8"
MIXED = "mixed line ends"
SURROGATE = "lone surrogate"

STANDARD_INPUT = Path("<stdin>")
"""Stands for standard input, as in messages of other tools."""

_HEAD = 8192  # bytes that are enough to recognise text
# Form feeds and tabs belong to text.  A pattern that begins with a set of characters is searched three times as fast.
_ODD = re.compile(r"[\x00-\x08\x0b\r\x0e-\x1f\x7f-\x9f](?<!\r(?=\n))")
_BARE = re.compile(r"(?<!\r)\n")
_BINARY = {
    codecs.BOM_UTF32_LE: "UTF-32",  # begins with the mark of UTF-16
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    b"%PDF-": "PDF",
    b"\x1f\x8b": "gzip",
    b"BZh91AY&SY": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "zip",
    b"\x89PNG": "PNG",
}
_LONE = re.compile("[\ud800-\udfff]")


class Decoded(NamedTuple):
    """Text of a file without byte order mark, and the repairs made to decode it."""

    text: str
    bom: bool = False
    repairs: tuple[Repair, ...] = ()


def read_file(path: Path) -> Decoded:
    """Read and decode a file."""
    return decode(read_bytes(path), str(path))


def read_records(path: Path) -> tuple[str, tuple[Repair, ...]]:
    """Read a file of records; of its repairs, only invalid UTF-8 concerns the documents."""
    decoded = read_file(path)
    return decoded.text, tuple(repair for repair in decoded.repairs if repair.kind == INVALID)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, or raise a DataError that names it."""
    if path == STANDARD_INPUT:
        return _standard_input()
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


_last_read: tuple[Any, bytes] = (None, b"")  # documents may be read twice, a stream only once


def _standard_input() -> bytes:
    global _last_read
    if sys.stdin is None or sys.stdin.isatty():
        raise DataError("Standard input is a terminal: pipe documents into the command, or give files.")
    stream = getattr(sys.stdin, "buffer", sys.stdin)
    if _last_read[0] is not stream:
        data = stream.read()
        _last_read = stream, data.encode() if isinstance(data, str) else data
    return _last_read[1]


def decode(data: bytes, path: str) -> Decoded:
    r"""Decode UTF-8; invalid bytes become U+FFFD and are listed."""
    _refuse_binary(data, path)
    bom = data.startswith(codecs.BOM_UTF8)
    data = data.removeprefix(codecs.BOM_UTF8)
    repairs = [Repair(path, 1, "byte order mark", "removed from the text")] if bom else []
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        text = data.decode("utf-8", errors="replace")
        # A file may also contain U+FFFD itself, from an earlier wrong decoding.
        count = text.count("\ufffd") - data.count("\ufffd".encode())
        line = data.count(b"\n", 0, error.start) + 1
        repairs.append(Repair(path, line, INVALID, f"{count} in the file, read as U+FFFD; convert the file to UTF-8"))
    found = []
    if (crlf := text.find("\r\n")) >= 0:
        count = text.count("\r\n")
        found.append((crlf, "CRLF line ends", f"{count} in the file, kept"))
    if "\n" not in text and "\r" in text.strip():
        returns = text.count("\r")
        found.append((0, "CR line ends", f"{returns} in the file and no LF, so it is one line; end its lines with LF"))
    elif odd := list(_ODD.finditer(text)):
        detail = f"{len(odd)} in the file, kept; the first is {odd[0].group()!r}"
        found.append((odd[0].start(), "control characters", detail))
    if crlf >= 0 and (bare := _BARE.search(text)):
        found.append((bare.start(), MIXED, "both CR LF and LF end lines; offsets count every character"))
    repairs += [Repair(path, text.count("\n", 0, position) + 1, kind, detail) for position, kind, detail in found]
    return Decoded(text, bom, tuple(repairs))


def replace_surrogates(text: str) -> tuple[str, int]:
    """Replace halves of surrogate pairs, which JSON can hold and UTF-8 cannot, by U+FFFD; return their number, too."""
    return (text, 0) if text.isascii() else _LONE.subn("\ufffd", text)


def _refuse_binary(data: bytes, path: str) -> None:
    head = data[:_HEAD]
    what = next((what for start, what in _BINARY.items() if head.startswith(start)), "")
    nulls = sorted((head[::2].count(0), head[1::2].count(0)))
    if not what and nulls[0] == 0 and nulls[1] > 2 and nulls[1] * 4 > len(head):
        what = "UTF-16"  # without a byte order mark
    if what.startswith("UTF"):
        raise DataError(f"{path} is not text in UTF-8 but {what}: convert it to UTF-8.")
    if what:
        raise DataError(f"{path} is not text but {what}: extract its text as UTF-8 first.")
    strange = head.decode("utf-8", errors="replace")
    odd = (
        sum(char not in "\r\x85" for char in _ODD.findall(strange))
        + strange.count("\ufffd")
        - head.count("\ufffd".encode())
    )
    null = sum(nulls)
    if (null > 3 and null * 10 > len(head)) or (odd > 9 and odd * 10 > 3 * len(strange)):
        raise DataError(f"{path} is not text: extract its text as UTF-8 first.")
