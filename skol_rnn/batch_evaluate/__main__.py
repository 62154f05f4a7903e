"""``python -m skol_rnn.batch_evaluate`` is ``skol-rnn batch``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command."""
    from skol_rnn.cli.app import run

    run(["batch", *sys.argv[1:]])


if __name__ == "__main__":
    main()
