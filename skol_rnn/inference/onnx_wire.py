"""Reader of ONNX graphs that knows the fields that the export writes and refuses all others; it needs no library."""

from __future__ import annotations

from typing import Any

Fields = dict[int, tuple[str, Any]]
"""By number: name and kind of a field.  A kind in a list may occur several times."""

TENSOR: Fields = {
    1: ("dims", ["integer"]),
    2: ("data_type", "integer"),
    8: ("name", "text"),
    9: ("raw_data", "bytes"),
    13: ("external_data", [{1: ("key", "text"), 2: ("value", "text")}]),
    14: ("data_location", "integer"),
}
_ATTRIBUTE: Fields = {
    1: ("name", "text"),
    2: ("f", "float"),
    3: ("i", "integer"),
    4: ("s", "bytes"),
    8: ("ints", ["integer"]),
    20: ("type", "integer"),
}
_NODE: Fields = {
    1: ("input", ["text"]),
    2: ("output", ["text"]),
    3: ("name", "text"),
    4: ("op_type", "text"),
    5: ("attribute", [_ATTRIBUTE]),
    7: ("domain", "text"),
}
_SHAPE: Fields = {1: ("dim", [{1: ("value", "integer"), 2: ("symbol", "text")}])}
_VALUE: Fields = {
    1: ("name", "text"),
    2: ("type", {1: ("tensor", {1: ("data_type", "integer"), 2: ("shape", _SHAPE)})}),
}
_GRAPH: Fields = {
    1: ("node", [_NODE]),
    2: ("name", "text"),
    5: ("initializer", [TENSOR]),
    11: ("input", [_VALUE]),
    12: ("output", [_VALUE]),
}
MODEL: Fields = {
    1: ("ir_version", "integer"),
    2: ("producer_name", "text"),
    3: ("producer_version", "text"),
    7: ("graph", _GRAPH),
    8: ("opset_import", [{1: ("domain", "text"), 2: ("version", "integer")}]),
}
_VARINT, _LENGTH, _FOUR_BYTES = 0, 2, 5  # wire types


def read_message(data: memoryview, fields: Fields, name: str) -> dict[str, Any]:
    """Decode a message, or raise a ValueError; a list that has no entry is empty, any other missing field is absent."""
    found: dict[str, Any] = {field: [] for field, kind in fields.values() if isinstance(kind, list)}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag >> 3 not in fields:
            raise ValueError(f"{name} has field {tag >> 3}, which no graph of skol_rnn has")
        field, kind = fields[tag >> 3]
        many, kind = isinstance(kind, list), kind[0] if isinstance(kind, list) else kind
        wire = tag & 7
        value: Any = None
        if wire == _VARINT and kind == "integer":
            value, at = _varint(data, at)
        elif wire == _FOUR_BYTES and kind == "float":
            value, at = _part(data, at, 4), at + 4
        elif wire == _LENGTH and kind != "float" and (many or kind != "integer"):
            size, at = _varint(data, at)
            part, at = _part(data, at, size), at + size
            if kind == "integer":  # many in one field
                place = 0
                while place < len(part):
                    one, place = _varint(part, place)
                    found[field].append(_signed(one))
                continue
            value = read_message(part, kind, field) if isinstance(kind, dict) else part
            value = str(part, "utf-8") if kind == "text" else value
        else:
            raise ValueError(f"{name} has a field {field} of a wrong kind")
        value = _signed(value) if kind == "integer" else value
        if not many and field in found:
            raise ValueError(f"{name} has two fields {field}")
        found[field].append(value) if many else found.update({field: value})
    return found


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = _part(data, at, 1)[0]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, at
    raise ValueError("an integer has no end")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _part(data: memoryview, at: int, size: int) -> memoryview:
    if size > len(data) - at:
        raise ValueError("it ends too early")
    return data[at : at + size]
