"""A hook of mkdocs: it writes the reference of commands and settings from the program, and puts pictures into the pages.

``<!-- generated: commands -->`` and ``<!-- generated: settings -->`` in a page are replaced.  A picture of
``docs/figures`` becomes part of its page, so that its text takes the colour of the page, light or dark.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from skol_rnn.cli.app import app
from skol_rnn.cli.train import PANELS
from skol_rnn.training.parameters import PARAMETERS, ModelParameters
from skol_rnn.training.settings import DEFAULTS, PRESETS

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

    group = typer.main.get_command(app)
    return "\n".join(line for name, command in group.commands.items() for line in _command(name, command))  # type: ignore[attr-defined]


def _command(name: str, command: Any) -> Iterator[str]:
    shown = [p for p in command.params if not p.hidden and p.name not in ("help", "version")]
    arguments = [p for p in shown if not p.opts[0].startswith("-")]
    options = [p for p in shown if p.opts[0].startswith("-")]
    needed = [f"{p.opts[0]} {_metavar(p)}" for p in options if p.required]
    words = [name, *(p.name.upper() + "..." * (p.nargs != 1) for p in arguments), *needed]
    yield from (f"## {name}", "", inspect.cleandoc(command.help or ""), "", "```text")
    yield from (f"skol-rnn {' '.join(words)} [OPTIONS]", "```", "")
    yield from _table("Argument", ((p.name.upper(), "", p.help) for p in arguments))
    for panel in ("Options", *PANELS):
        members = [p for p in options if (p.rich_help_panel or "Options") == panel]
        if members:
            yield from (f"**{panel}**", "") if len({p.rich_help_panel for p in options}) > 1 else ()
            yield from _table("Option", ((p.opts[0], _metavar(p), _help(p)) for p in members))


def _help(option: Any) -> str:
    text = option.help or ""
    if option.show_default and option.default not in (None, False, [], ()) and "default" not in text:
        text = f"{text} Default: `{option.default}`."
    return f"{text} Required." if option.required else text


def _metavar(option: Any) -> str:
    kind = getattr(option, "type_descriptor", None)
    if option.metavar:
        return str(option.metavar)
    if kind is None or kind.annotation is bool:
        return ""
    return {"str": "TEXT", "int": "INTEGER", "float": "NUMBER"}.get(kind.annotation.__name__, "PATH")


def settings() -> str:
    """List the parameters of the model by panel, with the defaults of lines and tokens."""
    panel_of = {name: panel for panel, members in PANELS.items() for name in members.split()}
    signature = inspect.signature(ModelParameters.__init__).parameters
    described = _documented()
    lines: list[str] = []
    for panel in ("Main", *PANELS):
        names = [name for name in PARAMETERS if panel_of.get(name, "Main") == panel]
        rows = [(name, *(_default(name, unit, signature[name].default) for unit in DEFAULTS), described[name]) for name in names]
        lines += [f"## {panel}", "", "| Setting | Lines | Tokens | What it does |", "|---|---|---|---|"]
        lines += [f"| `{name}` | {line} | {token} | {_cell(text)} |" for name, line, token, text in rows]
        lines.append("")
    lines += ["## Presets", "", "| Preset | Unit | Networks | Epochs | Refit on all documents |", "|---|---|---|---|---|"]
    for preset, units in PRESETS.items():
        for unit, values in units.items():
            lines.append(
                f"| `{preset}` | {unit} | {values['ensemble_size']} | {values['epochs']} | {'yes' if values['refit'] else 'no'} |"
            )
    return "\n".join(lines)


def _documented() -> dict[str, str]:
    text = (inspect.getdoc(ModelParameters) or "").partition("\nAttributes\n")[0]
    found = re.findall(r"^(\w+) : .*\n((?: {4}.*\n)+)", text, re.MULTILINE)
    return {name: " ".join(body.split()).replace("``", "`") for name, body in found}


def _default(name: str, unit: str, value: Any) -> str:
    if value is None:
        value = {**PRESETS["default"][unit], **DEFAULTS[unit]}.get(name)
    return "" if value is None else f"`{value}`"


def _table(first: str, rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    yield from (f"| {first} | Value | Meaning |", "|---|---|---|")
    for name, metavar, text in rows:
        value = f"`{_cell(metavar)}`" if metavar else ""
        yield f"| `{name}` | {value} | {_cell(text or '')} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


GENERATED = {"commands": commands, "settings": settings}
