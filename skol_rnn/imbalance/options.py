"""Names with options, as in ``"focal:gamma=2"``, so that one parameter is enough for a choice and its settings."""

from __future__ import annotations

from collections.abc import Mapping

from skol_rnn.labels import suggestion


def parse_options(text: str, known: Mapping[str, Mapping[str, float]], what: str) -> tuple[str, dict[str, float]]:
    """Split ``name:option=value,...`` and check it against the names, their options and the options' defaults.

    >>> parse_options("focal:gamma=1.5", {"focal": {"gamma": 2.0}, "none": {}}, "loss")
    ('focal', {'gamma': 1.5})
    """
    name, _, rest = text.partition(":")
    if name not in known:
        raise ValueError(f"{what} must be one of {', '.join(known)}, but is {name!r}.{suggestion(name, known)}")
    options = dict(known[name])
    for part in rest.split(",") if rest else ():
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key not in options:
            allowed = f"has the options {', '.join(options)}" if options else "has no options"
            raise ValueError(f"{what}={text!r}: {name} {allowed}, not {key!r}.{suggestion(key, options)}")
        try:
            options[key] = float(value) if equals else float("nan")
        except ValueError:
            options[key] = float("nan")
        if options[key] != options[key]:
            raise ValueError(f"{what}={text!r}: {key} needs a number, as in {name}:{key}={known[name][key]:g}.")
    return name, options
