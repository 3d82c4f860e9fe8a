"""What environments of one and of many arms have in common: settings as attributes, and a plain specification."""

import copy
import difflib
from typing import Any

from gymnasium.envs.registration import EnvSpec

from arm_env.specifications import plain


class Setting:
    """A setting as an attribute of whatever has a ``simulation``: it can be read, and set if ``reason`` is None.

    A new value is checked when it is set. It acts on all arms from the next reset of any of them.
    """

    def __init__(self, reason: str | None = None):
        self.reason = reason

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else getattr(instance.simulation.coming, self.name)

    def __set__(self, instance: Any, value: Any) -> None:
        if self.reason:
            raise AttributeError(f"{self.name} can't be set: {self.reason}; make another environment instead")
        instance.simulation.change(**{self.name: value})


class SettingsAsAttributes:
    """The attributes of an environment that has a ``simulation``.

    Names of one's own may be set; those that are nearly a setting's are refused.
    """

    simulation: Any
    _spec: EnvSpec | None = None

    task = Setting("observations, costs and compiled code belong to it")
    arm = Setting("the spaces belong to it (a perturbation changes the body alone)")
    control_period = Setting("noise, delays, commands and time limits are counted in it")
    weights, noise = Setting(), Setting()
    schedule, perturbation = Setting(), Setting()

    def __setattr__(self, name: str, value: Any) -> None:
        if not hasattr(self, name):
            meant = difflib.get_close_matches(name, SETTINGS, 1, 0.75)
            if meant:
                raise AttributeError(f"the environment has no attribute {name!r} to set: did you mean {meant[0]}?")
        super().__setattr__(name, value)

    @property
    def spec(self) -> EnvSpec | None:
        """What ``gymnasium.make`` made the environment by, its arguments in the plain form that JSON takes."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = copy.copy(spec)
        if self._spec is not None:
            self._spec.kwargs = plain(self._spec.kwargs)


SETTINGS = [name for name, value in vars(SettingsAsAttributes).items() if isinstance(value, Setting)]


def refuse(unknown: dict[str, Any], env_class: type) -> None:
    """Raise the TypeError of arguments that an environment does not take."""
    for name in unknown:
        meant = difflib.get_close_matches(name, [*SETTINGS, "render_mode", "orbit"], 1, 0.6)
        hint = f": did you mean {meant[0]}?" if meant and meant != [name] else ""
        hint = " (orbits belong to CircleArm-v0)" if name == "orbit" else hint
        # Python's own words, which libraries such as TorchRL look for.
        raise TypeError(f"{env_class.__name__}() got an unexpected keyword argument {name!r}{hint}")
