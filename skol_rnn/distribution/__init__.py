"""How often each label occurs, and in how many documents: what to look at before choosing weights."""

from __future__ import annotations

from skol_rnn.distribution.chart import distribution_chart, save_distribution_chart
from skol_rnn.distribution.counts import (
    Imbalance,
    by_type,
    imbalance,
    is_bio,
    label_counts,
    label_distribution,
)
from skol_rnn.distribution.reading import is_counts_file, read_counts
from skol_rnn.distribution.remarks import distribution_json, distribution_warnings
from skol_rnn.distribution.tables import distribution_table, table_width, type_table, weight_tables

__all__ = [
    "Imbalance",
    "by_type",
    "distribution_chart",
    "distribution_json",
    "distribution_table",
    "distribution_warnings",
    "imbalance",
    "is_bio",
    "is_counts_file",
    "label_counts",
    "label_distribution",
    "read_counts",
    "save_distribution_chart",
    "table_width",
    "type_table",
    "weight_tables",
]
