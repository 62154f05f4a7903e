"""The files of the project agree with each other: versions, Pythons, commands, and what is installed."""

from __future__ import annotations

import ast
import configparser
import inspect
import re
import tomllib
from pathlib import Path

import pytest
from oldest_versions import oldest_versions

import skol_rnn

ROOT = Path(__file__).resolve().parents[1]
TARGETS = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text("utf-8"), re.M))


@pytest.fixture(scope="module")
def setup():
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def test_the_oldest_versions_are_the_lower_bounds_of_setup_cfg():
    pinned = (ROOT / "tests" / "oldest.txt").read_text("utf-8").splitlines()
    assert pinned == oldest_versions(), "run: make oldest"
    names = [line.partition("==")[0] for line in pinned]
    assert len(names) == len(set(names)), "setup.cfg states two lower bounds of one package"


def test_each_requirement_has_a_lower_bound(setup):
    lines = "\n".join([setup["options"]["install_requires"], *setup["options.extras_require"].values()]).split("\n")
    bound = r"[\w-]+>=[\d.]+(; (?:sys_platform|python_version) .+)?|%\(\w+\)s"
    assert [line for line in lines if line and not re.fullmatch(bound, line)] == []


@pytest.mark.parametrize(("python", "framework"), [("3.11", "tensorflow"), ("3.13", "tensorflow"), ("3.14", "torch")])
def test_each_python_gets_one_framework(setup, python, framework):
    from packaging.requirements import Requirement

    lines = [line for line in setup["options"]["install_requires"].split("\n") if line and not line.startswith("#")]
    found = {
        each.name
        for each in map(Requirement, lines)
        if not each.marker or each.marker.evaluate({"python_version": python})
    }
    assert found & {"tensorflow", "torch", "jax"} == {framework}
    assert ("gensim" in found) == (framework == "tensorflow")  # which lacks wheels for the same Pythons


def test_libraries_with_known_holes_are_not_allowed(setup):
    oldest = dict(re.findall(r"^([\w-]+)>=([\d.]+)", setup["options"]["install_requires"], re.M))
    safe = {"onnxruntime": (1, 27), "keras": (3, 13, 1)}  # docs/reliability_models.md; code in a .keras file
    assert all(tuple(map(int, oldest[name].split("."))) >= version for name, version in safe.items())


def test_the_serving_extra_is_a_part_of_the_requirements(setup):
    assert set(setup["options.extras_require"]["serve"].split()) <= set(
        setup["options"]["install_requires"].split("\n")
    )


@pytest.mark.parametrize("name", [".ci/run", ".github/workflows/ci.yml", "Makefile", "CONTRIBUTING.md", "README.md"])
def test_each_make_command_that_is_named_exists(name):
    commands = re.findall(
        r"(?:^\t?|[`(;]|run: |time )(?:\$\(MAKE\)|make) ((?:[a-z-]+ ?)+)", (ROOT / name).read_text("utf-8"), re.M
    )
    used = {word for command in commands for word in command.split()}
    assert used and used <= TARGETS


def test_the_workflow_tests_each_supported_python(setup):
    supported = re.findall(r"Python :: (3\.\d+)", setup["metadata"]["classifiers"])
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    whole = re.findall(r'"(3\.\d+)"', re.search(r"python: \[(.*)\]", workflow)[1])
    under_a_backend = re.findall(r'\{python: "(3\.\d+)", backend: \w+\}', workflow)
    assert whole + [version for version in under_a_backend if version not in whole] == supported
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]["python_version"]
    assert setup["options"]["python_requires"].startswith(f">={lowest},") and lowest == supported[0]


def test_data_files_of_the_package_are_installed(setup):
    package = Path(skol_rnn.__file__).parent
    declared = set()
    for name, patterns in setup["options.package_data"].items():
        folder = package.parent / name.replace(".", "/")
        declared |= {path for pattern in patterns.split() for path in folder.glob(pattern)}
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in files if path.suffix not in {".py", ".md"}} == declared


def test_the_pictures_of_the_readme_exist_and_a_command_takes_them():
    readme = (ROOT / "README.md").read_text("utf-8")
    pictures = re.findall(r"!\[[^]]+\]\((.+?)\)", readme)
    assert pictures == ["docs/images/labelled-page.png", "docs/images/report.png"]
    assert all((ROOT / picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert "make pictures" in readme


def test_the_readme_calls_the_classifier_with_options_that_it_has():
    (block,) = re.findall(r"```python\n(import redis.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    calls = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
    (call,) = (call for call in calls if getattr(call.func, "id", "") == "SkolClassifierV2")
    allowed = inspect.signature(skol_rnn.SkolClassifierV2).parameters
    assert {keyword.arg for keyword in call.keywords} <= set(allowed)
