"""The tables of conversions in ``docs/formats.md`` are those that the package makes."""

from __future__ import annotations

import conversions

from skol_rnn.data.discovery import FORMATS


def test_the_page_says_what_conversions_lose():
    text = conversions.PAGE.read_text(encoding="utf-8")
    assert conversions.page(text) == text, "run: python tools/conversions.py"


def test_the_tables_have_all_formats_and_each_keeps_what_it_holds():
    holds, loses = conversions.measure()
    assert len(loses) == len(FORMATS) ** 2
    assert not any(loses[form, form] for form in FORMATS)
    for (source, target), lost in loses.items():
        assert lost <= holds[source] and not lost & holds[source] & holds[target], (source, target)
