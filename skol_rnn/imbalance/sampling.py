"""How training data are drawn, as a model is told it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from skol_rnn.imbalance.draws import check_between, check_whole, draw_oversampled, draw_stratified
from skol_rnn.imbalance.rare import named_labels, rare_labels_among
from skol_rnn.labels import suggestion

SCHEMES: Mapping[str, tuple[str, ...]] = {
    "oversample": ("rare_label", "min_count", "replication_factor"),
    "stratify": ("rare_label", "min_count", "fraction", "seed"),
    "rare_windows": ("rare_label", "boost"),
}
"""The sampling schemes, and the options that each of them uses."""


@dataclass(frozen=True)
class Sampling:
    """How training data are drawn."""

    name: str
    rare_label: str | tuple[str, ...] | None = None
    min_count: int = 1
    replication_factor: int = 5
    fraction: float = 0.5
    boost: float = 4.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in SCHEMES:
            hint = suggestion(str(self.name), SCHEMES)
            raise ValueError(f"sampling must be one of {', '.join(SCHEMES)}, but is {self.name!r}.{hint}")
        if self.rare_label is not None:
            named_labels(self.rare_label)
        check_whole("min_count", self.min_count, 1)
        check_whole("replication_factor", self.replication_factor, 1)
        check_whole("seed", self.seed, 0)
        check_between("fraction", self.fraction, 0.0, 1.0)
        check_between("boost", self.boost, 1.0, 1e6)

    @classmethod
    def parse(cls, spec: str | Mapping[str, Any] | None) -> Sampling | None:
        """Read what a model is given as ``sampling``."""
        if spec is None:
            return None
        if isinstance(spec, str):
            return cls(spec)
        if not isinstance(spec, Mapping) or "name" not in spec:
            raise ValueError(f"sampling must be {', '.join(SCHEMES)}, or a dict with such a 'name', but is {spec!r}.")
        scheme = cls(spec["name"])
        options = {key: value for key, value in spec.items() if key != "name"}
        _check_options(scheme.name, options)
        if isinstance(options.get("rare_label"), (list, tuple)):
            options["rare_label"] = tuple(options["rare_label"])
        return cls(scheme.name, **options)

    def draw(self, doc_ids: Iterable[str], labels: Iterable[str | None]) -> list[tuple[str, str]]:
        """Draw the documents to train on."""
        if self.name == "oversample":
            return draw_oversampled(doc_ids, labels, self.rare_label, self.min_count, self.replication_factor)
        if self.name == "stratify":
            return draw_stratified(doc_ids, labels, self.rare_label, self.min_count, self.fraction, self.seed)
        return [(doc_id, doc_id) for doc_id in dict.fromkeys(doc_ids)]

    def labels_among(self, labels: Iterable[str | None]) -> list[str]:
        """Return the names of the rare labels."""
        return rare_labels_among(labels, self.rare_label)


def _check_options(scheme: str, options: Mapping[str, Any]) -> None:
    for key in options:
        if key in SCHEMES[scheme]:
            continue
        users = [name for name, used in SCHEMES.items() if key in used]
        if users:
            raise ValueError(f"{key!r} is an option of sampling {' and '.join(users)}; {scheme} would not use it.")
        raise ValueError(
            f"Unknown sampling option {key!r}; those of {scheme} are {', '.join(SCHEMES[scheme])}."
            f"{suggestion(str(key), SCHEMES[scheme])}"
        )
