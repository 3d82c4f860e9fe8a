"""A recording as a DataFrame, a Dataset and files; pandas and xarray are imported when needed."""

import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from arm_env.arguments import shown
from arm_env.extras import needed
from arm_env.files import whole_file
from arm_env.tasks.variables import SENSES, Labels, Variable, command_variable

EXTRA = "data"
ARRAYS = ("states", "commands", "actions", "rewards", "hand", "velocity")
OF_PERIODS = ("commands", "actions", "rewards")
PERHAPS = ("neural_states", "senses", "hand_force")
ABOUT = "recording"
"""Entry of a file that holds, as JSON, what is not in an array."""
ROWS = 10_000  # of a CSV file that are written at once

DIGITS = "%.9g"  # of a CSV file: as many as tell apart all numbers of float32

Progress = Callable[[Iterable[Any]], Iterable[Any]]


def column(variable: Variable, component: str | int | None = None) -> str:
    """Return a column's name, an identifier: those of variable and component, and the unit."""
    unit = "" if variable.unit == "1" else variable.unit
    parts = [variable.name, "" if component is None else str(component), unit]
    return "_".join(re.sub(r"\W+", "_", part).strip("_") for part in parts if part.strip("_%"))


def columns(recording: Any) -> dict[str, tuple[np.ndarray, str]]:
    """Return the columns of the tidy table and their units, by name: B (T + 1) rows, (n,) each."""
    instants, episodes = recording.states.shape[:2]
    found = {
        "episode": (np.repeat(np.arange(episodes), instants), "1"),
        "time_s": (np.tile(recording.time, episodes), "s"),
    }
    for variable in recording.variables():
        each = variable.values if variable.dimension else variable.values[..., None]
        for i, component in enumerate(variable.components or (None,)):
            found[column(variable, component)] = (each[..., i].T.ravel(), variable.unit)
    return found


def dataframe(recording: Any) -> Any:
    """Return the DataFrame of ``Recording.to_dataframe``."""
    pandas = needed("pandas", EXTRA, "a DataFrame")
    found = columns(recording)
    table = pandas.DataFrame({name: values for name, (values, _) in found.items()})
    units = {name: unit for name, (_, unit) in found.items()}
    table.attrs = {"units": units, **recording.source}
    return table


def dataset(recording: Any) -> Any:
    """Return the Dataset of ``Recording.to_xarray``."""
    xarray = needed("xarray", EXTRA, "a Dataset")
    coordinates: dict[str, Any] = {
        "time": ("time", recording.time, {"units": "s", "long_name": "time since the start"}),
        "episode": ("episode", np.arange(recording.states.shape[1]), {"long_name": "episode"}),
    }
    variables = {}
    for v in recording.variables():
        dimensions = ["time", "episode"]
        if v.dimension:
            dimensions.append(v.dimension)
            coordinates[v.dimension] = (v.dimension, np.array(v.components))
        units = {"units": v.unit} if v.unit else {}
        variables[v.name] = (dimensions, v.values, {"long_name": v.meaning, **units})
    plain = {
        name: value
        for name, value in recording.source.items()
        if isinstance(value, str | int | float)
    }
    attributes = {"control_period": recording.control_period, **plain, ABOUT: _about(recording)}
    return xarray.Dataset(variables, coordinates, attributes)


def _about(recording: Any) -> str:
    return json.dumps(
        {
            "control_period": recording.control_period,
            "labels": asdict(recording.labels),
            "source": dict(recording.source),
        }
    )


def _fields(about: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    told = json.loads(about)
    labels = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in told["labels"].items()
    }
    return {
        **arrays,
        "control_period": told["control_period"],
        "labels": Labels(**labels),
        "source": told["source"],
    }


def check_format(path: Path | str) -> Path:
    """Return the path, if a recording can be written in the format that its suffix says.

    Raises ValueError for another suffix, and ImportError without the packages of the format.
    """
    path = Path(path)
    packages = PACKAGES.get(path.suffix.lower())
    if packages is None:
        raise ValueError(
            f"a recording is written as {', '.join(list(PACKAGES)[:-1])} or {list(PACKAGES)[-1]}, "
            f"not as {shown(str(path))}"
        )
    for package in packages:
        needed(package, EXTRA, f"a {path.suffix.lower()} file")
    return path


def save(recording: Any, path: Path | str, progress: Progress = iter) -> Path:
    """Write a recording, as ``Recording.save`` says."""
    path = check_format(path)
    with whole_file(path) as partial:
        WRITERS[path.suffix.lower()](recording, partial, progress)
    return path


def _save_npz(recording: Any, path: Path, progress: Progress) -> None:
    found = {name: getattr(recording, name) for name in (*ARRAYS, *PERHAPS)}
    arrays: dict[str, Any] = {name: array for name, array in found.items() if array is not None}
    arrays[ABOUT] = np.array(_about(recording))
    with path.open("wb") as file:  # an open file, since savez would add a suffix to a name
        np.savez(file, **arrays)


def _save_netcdf(recording: Any, path: Path, progress: Progress) -> None:
    data = dataset(recording)
    for name in data.variables:
        data[name].encoding["_FillValue"] = None  # NaN stays as it is
    data.to_netcdf(path, engine="h5netcdf")


def _save_csv(recording: Any, path: Path, progress: Progress) -> None:
    names, found = zip(*columns(recording).items(), strict=True)
    table = [values for values, _ in found]
    # one format for a whole row takes a quarter of the time of the csv module
    row = ",".join(["%d", *[DIGITS] * (len(names) - 1)]) + "\n"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(names) + "\n")
        for start in progress(range(0, len(table[0]), ROWS)):
            block = np.column_stack([values[start : start + ROWS] for values in table])
            lines = "".join([row % tuple(numbers) for numbers in block.tolist()])
            file.write(lines.replace("nan", ""))  # an empty cell


PACKAGES: dict[str, tuple[str, ...]] = {
    ".npz": (),
    ".nc": ("xarray", "h5netcdf"),
    ".csv": (),
}
"""The packages that each format needs, by its suffix."""
WRITERS = {".npz": _save_npz, ".nc": _save_netcdf, ".csv": _save_csv}


def load(path: Path | str) -> dict[str, Any]:
    """Return the fields of the recording that a file holds, as ``Recording.load`` says.

    Raises ValueError for a file that holds none, and FileNotFoundError if there is none.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"a recording is read from .npz or .nc, not from {shown(str(path))}"
            + ("; pandas.read_csv reads the table" if path.suffix.lower() == ".csv" else "")
        )
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    return reader(path)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Raise ValueError for a file that holds no recording."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, zipfile.BadZipFile, EOFError) as error:
        raise ValueError(
            f"{str(path)!r} is no recording that Recording.save wrote: {error}"
        ) from error


def _load_npz(path: Path) -> dict[str, Any]:
    if not zipfile.is_zipfile(path):  # numpy would speak of pickles
        raise ValueError(f"{str(path)!r} is no .npz file, or a damaged one")
    with _explained(path), np.load(path, allow_pickle=False) as file:
        names = [*ARRAYS, *(name for name in PERHAPS if name in file)]
        return _fields(str(file[ABOUT]), {name: file[name] for name in names})


def _load_netcdf(path: Path) -> dict[str, Any]:
    xarray, _ = (needed(package, EXTRA, "a .nc file") for package in PACKAGES[".nc"])
    try:
        data = xarray.load_dataset(path, engine="h5netcdf", decode_cf=False)
    except OSError as error:
        raise ValueError(f"{str(path)!r} is no netCDF file: {error}") from error
    with _explained(path):
        labels = json.loads(data.attrs[ABOUT])["labels"]
        commands = [command_variable(name) for name in labels["commands"]]
        arrays = {
            "states": _joined(data, "joint_angle", "joint_velocity", "activation"),
            "commands": np.stack([data[name].values[:-1] for name in commands], axis=-1),
            "actions": data["action"].values[:-1],
            "rewards": data["reward"].values[:-1],
            "hand": data["hand"].values,
            "velocity": data["hand_velocity"].values,
        }
        senses = [f"muscle_{signal}" for signal in SENSES]
        if senses[0] in data:
            arrays["senses"] = _joined(data, *senses)
        if "neural_state" in data:
            arrays["neural_states"] = data["neural_state"].values
        if "hand_force" in data:
            arrays["hand_force"] = data["hand_force"].values
        return _fields(data.attrs[ABOUT], arrays)


def _joined(data: Any, *names: str) -> np.ndarray:
    return np.concatenate([data[name].values for name in names], axis=-1)


READERS = {".npz": _load_npz, ".nc": _load_netcdf}
