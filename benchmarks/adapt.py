"""What a few reviewed lines of an unseen volume gain, when a model that has not seen the volume is adapted to them.

Each volume is held out in turn; ``--models`` holds VOLUME.skol for each, which ``benchmarks/promises.py`` trains::

    python benchmarks/adapt.py --train skol/train --dev skol/dev --models models --json docs/adapt.json

The reviewer gives the gold labels.  Lines are chosen as ``skol-rnn review`` does, in blocks of ten by uncertainty (the most
uncertain block of each part of the volume), or at random; ``self`` reviews nothing and takes the model's own labels of
lines that it is certain of.  ``review 100 5%`` is a reviewer who errs in 5 % of the lines.  Scores are those of the lines that were not reviewed, before and after.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import tasks
from review import answered, f1

PLAN = (
    "review 100", "random 100", "blocks 100", "review 50", "review 200", "review 500", "random 500",
)  # fmt: skip
CERTAIN = 0.95  # posterior of the lines that ``self`` takes
BLOCK = 10
PROMISE = "recall:Nomenclature=0.95"
OLD_LINES = 5_000  # of training documents, to see what is forgotten


class Volume:
    """A volume, and the model that has not seen it."""

    def __init__(self, name, table, labels, arguments):
        from skol_rnn import load_model
        from skol_rnn.data.inputs import Input, LabelledRows
        from skol_rnn.training.adapting import replayed_lines
        from skol_rnn.training.lines import TrainingLines

        self.model = load_model(arguments.models / f"{name}.skol")
        self.predictor, self.labels, self.seed = self.model._predictor, labels, arguments.seed
        new, old = (
            LabelledRows.of(Input.of(table[rows].drop(columns=["volume", "part"])).table, labels)
            for rows in (table["volume"] == name, table["volume"] != name)
        )
        self.new = TrainingLines(self.predictor.features.transform(new.table), new.true, new.lengths)
        self.old = replayed_lines(self.predictor, old, self.model.settings_)
        self.texts, self.documents = new.table["value"].tolist(), np.repeat(np.arange(len(new.lengths)), new.lengths)
        order = np.random.default_rng(0).permutation(len(old.lengths))
        few = np.sort(order[: np.searchsorted(np.cumsum(np.array(old.lengths)[order]), OLD_LINES) + 1])
        starts = np.cumsum(old.lengths) - old.lengths
        rows = np.concatenate([np.arange(starts[d], starts[d] + old.lengths[d]) for d in few])
        self.few = self.old.at(rows, [old.lengths[d] for d in few])
        self.before = self.predicted(self.predictor, self.new)
        self.few_before = self.predicted(self.predictor, self.few)

    def predicted(self, predictor, lines):
        """Return the probabilities of lines."""
        return predictor.probabilities_of(lines.features, lines.lengths)

    def chosen(self, rule, number):
        """Return the rows that a rule chooses."""
        from skol_rnn.review.selection import Candidates, choose, importance, scores

        posterior = self.predictor.decoder.posterior(self.before)
        if rule == "random":
            return np.random.default_rng(0).permutation(len(posterior))[:number]
        if rule == "self":
            return np.flatnonzero(posterior.max(axis=1) > CERTAIN)
        if rule == "blocks":
            entropy = -(posterior * np.log(posterior + 1e-9)).sum(axis=1)
            first = np.arange(0, len(entropy) - BLOCK + 1, BLOCK)
            doubt = np.add.reduceat(entropy[: len(first) * BLOCK], first)
            parts = np.array_split(np.arange(len(first)), number // BLOCK)
            starts = [first[part[np.argmax(doubt[part])]] for part in parts]
            return np.concatenate([np.arange(start, start + BLOCK) for start in starts])
        current = self.decided(self.before, self.new)
        lines = Candidates(self.predictor.labels, posterior, current, self.documents, self.texts)
        score = scores(lines, importance(lines, tasks.IMPORTANT))
        return np.array(choose(lines, score, number, 0, np.zeros(len(lines), bool)))

    def decided(self, raw, lines, decision=None):
        """Return the labels of lines."""
        return self.predictor.decoder.decide(raw, lines.lengths, decision or self.model.decided_by)

    def scores(self, raw, lines, kept):
        """Return the F1 of the important labels, and what the promise gives, on some lines."""
        gold, found = lines.true[kept], self.decided(raw, lines)[kept]
        held = self.decided(raw, lines, PROMISE)[kept] == 0
        names = {name: f1(gold, found, self.labels.index(name)) for name in tasks.IMPORTANT}
        promise = {"recall": float(held[gold == 0].mean()), "share": float(held.mean())}
        return {**names, "important": float(np.mean(list(names.values()))), "promise": promise}

    def adapted(self, what):
        """Adapt, and return the scores before and after."""
        from skol_rnn.labels import NO_LABEL
        from skol_rnn.training.adapting import trained_on
        from skol_rnn.training.log import TrainingLog

        rule, number, wrong = [*what.split(), *("0", "0%")[what.count(" ") :]]
        rows, start = self.chosen(rule, int(number)), time.process_time()
        true = np.full(len(self.new.true), NO_LABEL)
        if rule == "self":
            true[rows] = self.before[rows].argmax(axis=1)
        else:
            errors, rng = float(wrong.removesuffix("%")) / 100, np.random.default_rng(0)
            true[rows] = answered(self.new.true, rows, errors, len(self.labels), rng)
        model = self.model
        predictor = trained_on(
            self.predictor, model._network_spec, self.new._replace(true=true), self.old, model.settings_,
            model.weights_, model.counts_, TrainingLog(0),
        )  # fmt: skip
        seconds = time.process_time() - start
        kept = np.ones(len(true), bool)
        kept[rows if rule != "self" else []] = False
        after, every = self.predicted(predictor, self.new), np.ones(len(self.few.true), bool)
        return {
            "lines": len(rows),
            "labels": np.bincount(self.new.true[rows], minlength=len(self.labels)).tolist(),
            "cpu_seconds": round(seconds, 1),
            "before": self.scores(self.before, self.new, kept),
            "after": self.scores(after, self.new, kept),
            "old_before": self.scores(self.few_before, self.few, every)["important"],
            "old_after": self.scores(self.predicted(predictor, self.few), self.few, every)["important"],
        }


def table(found):
    """Return the gains by rule and number of lines: mean of the volumes, and the least."""
    rows = [
        "| Lines | Volumes | important F1 | gain | least | Nomenclature F1 | gain | least | old documents | CPU s |",
        "|---|" + "---:|" * 9,
    ]
    for what in dict.fromkeys(name for one in found.values() for name in one):
        runs = [one[what] for one in found.values() if what in one]
        cells = [what, str(len(runs))]
        for name in ("important", "Nomenclature"):
            before, after = (np.array([run[when][name] for run in runs]) for when in ("before", "after"))
            gains = after - before
            cells += [f"{before.mean():.3f} -> {after.mean():.3f}", f"{gains.mean():+.3f}", f"{gains.min():+.3f}"]
        cells.append(f"{np.mean([run['old_after'] - run['old_before'] for run in runs]):+.3f}")
        cells.append(f"{np.mean([run['cpu_seconds'] for run in runs]):.0f}")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def by_volume(found, what):
    """Return the scores of each volume, and whether the promise holds before and after."""
    rows = [
        "| Volume | important F1 | gain | Nomenclature F1 | gain | recall promised 0.95 | lines for it |",
        "|---|" + "---:|" * 6,
    ]
    for volume, one in found.items():
        if what not in one:
            continue
        before, after = one[what]["before"], one[what]["after"]
        cells = [volume]
        for name in ("important", "Nomenclature"):
            cells += [f"{before[name]:.3f} -> {after[name]:.3f}", f"{after[name] - before[name]:+.3f}"]
        cells.append(f"{before['promise']['recall']:.3f} -> {after['promise']['recall']:.3f}")
        cells.append(f"{before['promise']['share']:.1%} -> {after['promise']['share']:.1%}")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def main():
    """Measure the volumes; what the JSON file holds is not measured again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--dev", required=True)
    parser.add_argument("--models", type=Path, required=True, help="folder of models, VOLUME.skol")
    parser.add_argument("--volumes", nargs="+", help="all if not given")
    parser.add_argument("--plan", nargs="+", default=list(PLAN), help='such as "review 100", "random 100" or "self"')
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    corpus = {"train": arguments.train, "dev": arguments.dev}
    rows, labels = tasks.read_task(corpus, tasks.TASKS[0])
    found = json.loads(arguments.json.read_text("utf-8")) if arguments.json.exists() else {}
    for name in arguments.volumes or tasks.folds(corpus, "volumes"):
        missing = [what for what in arguments.plan if what not in found.get(name, {})]
        volume = Volume(name, rows, labels, arguments) if missing else None
        for what in missing:
            one = found.setdefault(name, {})[what] = volume.adapted(what)
            print(name, what, *(f"{one[w]['important']:.3f} {one[w]['Nomenclature']:.3f}" for w in ("before", "after")),
                  f"old {one['old_after'] - one['old_before']:+.3f} {one['cpu_seconds']} s", flush=True)  # fmt: skip
            arguments.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(f"\n{table(found)}\n\n{by_volume(found, arguments.plan[0])}")


if __name__ == "__main__":
    main()
