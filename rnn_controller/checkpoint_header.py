"""The header of a checkpoint: how objects are stored in it, and made from it again."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

import torch

from arm_env.arguments import choice
from arm_env.checked import with_present_names
from arm_env.dynamics.body import Body
from arm_env.dynamics.parameters import Arm, Parameters
from arm_env.envs.settings import as_orbit
from arm_env.envs.specifications import ORBITS, plain, revived
from arm_env.tasks.registry import TASKS, task_of_environment
from arm_env.tasks.task import Task
from rnn_controller.networks.equation_module import EquationConfig
from rnn_controller.networks.modules import NETWORKS, AnyConfig, build, config_type
from rnn_controller.validation import exactly, in_one_line, mapping

T = TypeVar("T")


class CheckpointError(ValueError):
    """An error that says why a file is not a usable checkpoint."""


class ClassError(CheckpointError):
    """An error that says that a class, which a file names, can't be imported here."""


def task_of(name: str, orbit: Task | None) -> Task:
    """Return the given orbit or task of a user, or else the registered task of that name."""
    return TASKS[name] if orbit is None else orbit


def task_and_orbit(task: Any, orbit: Any) -> tuple[str, Task | None]:
    """Return the name of a task, and the task itself if it differs from the registered one.

    A user may give a name, a name and an orbit, or the task itself. Raises ValueError otherwise.
    """
    own = task if orbit is None else orbit
    if isinstance(own, Task) and (own is task or task == task_of_environment(own.env_id).name):
        name = task_of_environment(own.env_id).name
        if own == TASKS[name]:
            return name, None
        if own.arguments:
            form("task", own)  # can be stored
            return name, own
    if isinstance(task, Task):
        raise ValueError(
            f"task must be {', '.join(TASKS)}, or one that its environment can be made for (an "
            f"orbit without another one, Follow with another band), not {in_one_line(task)}"
        )
    choice("task", task, TASKS)
    if orbit is None:
        return task, None
    if not TASKS[task].cyclic:
        raise ValueError(f"an orbit belongs to the task circle, not to {task}")
    orbit = as_orbit(orbit)
    if orbit == TASKS[task]:
        return task, None
    form("orbit", orbit)  # can be stored
    return task, orbit


def form(name: str, value: Any) -> dict[str, Any]:
    """Return the mapping that a file holds for an orbit, or for a network's configuration.

    Raises ValueError if the same object could not be made from it again.
    """
    told = plain(value)
    if isinstance(value, Parameters):
        address = f"{type(value).__module__}:{type(value).__qualname__}"
        told = {"kind": address, **told}
        again = stored_own(name, told, {}, Parameters)
        told = told if type(again) is type(value) and again == value else None
    if not isinstance(told, dict):
        raise ValueError(
            f"the {name} can't be stored: a checkpoint names its class, "
            f"{type(value).__qualname__}, as module:Class, so it must be a frozen dataclass "
            "at the top of a module, made from plain values only"
        )
    return told


def network_form(network: Any, task: Task, arm: Parameters) -> dict[str, Any]:
    """Return the mapping that a file holds for a network's configuration.

    Raises ValueError if the same network could not be made from it again.
    """
    config: Any = getattr(network, "config", None)
    if type(network) is NETWORKS.get(type(config)):
        return asdict(config)
    kind = type(network).__name__
    if not isinstance(config, EquationConfig):
        its = "without a config" if config is None else f"with a {type(config).__name__}"
        raise ValueError(
            f"a checkpoint can't hold this {kind} {its}: derive the network from "
            "EquationModule and its config from EquationConfig, both of rnn_controller"
        )
    told = form("network", config)
    again = build(config, task, arm, torch.Generator("cpu"))
    shapes = [
        {name: value.shape for name, value in n.state_dict().items()} for n in (network, again)
    ]
    if type(again) is not type(network) or shapes[0] != shapes[1]:
        raise ValueError(
            f"a checkpoint can't hold this {kind}: the build of its config makes another network"
        )
    return told


def arm_form(arm: Parameters) -> dict[str, Any]:
    """Return the mapping that a file holds for a body's parameters.

    It names their class, unless that is ``Arm``.
    """
    return asdict(arm) if type(arm) is Arm else form("arm", arm)


def stored_arm(values: Any, body: Body) -> Parameters:
    """Return the body's parameters that a file holds.

    Files of earlier versions have an arm with constant moment arms. Raises ValueError for fields
    that are missing, unknown or outside their range.
    """
    kind = type(body.parameters)
    if "kind" in mapping("arm", values) or kind is not Arm:
        return stored_own("arm", values, {}, kind)
    if "moment_arms" not in mapping("arm", values):
        return stored(Arm, "arm", values, later=("field",))
    no_field = Arm().field
    earlier = with_present_names(Arm, {"curl": 0.0, "field": no_field, "tone": 0.0, **values})
    geometry = {"moment_arms", "optimal_angles", "optimal_length"}
    new = {"path_offset", "path_slope", "path_curvature", "tendon_length"}
    exactly("arm", earlier, {f.name for f in fields(Arm)} - new | geometry)
    try:
        return Arm.with_constant_moment_arms(**earlier)
    except ValueError as error:
        raise ValueError(f"arm: {error}") from None


def stored_network(values: Any) -> AnyConfig:
    """Return the configuration of a network that a file holds."""
    if ":" in str(mapping("network", values).get("kind")):
        return stored_own("network", values, {}, EquationConfig)
    return stored(config_type(values), "network", values)


def stored_orbit(values: Any) -> Task:
    """Return the orbit, or another task of a user, that a file holds."""
    return stored_own("orbit", values, ORBITS, Task)


def stored_own(name: str, values: Any, kinds: Mapping[str, type], base: type[T]) -> T:
    """Return the object that a file holds as a mapping of its fields.

    Its class is one of the ``kinds``, or a user's class, named as ``module:Class``. It must be
    derived from ``base``. Raises ClassError if it can't be made.
    """
    kind = mapping(name, values).get("kind")
    try:
        made = revived(name, values, kinds, None, base)
    except Exception as error:  # whatever a module raises as it is imported
        raise ClassError(
            f"its {name} is of the class {kind!r}, which can't be made here: {in_one_line(error)}"
        ) from error
    assert isinstance(made, base)
    return made


def stored(kind: type[T], name: str, values: Any, later: tuple[str, ...] = ()) -> T:
    """Return a group of settings from a file.

    Raises ValueError unless the file holds every field, except those of ``later`` versions.
    """
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    values = with_present_names(kind, mapping(name, values))
    exactly(name, values, known - (set(later) - set(values)))
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
