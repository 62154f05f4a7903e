"""Documents with a label that the model does not know: the advice is an option, and the option works."""

from __future__ import annotations

import json

import pytest
from commands import skol
from toy import LABELS, toy_table

from skol_rnn import RNNSkolModel, load_model
from skol_rnn.errors import DataError


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Return a model that was trained without ``other``, and a file with a label that it does not know."""
    folder = tmp_path_factory.mktemp("other")
    RNNSkolModel(preset="instant", validation_fraction=0, verbosity=0).fit(toy_table(4)).save(folder / "model")
    rows = toy_table(1, seed=9)
    rows.loc[rows.index[rows["label"] == "Misc"][:3], "label"] = "Figure"
    lines = zip(rows["value"], rows["label"], strict=True)
    (folder / "a.txt.ann").write_text("".join(f"[@{text}#{label}*]\n" for text, label in lines))
    return folder / "model", folder / "a.txt.ann"


COMMANDS = [["evaluate"], ["report", "--out"], ["review", "start", "--out"]]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_count_unknown_labels_as_one_of_the_model(places, words, tmp_path, capsys):
    words = [*words, *([tmp_path / "new"] if "--out" in words else []), *places]
    assert skol(*words) == 3
    error = capsys.readouterr().err
    assert "'Figure'" in error and "Give --other Misc" in error and "other=" not in error
    assert skol(*words, "--other", "Mics") == 2
    assert "--other must be a label of the model" in capsys.readouterr().err
    assert skol(*words, "--other", "Misc") == 0


def test_models_do_so_too(places, capsys):
    model, file = load_model(places[0]), places[1]
    with pytest.raises(DataError, match="other='Misc'"):
        model.evaluate(file)
    found = model.evaluate(file, other="Misc")
    assert found.labels.names == tuple(sorted(LABELS)) and found.support.sum() == 40
    assert model.predicted(file, other="Misc").evaluation.macro_f1 == found.macro_f1
    assert skol("evaluate", *places, "--other", "Misc", "--json") == 0
    assert json.loads(capsys.readouterr().out)["macro_f1"] == pytest.approx(found.macro_f1)
    with pytest.raises(ValueError, match=r"other must be a label of the model: .*Did you mean 'Misc'"):
        model.compare_decisions(file, other="Mics")
