"""A hook of mkdocs: it writes the reference of commands and settings from the program, and puts pictures into the pages.

``<!-- generated: commands -->`` and ``<!-- generated: settings -->`` in a page are replaced.  A picture of
``docs/figures`` becomes part of its page, so that its text takes the colour of the page, light or dark.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from skol_rnn.cli.app import application
from skol_rnn.cli.train import PANELS
from skol_rnn.training.parameters import PARAMETERS, ModelParameters
from skol_rnn.training.settings import DEFAULTS, PRESETS, resolve

_FIGURE = re.compile(r'<img alt="([^"]*)" src="(?:\.\./)?figures/(\w+\.svg)"\s*/?>')
_MARKER = re.compile(r"<!-- generated: (\w+) -->")
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers of a page."""
    return _MARKER.sub(lambda match: GENERATED[match[1]](), markdown)


def on_page_content(html: str, config: Any, **_: Any) -> str:
    """Put the pictures of ``docs/figures`` into a page."""
    folder = Path(config["docs_dir"]) / "figures"

    def inline(match: re.Match[str]) -> str:
        # The style is for a picture that stands alone; here the page gives the colour.
        drawing = _STYLE.sub("", (folder / match[2]).read_text(encoding="utf-8"))
        return drawing.replace("<svg ", f'<svg class="figure" role="img" aria-label="{match[1]}" ', 1)

    return _FIGURE.sub(inline, html)


def commands() -> str:
    """Describe each command of ``skol-rnn``: what it does, its arguments and its options."""
    import typer.main

    group = typer.main.get_command(application())
    return "\n".join(line for name, command in group.commands.items() for line in _command(name, command))  # type: ignore[attr-defined]


def _command(name: str, command: Any, level: str = "##") -> Iterator[str]:
    if within := getattr(command, "commands", None):
        yield from (f"{level} {name}", "", inspect.cleandoc(command.help or ""), "")
        for second, each in within.items():
            yield from _command(f"{name} {second}", each, f"{level}#")
        return
    shown = [p for p in command.params if not p.hidden and p.name not in ("help", "version")]
    arguments = [p for p in shown if not p.opts[0].startswith("-")]
    options = [p for p in shown if p.opts[0].startswith("-")]
    needed = [f"{p.opts[0]} {_metavar(p)}" for p in options if p.required]
    words = [name, *(_argument(p) for p in arguments), *needed, "[OPTIONS]"]
    yield from (f"{level} {name}", "", inspect.cleandoc(command.help or ""), "", "```text")
    yield from (f"skol-rnn {' '.join(words)}", "```", "")
    yield from _definitions((_argument(p), _sentence(p)) for p in arguments)
    for panel in ("Options", *PANELS):
        members = [p for p in options if (p.rich_help_panel or "Options") == panel]
        if members and panel != "Options":
            yield from (f"**{panel}**", "")
        yield from _definitions((f"{p.opts[0]} {_metavar(p)}".rstrip(), _sentence(p)) for p in members)


def _argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper().strip(".")
    return f"{name}..." if argument.nargs != 1 and not name.endswith("...") else name


def _sentence(parameter: Any) -> str:
    text = parameter.help or ""
    if parameter.show_default and parameter.default not in (None, False, "", [], ()) and "default" not in text:
        text = f"{text} Default: `{parameter.default}`."
    return f"{text} Required." if parameter.required and parameter.opts[0].startswith("-") else text


def _metavar(option: Any) -> str:
    kind = option.type_descriptor.annotation
    if option.metavar or kind is bool:
        return str(option.metavar or "")
    return {str: "TEXT", int: "INTEGER", float: "NUMBER", Path: "PATH"}.get(kind, "TEXT")


def settings() -> str:
    """List the parameters of the model by panel, with the defaults of lines and tokens."""
    panel_of = {name: panel for panel, members in PANELS.items() for name in members.split()}
    given = {
        name: p.default
        for name, p in inspect.signature(ModelParameters.__init__).parameters.items()
        if name in PARAMETERS
    }
    defaults = {unit: resolve({**given, "unit": unit}) for unit in DEFAULTS}
    described = _documented()
    lines: list[str] = []
    for panel in ("Main", *PANELS):
        names = [name for name in PARAMETERS if panel_of.get(name, "Main") == panel]
        rows = (
            (_with_defaults(name, {unit: defaults[unit][name] for unit in defaults}), described[name]) for name in names
        )
        lines += [f"## {panel}", "", *_definitions(rows, code=False)]
    lines += [
        "## Presets",
        "",
        "| Preset | Unit | Networks | Epochs | Refit on all documents |",
        "|---|---|---|---|---|",
    ]
    for preset, units in PRESETS.items():
        for unit, values in units.items():
            refit = "yes" if values["refit"] else "no"
            lines.append(f"| `{preset}` | {unit} | {values['ensemble_size']} | {values['epochs']} | {refit} |")
    return "\n".join(lines)


def _with_defaults(name: str, values: Mapping[str, Any]) -> str:
    if name == "unit" or all(value is None for value in values.values()):
        return f"`{name}`"
    shown = {unit: f"`{value!r}`" for unit, value in values.items() if value is not None}
    if len(shown) == len(values) and len(set(shown.values())) == 1:
        return f"`{name}` = {next(iter(shown.values()))}"
    return f"`{name}` = " + ", ".join(f"{value} ({unit}s)" for unit, value in shown.items())


def _documented() -> dict[str, str]:
    text = (inspect.getdoc(ModelParameters) or "").partition("\nAttributes\n")[0]
    found = re.findall(r"^(\w+) : .*\n((?: {4}.*\n)+)", text, re.MULTILINE)
    return {name: " ".join(body.split()).replace("``", "`") for name, body in found}


def _definitions(rows: Iterable[tuple[str, str]], code: bool = True) -> Iterator[str]:
    for term, text in rows:
        yield from (f"`{term}`" if code else term, f":   {' '.join(text.split()).replace('<', '&lt;')}", "")


GENERATED = {"commands": commands, "settings": settings}
