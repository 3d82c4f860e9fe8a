"""Several controllers on the same movements, side by side."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from arm_env.arguments import shown
from arm_env.control.controllers import as_controller
from arm_env.evaluation import evaluate
from arm_env.extras import needed
from arm_env.tasks.measures import Measures


@dataclass(frozen=True)
class Comparison:
    """The measures of several controllers; ``print`` shows them as a table, side by side.

    Attributes:
        measures: Measures, such as ``ReachMeasures``, by the name of the controller.
    """

    measures: Mapping[str, Measures]

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the measures of each controller as a dict for JSON."""
        return {name: measures.as_dict() for name, measures in self.measures.items()}

    def to_dataframe(self) -> Any:
        """Return a pandas DataFrame with a row for each controller and a column for each measure.

        Raises ImportError without pandas.
        """
        pandas = needed("pandas", "data", "a DataFrame")
        rows = [asdict(measures) for measures in self.measures.values()]
        return pandas.DataFrame(rows, index=pandas.Index(self.measures, name="controller"))

    def __str__(self) -> str:
        values = {name: asdict(measures) for name, measures in self.measures.items()}
        rows = list(dict.fromkeys(row for measured in values.values() for row in measured))
        columns = [["", *rows]]
        for name, measured in values.items():
            columns.append([name, *(_shown(measured.get(row)) for row in rows)])
        width = [max(map(len, column)) for column in columns]
        lines = []
        for first, *others in zip(*columns, strict=True):
            cells = [cell.rjust(width[i]) for i, cell in enumerate(others, 1)]
            lines.append("  ".join([first.ljust(width[0]), *cells]))
        return "\n".join(lines)


def _shown(value: Any) -> str:
    if value is None:  # a measure of another task
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def compare(
    controllers: Mapping[str, Any],
    env_id: str = "ReachArm-v0",
    *,
    movements: int = 1000,
    seed: int = 0,
    noise: float = 0.2,
    **env_arguments: Any,
) -> Comparison:
    """Return the measures of several controllers on the same movements.

    ``controllers`` are objects with ``predict``, functions of the observations, or models of
    stable-baselines3, by the names that the table shows. All have the same starts, commands and
    noise. The other arguments are those of ``evaluate``. Raises ValueError as ``evaluate`` does,
    and before any movement if one of the controllers is none.

    >>> print(compare({"network": load("reach"), "joint PD": JointPD()}, movements=100))
    """
    if not isinstance(controllers, Mapping) or not controllers:
        raise ValueError(
            'controllers must be a mapping of names to controllers, such as {"PD": JointPD()}, '
            f"not {shown(controllers)}"
        )
    names = [str(name) for name in controllers]
    if len(set(names)) < len(names):
        raise ValueError(f"the names of controllers must differ, not {shown(list(controllers))}")
    for name, controller in controllers.items():
        try:
            as_controller(controller)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    arguments = {"movements": movements, "seed": seed, "noise": noise, **env_arguments}
    return Comparison(
        {
            str(name): evaluate(controller, env_id, **arguments)
            for name, controller in controllers.items()
        }
    )
