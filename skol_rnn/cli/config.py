"""``skol-rnn init-config``: all settings with their defaults, as a commented TOML file for ``train --config``."""

from __future__ import annotations

import inspect
import json
import textwrap
from pathlib import Path
from typing import Annotated, Any

import typer

from skol_rnn.cli import options
from skol_rnn.cli.common import say, write_output
from skol_rnn.cli.options import option
from skol_rnn.cli.train import PANELS, documented
from skol_rnn.training.parameters import PARAMETERS, ModelParameters
from skol_rnn.training.settings import resolve

_WIDTH = 100
_HEAD = """\
Settings of a model, with their defaults, for `skol-rnn train PATHS --config FILE --out MODEL`.
A setting in a comment depends on unit and preset; remove the # to choose it yourself.
Options of the command line override this file."""
# The values in comments: for lines and the default preset, or where nothing is chosen an example.
_OF_FIT = {
    "labels": ("Labels to learn; all that occur if not given.", '["A", "B"]'),
    "other": ("Label of all other lines.", '"Misc"'),
}
_EXAMPLES = {
    "important": '["A", "B"]',
    "focal_labels": '["A"]',
    "sampling": '"oversample"',
    "input_size": "64",
    "validation_fraction": "0.1",
    "vectors": '"FOLDER"',
    "vector_layers": "[2, 4, 6]",
}


def init_config(
    out: Annotated[
        Path,
        option(
            "TOML file; - is standard output, as if not given.", callback=options.output_file("--out", "settings.toml")
        ),
    ] = Path(options.STANDARD),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write all settings with their defaults and what they mean as a TOML file for train --config."""
    if out.exists() and not overwrite:
        raise ValueError(f"--out {out} exists: add --overwrite to replace it, or give another file.")
    write_output(out, config_text().encode())
    if str(out) != options.STANDARD:
        say(f"Wrote {len(PARAMETERS)} settings to {out}")
        say(f"Next: skol-rnn train PATHS --config {out} --out MODEL")


def config_text() -> str:
    """Return the settings as TOML; those without a value of their own are comments."""
    given = {name: inspect.signature(ModelParameters).parameters[name].default for name in PARAMETERS}
    of_lines = resolve(given)
    described = documented()
    pieces = [_comment(_HEAD)]
    for name, (text, example) in _OF_FIT.items():
        pieces.append(f"{_comment(text)}\n# {name} = {example}")
    in_panels = {name for members in PANELS.values() for name in members.split()}
    panels = {"Main": [name for name in PARAMETERS if name not in in_panels]}
    panels |= {panel: [name for name in members.split() if name in PARAMETERS] for panel, members in PANELS.items()}
    for panel, names in panels.items():
        pieces.append(f"# ---- {panel} ----" if panel != "Main" else "")
        for name in names:
            text = _comment(" ".join(described[name][1]))
            if given[name] is not None:
                line = f"{name} = {_toml(given[name])}"
            else:
                line = f"# {name} = {_EXAMPLES.get(name) or _toml(of_lines[name])}"
            pieces.append(f"{text}\n{line}")
    return "\n\n".join(piece for piece in pieces if piece) + "\n"


def _comment(text: str) -> str:
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, _WIDTH - 2, break_on_hyphens=False)]
    return "\n".join(f"# {line}" for line in lines)


def _toml(value: Any) -> str:
    return json.dumps(value)  # the same for texts, numbers and truth values
