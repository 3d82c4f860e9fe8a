"""Code for the environments of one and of many arms: settings as attributes, specification."""

import copy
import difflib
import inspect
from dataclasses import fields
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from arm_env.arguments import shown
from arm_env.dynamics.body import Body
from arm_env.dynamics.parameters import CostWeights
from arm_env.dynamics.perturbations import Perturbation
from arm_env.envs.specifications import plain
from arm_env.tasks.registry import TASKS

SPACES = ("action_space", "observation_space", "single_action_space", "single_observation_space")


class Setting:
    """A setting as an attribute of an object that has a ``simulation``.

    It can be read. It can be set if ``reason`` is None; else AttributeError tells the reason. A new
    value is checked when it is set. It acts on all arms from the next reset of any of them.
    """

    def __init__(self, reason: str | None = None):
        self.reason = reason

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        return (
            self if instance is None else getattr(self._simulation_of(instance).coming, self.name)
        )

    def __set__(self, instance: Any, value: Any) -> None:
        if self.reason:
            raise AttributeError(
                f"{self.name} can't be set: {self.reason}; make another environment instead"
            )
        self._simulation_of(instance).change(**{self.name: value})

    def _simulation_of(self, instance: Any) -> Any:
        if "simulation" not in vars(instance):
            raise AttributeError(
                f"the setting {self.name} exists only after super().__init__(), which takes it as "
                "an argument"
            )
        return instance.simulation


class SettingsAsAttributes:
    """The attributes of an environment that has a ``simulation``.

    A subclass may have any other attribute. On the environments of this package itself, a name that
    is nearly that of a setting raises AttributeError.
    """

    simulation: Any
    _spec: EnvSpec | None = None

    task = Setting("observations, costs and compiled code belong to it")
    arm = Setting("the spaces belong to it (a perturbation changes the body alone)")
    control_period = Setting("noise, delays, commands and time limits are counted in it")
    weights = Setting()
    noise = Setting()
    schedule = Setting()
    perturbation = Setting()

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name in SETTINGS:
            if not hasattr(type(inspect.getattr_static(cls, name)), "__set__"):
                raise TypeError(
                    f"{name} in the body of {cls.__name__} would hide the setting and change "
                    f"nothing: give it to super().__init__({name}=...)"
                )

    def __setattr__(self, name: str, value: Any) -> None:
        if name in SPACES and not isinstance(value, gym.Space):
            raise ValueError(f"{name} must be a gymnasium.Space, not {shown(value)}")
        ours = type(self).__module__.partition(".")[0] == __name__.partition(".")[0]
        if ours and name[0] != "_" and not hasattr(self, name):
            hint = meant(name)
            if hint:
                raise AttributeError(f"the environment has no attribute {name!r} to set{hint}")
        super().__setattr__(name, value)

    @property
    def spec(self) -> EnvSpec | None:
        """Specification by which ``gymnasium.make`` made the environment.

        Its arguments have the plain form that JSON takes.
        """
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = copy.copy(spec)
        if self._spec is not None:
            self._spec.kwargs = plain(self._spec.kwargs)


GROUPS: dict[str, Any] = {"perturbation": Perturbation, "weights": CostWeights}
"""Groups of settings by name; ``arm``, the body's parameters, is another group."""
SETTINGS = [
    name for name, value in vars(SettingsAsAttributes).items() if isinstance(value, Setting)
]


def meant(name: str) -> str:
    """Return a hint at the setting whose name was perhaps misspelt, or an empty text."""
    near = difflib.get_close_matches(name, SETTINGS, 1, 0.8)
    return f": did you mean {near[0]}?" if near else ""


def refuse_unknown(settings: dict[str, Any], env_class: type, body: Body) -> None:
    """Raise TypeError if there are arguments that an environment does not take."""
    # ids of environments by the arguments that no other environment takes
    owners = {name: task.env_id for task in TASKS.values() for name in task.argument_names}
    groups = {**GROUPS, "arm": type(body.parameters)}
    for name, value in settings.items():
        if name in SETTINGS and name != "task":
            continue
        near = difflib.get_close_matches(
            name, [*SETTINGS, "muscle_info", "render_mode", *owners], 1, 0.6
        )
        hint = f": did you mean {near[0]}?" if near and near != [name] else ""
        hint = f" (it is an argument of {owners[name]})" if name in owners else hint
        for group, kind in groups.items():
            if name in {f.name for f in fields(kind)}:
                hint = f": did you mean {group}={{{name!r}: {shown(value)}}}?"
                break
        # These are Python's own words, for which libraries such as TorchRL look.
        raise TypeError(f"{env_class.__name__}() got an unexpected keyword argument {name!r}{hint}")
