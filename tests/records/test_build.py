"""Labelled lines become records: where one begins, what belongs to it, how its text is joined, and what is flagged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skol_rnn import DataError, Document, JoiningRules, records
from skol_rnn.records.build import LabelledLines, build_records

NAMES = {"N": "Nomenclature", "D": "Description", "M": "Misc", "-": None}


def built(*lines: str, rules: JoiningRules | None = None, probability=None):
    """Build the records of lines such as "N Fusella minor"; an empty one is blank, "^" begins a page."""
    text, labels = [], []
    for line in lines:
        if line:
            labels.append(NAMES[line[0]])
        text.append(line[2:])
    document = Document("a", "\n".join(text).replace("^", "\f"), tuple(labels))
    found = LabelledLines.of(document, document.labels, probability)
    return build_records(found, "Nomenclature", ["Description"], rules)


def text_of(*lines: str, **more) -> str:
    (record,) = built("N Fusella minor", *lines, **more)
    return record.texts["Description"]


def names_of(*lines: str, **more) -> list[str]:
    return [record.texts["Nomenclature"] for record in built(*lines, **more)]


def test_a_record_is_a_name_and_what_follows_it():
    one, two = built(
        "M Taxonomy", "", "N Fusella minor", "", "M Fig. 1", "D Pileus red.", "", "N Fusella nova", "D Blue."
    )
    assert (one.document, one.record, one.begin_line, one.end_line) == ("a", 1, 3, 6)
    assert one.texts == {"Nomenclature": "Fusella minor", "Description": "Pileus red."}
    assert one.lines == {"Nomenclature": (3,), "Description": (6,)}
    assert two.to_dict()["lines"] == "8-9"
    text = "\n".join(["Taxonomy", "", "Fusella minor", "", "Fig. 1", "Pileus red.", "", "Fusella nova", "Blue."])
    assert text[one.start : one.end] == "Fusella minor\n\nFig. 1\nPileus red."
    assert not one.flags


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        # Two names are two records, synonyms belong to one.
        (["N Fusella minor", "", "N Fusella nova"], ["Fusella minor", "Fusella nova"]),
        (["N Fusella minor", "", "N = Agaricus minor"], ["Fusella minor\n= Agaricus minor"]),
        (["N Fusella minor", "M MycoBank", "N ≡ Agaricus minor"], ["Fusella minor\n≡ Agaricus minor"]),
        (["N Fusella minor", "", "N Basionym: Agaricus minor"], ["Fusella minor\nBasionym: Agaricus minor"]),
        (["N Fusella minor", "N Mycol. 12: 1. 1900."], ["Fusella minor Mycol. 12: 1. 1900."]),
        (["N Fusella minor, Ann.", "", "N nat. 3."], ["Fusella minor, Ann. nat. 3."]),
        # A running heading repeats the name.
        (["N Fusella minor — Fig. 1", "", "N Fusella minor Fr., Syst. 1."], ["Fusella minor — Fig. 1\nFusella minor Fr., Syst. 1."]),
        (["N 2. Fusella minor", "N Fusella minor Fr."], ["2. Fusella minor\nFusella minor Fr."]),
        # A page break within a name.
        (["N ≡ Fusella minor Fr. &", "", "M ^Notes 12", "N Kumm., Führ. 3."], ["≡ Fusella minor Fr. & Kumm., Führ. 3."]),
        (["N Fusella minor Fr., Syst. 1:", "M 12.", "N Fusella nova Fr."], ["Fusella minor Fr., Syst. 1:", "Fusella nova Fr."]),
        # What follows a description is another treatment.
        (["N Fusella minor", "D Red.", "N = Agaricus minor"], ["Fusella minor", "= Agaricus minor"]),
        # Many lines between two blocks are no page break.
        (["N Fusella minor", *["M text"] * 5, "N = Agaricus minor"], ["Fusella minor", "= Agaricus minor"]),
    ],
)  # fmt: skip
def test_where_a_record_begins(lines, names):
    assert names_of(*lines) == names


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ("pileus ob-", "tuse", "pileus obtuse"),
        ("hyphae thick-", "walled", "hyphae thick-walled"),
        ("basidia 4-", "spored", "basidia 4-spored"),
        ("seta 4-", "sporigera", "seta 4-sporigera"),
        ("spores 7-", "13 µm", "spores 7-13 µm"),
        ("spores 70–", "100 µm", "spores 70–100 µm"),
        ("spores 4(–", "9) µm", "spores 4(–9) µm"),
        ("thin-", "to thick-walled", "thin- to thick-walled"),
        ("Azcón-", "Aguilar", "Azcón-Aguilar"),
        ("cap red —", "not blue", "cap red — not blue"),
        ("pil\u00adeus ob\u00ad", "tuse", "pileus obtuse"),
        ("pileus ob¬", "tuse", "pileus obtuse"),
        ("pileus  red", "  and blue", "pileus red and blue"),
    ],
)
def test_hyphens_at_line_ends(first, second, text):
    assert text_of(f"D {first}", f"D {second}") == text


def test_a_hyphen_stays_where_the_document_writes_the_word_so():
    assert text_of("D A watery-", "D cream cap.").startswith("A waterycream")
    assert text_of("D Cream caps are watery.", "D A watery-", "D cream cap.").endswith("A watery-cream cap.")
    assert text_of("D Some times sometimes.", "D It is some-", "D times red.").endswith("It is sometimes red.")
    assert text_of("D A melon-like, jig-saw cap.", "D A jig-", "D saw cap.").endswith("A jig-saw cap.")


def test_page_headers_numbers_and_figures_are_left_out():
    lines = ["D Pileus red and", "D ^ 140 ... Singh & Kumar", "D ob-", "D 141", "", "M ^Fungi of India", "D tuse."]
    assert text_of(*lines) == "Pileus red and obtuse."
    assert text_of("D Fig. 2", "D Red.", "D (Figs 3–4, 6)", "D MycoBank MB 561001", "D Blue.") == "Red.\nBlue."
    # In the middle of a page, a line with a number is text.
    assert text_of("D Red.", "D Species 12") == "Red. Species 12"


def test_paragraphs_stand_on_lines_of_their_own():
    assert text_of("D Latin.", "", "M Type.", "D English.") == "Latin.\nEnglish."
    assert text_of("D The cap", "", "M Page 3", "D is red.") == "The cap is red."
    assert text_of("D The cap", "M Page 3", "D Is red.") == "The cap Is red."


@pytest.mark.parametrize(
    ("lines", "flags"),
    [
        (["D Pileus red."], ["no name"]),
        (["N Fusella minor"], ["name only"]),
        (["N comb. nov.", "D Red."], ["no name"]),
        (["N Fusella minor", "D Pileus red and"], ["ends in the middle of a sentence"]),
        (["N Fusella minor", "D pileus red."], ["begins in the middle of a sentence"]),
        (["N Fusella minor Fr.", "N Agaricus nova Fr.", "D Red."], ["two names"]),
        (["N Fusella minor Fr.", "N = Agaricus nova Fr.", "D Red."], []),
        (["N Fusella minor Fr.", "N Misapplied: Agaricus nova", "D Red."], []),
        (["N Fusella minor Boerema in", "N Dienst wageningen", "D Red."], []),
        (["N 1. Fusella minor — Fig. 1", "N Fusella minor Fr.", "D Red."], []),
        (["N Fusella minor", "D Red.", *["M text"] * 13, "D Blue."], ["interrupted"]),
    ],
)
def test_flags(lines, flags):
    (record,) = built(*lines)
    assert list(record.flags) == flags


def test_a_part_far_from_its_record_is_one_without_a_name():
    found = built("N Fusella minor", "D Red.", *["M text"] * 41, "D Blue.")
    assert [record.flags for record in found] == [(), ("no name",)]


def test_probabilities():
    (record,) = built("N Fusella minor", "M Fig. 1", "D Red.", probability=[0.9, 0.1, 0.4])
    assert (record.mean_probability, record.least_probability) == (0.65, 0.4)
    assert record.flags == ("uncertain",)
    assert not built("N Fusella minor", "D Red.", probability=[0.9, 0.6])[0].flags


def test_rules_are_values(tmp_path):
    lines = ["N Fusella minor", "", "N Syn: Agaricus minor", "M x", "M y", "D Red."]
    assert len(built(*lines)) == 2
    file = tmp_path / "rules.toml"
    file.write_text('continues = ["Syn:"]\npart_gap = 1\n', encoding="utf-8")
    found = built(*lines, rules=JoiningRules.from_file(file))
    assert [record.flags for record in found] == [("name only",), ("no name",)]
    assert len(built("N A x", "", "N = B y", rules=JoiningRules(continues=()))) == 2
    assert text_of("D Fig. 2", "D Red.", rules=JoiningRules(skip=())) == "Fig. 2 Red."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("part_gaps = 3", "there is no rule 'part_gaps'. Did you mean 'part_gap'?"),
        ("part_gap = -1", "The rule part_gap must be a whole number from 0 on, but is -1."),
        ("part_gap = true", "must be a whole number"),
        ("lower_case_continues = 1", "must be true or false"),
        ('skip = "x"', "The rule skip must be a list of texts"),
        ('skip = ["("]', "The rule skip has '(', which is not a regular expression: "),
        ('name = "["', "The rule name has '['"),
        ("least_probability = 2", "must be a number from 0 to 1"),
        ("part_gap =", "is not a TOML file"),
    ],
)
def test_a_wrong_rule_is_named(tmp_path, text, message):
    file = tmp_path / "rules.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as error:
        JoiningRules.from_file(file)
    assert message in str(error.value)
    assert str(file) in str(error.value)
    with pytest.raises(DataError, match="cannot be read"):
        JoiningRules.from_file(tmp_path / "none.toml")


LINES = st.lists(
    st.tuples(
        st.sampled_from("NDM-"),
        st.text(st.sampled_from("aB1 .-–=\u00ad¬é(\f"), min_size=1, max_size=8).filter(str.strip),
        st.booleans(),
    ),
    max_size=25,
)


@settings(max_examples=50)
@given(LINES)
def test_no_text_is_lost_and_none_is_made_up(lines):
    """Each line of a label is in one record, in order, and its visible characters but hyphens are in the text."""
    document = Document(
        "a", "\n".join("\n" * blank + text for _, text, blank in lines), tuple(NAMES[key] for key, _, _ in lines)
    )
    found = LabelledLines.of(document, document.labels, None)
    rules = JoiningRules(skip=(), page_line_characters=0)
    built = build_records(found, "Nomenclature", ["Description"], rules)
    numbers = [number for record in built for number in sorted(n for own in record.lines.values() for n in own)]
    wanted = [row for row, label in enumerate(document.labels) if label in ("Nomenclature", "Description")]
    assert numbers == [found.numbers[row] for row in wanted]

    def visible(text):
        return "".join(c for c in text if not c.isspace() and c not in "-\u00ad¬")

    for label in ("Nomenclature", "Description"):
        given = "".join(visible(found.values[row]) for row in wanted if document.labels[row] == label)
        assert "".join(visible(record.texts[label]) for record in built) == given
    for record in built:
        own = document.text[record.start : record.end]
        assert own.strip().startswith(document.text.split("\n")[record.begin_line - 1].strip()[:1])
        assert own.count("\n") == record.end_line - record.begin_line


def test_documents_of_one_line_and_without_a_label():
    document = Document("a", "Fusella minor", ("Nomenclature",))
    frame = records([document], begin="Nomenclature", parts="Description").to_frame()
    assert frame["flags"].tolist() == [["name only"]]
    empty = records([Document("a", "x")], begin="Nomenclature", parts="Description").to_frame()
    assert len(empty) == 0
    assert list(empty.columns) == list(frame.columns)
