"""Read the code blocks of the pages of ``docs/``, and run them."""

from __future__ import annotations

import configparser
import doctest
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skol_rnn.cli.app import COMMANDS, run

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(
    r"^(?:<!-- test: (?P<mark>[^>]*?) -->\n)?(?P<indent> *)```(?P<kind>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n"
    r"(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_PARSER = doctest.DocTestParser()
_RUNNER_FLAGS = doctest.REPORT_NDIFF


@dataclass(frozen=True)
class Block:
    """A code block: what runs it, where it stands, its marker and the file that it is the content of."""

    kind: str
    code: str
    line: int
    mark: str
    title: str | None


def blocks_of(page: Path) -> list[Block]:
    """Return the code blocks of a page."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        lines = match["code"].splitlines(keepends=True)
        code = "".join(line.removeprefix(match["indent"]) for line in lines)
        number = text.count("\n", 0, match.start("code")) + 1
        found.append(Block(match["kind"], code, number, match["mark"] or "", match["title"]))
    # Two fences a block: a block that the expression does not find would not be tested.
    assert 2 * len(found) == len(re.findall(r"^ *```", text, re.MULTILINE)), f"{page.name}: a block is not found"
    return found


class Session:
    """Runs the blocks of one page, one after the other, with the same variables.

    ``tiny`` holds settings for each table ``[settings.NAME]`` of a TOML file, whose trainings run in their own processes.
    """

    def __init__(self, page: Path, tiny: Mapping[str, object]) -> None:
        self.page = page
        self._tiny = "".join(f"{name} = {json.dumps(value)}\n" for name, value in tiny.items())
        self.names: dict[str, object] = {}

    def run(self, block: Block) -> None:
        """Run a block; a failure says where it stands."""
        if block.title:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            code = re.sub(r"(?m)^\[settings\.\w+\]\n", lambda table: table[0] + self._tiny, block.code)
            Path(block.title).write_text(code, encoding="utf-8")
        match block.kind:
            case "python" if ">>>" in block.code:
                self._doctest(block)
            case "python":
                # As many lines before the code as in the page, so that a traceback names the line.
                exec(compile("\n" * (block.line - 1) + block.code, str(self.page), "exec"), self.names)
            case "console":
                for command in block.code.replace("\\\n", " ").splitlines():
                    self._command(command, block)
            case "text" | "toml" | "":
                pass
            case kind:
                raise AssertionError(f"{self.page.name}:{block.line}: nothing runs a block of {kind!r}")

    def _doctest(self, block: Block) -> None:
        test = _PARSER.get_doctest(block.code, self.names, self.page.name, str(self.page), block.line - 1)
        report: list[str] = []
        runner = doctest.DocTestRunner(verbose=False, optionflags=_RUNNER_FLAGS)
        runner.run(test, out=report.append, clear_globs=False)
        self.names |= test.globs
        assert not runner.failures, "".join(report)

    def _command(self, command: str, block: Block) -> None:
        words = shlex.split(command)
        where = f"{self.page.name}:{block.line}: {command}"
        match words:
            case ["skol-rnn", "demo", *_]:
                assert "demo" in COMMANDS, where  # tests/test_acceptance.py runs it
            case ["skol-rnn", *arguments]:
                try:
                    run(arguments)
                except SystemExit as stop:
                    assert stop.code == 0, f"{where} ends with the status {stop.code}"
            case ["pip", "install", *requirements]:
                extras = {name for text in requirements for name in _extras(text)}
                assert extras <= known_extras(), where
            case _:
                raise AssertionError(f"{where}: nothing runs this; mark it")


def _extras(requirement: str) -> list[str]:
    match = re.fullmatch(r"[\w.-]+\[([\w,]+)\]", requirement)
    return match[1].split(",") if match else []


def known_extras() -> set[str]:
    """Return the extras of setup.cfg."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return set(config["options.extras_require"])
