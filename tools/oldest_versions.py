"""Print the oldest supported versions, ``dev`` aside: ``python tools/oldest_versions.py > tests/oldest.txt``."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

SETUP = Path(__file__).resolve().parents[1] / "setup.cfg"


def oldest_versions(path: Path = SETUP) -> list[str]:
    """Return a pip constraint ``name==version`` for each lower bound ``name>=version`` of a setup.cfg."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(path, encoding="utf-8")
    extras = [lines for name, lines in config["options.extras_require"].items() if name != "dev"]
    required = "\n".join([config["options"]["install_requires"], *extras])
    bounds = re.findall(r"^([\w-]+)>=([\d.]+)(?:; python_version < .*)?$", required, re.M)
    return sorted({f"{name}=={version}" for name, version in bounds})


if __name__ == "__main__":
    print("\n".join(oldest_versions()))
