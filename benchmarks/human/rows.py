"""Rows of the table: a quantity of the model, that of people, and a verdict."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.csv_files import write_csv

LIKE, PARTLY, UNLIKE = "like people", "partly", "not like people"
READ = "read in the abstract"
MEMORY = "from memory of the paper, not checked"

Range = tuple[float, float]
Values = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Row:
    """One quantity of the model beside that of people.

    Attributes:
        experiment: Name of the experiment.
        quantity: Name of the quantity.
        unit: Unit, empty for a pure number.
        value: Value of the model.
        low: Least of the values that ``over`` names.
        high: Largest of these values.
        over: What the values differ in, such as directions or networks.
        people: The human number or finding, in words.
        source: Paper, with the table or figure and the protocol.
        checked: How the human number was checked.
        verdict: like people, partly, or not like people.
        why: The reason, in a sentence.
    """

    experiment: str
    quantity: str
    unit: str
    value: float
    low: float
    high: float
    over: str
    people: str
    source: str
    checked: str
    verdict: str
    why: str

    @property
    def shown(self) -> str:
        """Value with its unit and range, as the table shows them."""
        unit = f" {self.unit}" if self.unit else ""
        if self.low == self.high:
            return f"{rounded(self.value)}{unit}"
        spread = f"{rounded(self.low)} to {rounded(self.high)}, {self.over}"
        return f"{rounded(self.value)}{unit} ({spread})"


@dataclass(frozen=True)
class Source:
    """Where a human number is from, and how it was checked."""

    text: str
    checked: str


def rounded(value: float) -> str:
    """Return a number with three significant digits, two from 0.1 to 10, and none above 100."""
    if not np.isfinite(value):
        return "none" if np.isnan(value) else "infinite"
    size = abs(value)
    digits = 0 if size >= 20 else 1 if size >= 10 else 2
    text = f"{value:.{digits}f}"
    return "0" if float(text) == 0 and size < 5e-4 else text if float(text) else f"{value:.1g}"


def judged(values: Values, like: Range, partly: Range) -> str:
    """Return the verdict on values: directions, places or networks.

    They are like people if three quarters of them lie in the range ``like``, and partly if half of
    them lie in the wider range ``partly``.
    """
    array = np.asarray(values, dtype=float)

    def share(limits: Range) -> float:
        return float(((array >= limits[0]) & (array <= limits[1])).mean())

    if share(like) >= 0.75:
        return LIKE
    return PARTLY if share(partly) >= 0.5 else UNLIKE


def row(
    quantity: str,
    unit: str,
    values: Values,
    over: str,
    people: str,
    source: Source,
    limits: tuple[Range, Range],
    why: str,
) -> Row:
    """Return a row of the median and the range of values, with the verdict on them.

    ``limits`` are the ranges that count as like people and as partly. The name of the experiment is
    empty; whoever collects the rows of an experiment fills it in.
    """
    # six digits: the last bits differ between machines
    array = np.array([float(f"{value:.6g}") for value in np.ravel(values)])
    return Row(
        "", quantity, unit, float(np.median(array)), float(array.min()), float(array.max()), over,
        people, source.text, source.checked, judged(array, *limits), why,
    )  # fmt: skip


def to_csv(path: Path, rows: Iterable[Row]) -> Path:
    """Write the rows to a CSV file."""
    return write_csv(path, [asdict(row) for row in rows], [f.name for f in fields(Row)])


def read_csv(path: Path) -> list[Row]:
    """Return the rows of a CSV file that ``to_csv`` wrote, or none if there is no file."""
    if not path.exists():
        return []
    numbers = ("value", "low", "high")

    def read(line: dict[str, Any]) -> Row:
        return Row(**{**line, **{name: float(line[name]) for name in numbers}})

    with path.open(newline="") as file:
        return [read(line) for line in csv.DictReader(file)]


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table of rows of one experiment, and the list of its sources."""
    sources = list(dict.fromkeys((row.source, row.checked) for row in rows))
    lines = ["| quantity | model | people | verdict | why |", "|---|---|---|---|---|"]
    for row in rows:
        number = sources.index((row.source, row.checked)) + 1
        doubt = "" if row.checked == READ else ", from memory"
        people = f"{row.people} (source {number}{doubt})"
        lines.append(f"| {row.quantity} | {row.shown} | {people} | **{row.verdict}** | {row.why} |")
    lines += ["", "Sources:", ""]
    lines += [f"{i}. {source} ({checked})." for i, (source, checked) in enumerate(sources, 1)]
    return "\n".join(lines)
