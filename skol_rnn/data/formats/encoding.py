"""Bytes of a file to text, the same way for every format, with a list of what is odd about them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from skol_rnn.data.document import Repair
from skol_rnn.errors import DataError

INVALID = "invalid UTF-8"
HARMLESS = frozenset(
    {
        "bare closer",
        "byte order mark",
        "CRLF line ends",
        "control characters",
        "empty block",
        "mixed line ends",
        "text outside blocks",
    }
)
"""Kinds of repair that neither change the text nor guess at a label: ``strict`` lets them pass."""

_HEAD = 8192  # bytes that are enough to tell text from anything else
_ODD = re.compile(r"\r(?!\n)|[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")  # form feeds and tabs belong to text
_BARE = re.compile(r"(?<!\r)\n")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Decoded:
    """Text of a file without byte order mark, and what was found odd."""

    text: str
    bom: bool
    repairs: tuple[Repair, ...]


def read_file(path: Path) -> Decoded:
    """Read and decode a file."""
    return decode(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """Return a file's content, or raise a DataError that names it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def decode(data: bytes, path: str) -> Decoded:
    r"""Decode UTF-8; what is invalid becomes U+FFFD and is listed."""
    _refuse_binary(data, path)
    bom = data.startswith(codecs.BOM_UTF8)
    data = data.removeprefix(codecs.BOM_UTF8)
    repairs = [Repair(path, 1, "byte order mark", "taken off the text")] if bom else []
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        text = data.decode("utf-8", errors="replace")
        # A file may also hold U+FFFD of its own, from an earlier bad decoding.
        count = text.count("\ufffd") - data.count("\ufffd".encode())
        line = data.count(b"\n", 0, error.start) + 1
        repairs.append(Repair(path, line, INVALID, f"{count} in the file, read as U+FFFD; convert the file to UTF-8"))
    return Decoded(text, bom, (*repairs, *_oddities(text, path)))


def _refuse_binary(data: bytes, path: str) -> None:
    head = data[:_HEAD]
    if head.startswith(_UTF16):
        raise DataError(f"{path} is not text in UTF-8 but UTF-16: convert it to UTF-8.")
    strange = head.decode("utf-8", errors="replace")
    odd = len(_ODD.findall(strange)) + strange.count("\ufffd") - head.count("\ufffd".encode())
    nulls = head.count(0)
    if head.startswith(b"%PDF-") or (nulls > 3 and nulls * 10 > len(head)) or (odd > 9 and odd * 10 > 3 * len(strange)):
        raise DataError(f"{path} is not text: extract its text as UTF-8 first.")


def _oddities(text: str, path: str) -> list[Repair]:
    found = []
    if (crlf := text.find("\r\n")) >= 0:
        kept = f"{text.count(chr(13) + chr(10))} in the file, kept"
        found.append(Repair(path, text.count("\n", 0, crlf) + 1, "CRLF line ends", kept))
    if first := _ODD.search(text):
        count = sum(1 for _ in _ODD.finditer(text))
        detail = f"{count} in the file, kept; the first is {first.group()!r}"
        found.append(Repair(path, text.count("\n", 0, first.start()) + 1, "control characters", detail))
    if crlf >= 0 and (bare := _BARE.search(text)):
        line = text.count("\n", 0, bare.start()) + 1
        detail = "some lines end with CR LF and some with LF; offsets count each character as it stands"
        found.append(Repair(path, line, "mixed line ends", detail))
    return found


def refuse_damage(repairs: Iterable[Repair], harmful: Iterable[str] = ()) -> None:
    """Raise a DataError for the first repair that is real damage; ``harmful`` are kinds that are so here."""
    for repair in repairs:
        if repair.kind not in HARMLESS or repair.kind in harmful:
            raise DataError(
                f"{repair.path}:{repair.line}: {repair.kind}: {repair.detail}. "
                "Mend the file, or read it without strict."
            )


def tell(found: list[str], problems: list[str] | None) -> None:
    """Add what is wrong with a file to the caller's list, or raise a DataError with all of it if there is none."""
    if problems is not None:
        problems += found
    elif found:
        raise DataError("\n".join(found))
