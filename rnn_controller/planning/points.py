"""Files of points: a line x, y [m] for each, as a spreadsheet writes them."""

import csv
import math
from pathlib import Path

import numpy as np

FORM = "a point x, y in metres from the shoulder a line"


def read_points(path: Path | str) -> np.ndarray:
    """Return the points [m], (n, 2), of a CSV file with a point x, y a line.

    The first line may be a header without numbers. Empty lines and lines that begin with # are left
    out. Commas, semicolons, tabs and spaces separate the numbers. Raises ValueError for any other
    line, and if there is no file of text. Raises OSError if it can't be read.
    """
    path = Path(path)
    if path.is_dir() or not path.exists():
        fault = f"{path} is a folder" if path.is_dir() else f"there is no file {str(path)!r}"
        raise ValueError(f"{fault}: a curve is a file with {FORM}")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text file: a curve is a file with {FORM}") from None
    points: list[tuple[float, float]] = []
    first = True
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = _parts(line)
        values = [_number(part) for part in parts]
        if len(values) == 2 and np.isfinite(values).all():
            points.append((values[0], values[1]))
        elif not first or np.isfinite(values).any():
            raise ValueError(
                f"{path}, line {number}: a point is two numbers x, y in metres such as 0.1, 0.42, "
                f"not {line.strip()[:60]!r}"
            )
        first = False
    if not points:
        raise ValueError(f"{path} holds no points: write {FORM}")
    return np.array(points)


def _number(text: str) -> float:
    """Return the number that a text is, NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _parts(line: str) -> list[str]:
    for separator in ",;\t":
        if separator in line:
            return next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    return line.split()
