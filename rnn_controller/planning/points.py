"""Files of points: a line x, y [m] for each, as a spreadsheet writes them."""

import csv
import math
from pathlib import Path

import numpy as np


def read_points(path: Path | str) -> np.ndarray:
    """Return the points [m], (n, 2), of a CSV file with a point x, y a line.

    The first line may be a header without numbers. Empty lines and lines that begin with # are left
    out. Commas, semicolons, tabs and spaces separate the numbers. Raises ValueError for any other
    line, and OSError for a file that can't be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text file of points x, y") from None
    points: list[list[float | None]] = []
    first = True
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = _parts(line)
        header = first and all(_number(part) is None for part in parts)
        first = False
        if header:
            continue
        point = [_number(part) for part in parts]
        if len(point) != 2 or not all(
            value is not None and math.isfinite(value) for value in point
        ):
            raise ValueError(
                f"{path}, line {number}: a point is two numbers x, y in metres, not "
                f"{line.strip()[:60]!r}"
            )
        points.append(point)
    if not points:
        raise ValueError(f"{path} holds no points: write a point x, y in metres a line")
    return np.array(points, dtype=float)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _parts(line: str) -> list[str]:
    for separator in ",;\t":
        if separator in line:
            return next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    return line.split()
