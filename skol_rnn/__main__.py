"""``python -m skol_rnn`` is ``skol-rnn``."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from skol_rnn.cli.app import run

    run()


if __name__ == "__main__":
    main()
