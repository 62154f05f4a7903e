"""Write the sample corpus: ``PYTHONPATH=tools python -m make_sample FOLDER``."""

from __future__ import annotations

import argparse

from make_sample.journal import write_sample


def main() -> None:
    """Read the command line and write the sample."""
    parser = argparse.ArgumentParser(prog="python -m make_sample", description="Write the made-up sample corpus.")
    parser.add_argument("folder", help="where train/ and test/ go")
    parser.add_argument("--seed", type=int, default=0, help="non-negative seed (default: 0, the bundled sample)")
    options = parser.parse_args()
    if options.seed < 0:
        parser.error("--seed must be 0 or more")
    write_sample(options.folder, options.seed)


if __name__ == "__main__":
    main()
