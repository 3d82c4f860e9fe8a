"""Perturbations: mass and strength, force fields, a load, a delay, a push, a force channel.

Sources
-------
SM94   Shadmehr & Mussa-Ivaldi (1994), Adaptive representation of dynamics during learning of a
       motor task: viscous force fields on the reaching hand. Theirs is ``SADDLE``; the curl field
       is that of
TS99   Thoroughman & Shadmehr (1999), Electromyographic correlates of learning an internal model of
       reaching movements (13 N s/m).
PS12   Pruszynski & Scott (2012), Optimal feedback control and the long-latency stretch response.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from arm_env.arguments import SAME, same, shown
from arm_env.checked import Checked, OrMapping, fresh, group, within
from arm_env.dynamics.contacts import Channel, Push
from arm_env.dynamics.parameters import Arm, Pair

LONGEST_DELAY = 1.0  # [s]
# [N s/m] largest force along the velocity, which feeds energy into the arm, at a mass factor of 1
MOST_DRIVE = 16.0
SADDLE: tuple[Pair, Pair] = ((-10.1, -11.2), (-11.2, 11.1))
"""The viscous field B of Shadmehr & Mussa-Ivaldi (1994) [N s/m], F = B v: not a pure curl."""


@dataclass(frozen=True)
class Perturbation(Checked):
    """Changes of the arm that a controller is not told of; the default values change nothing.

    The observation and action spaces stay those of the unperturbed arm. Within the ranges given
    here, one or several at once, the default arm stays finite whatever the actions. Raises
    ValueError for a value outside its range.

    Attributes:
        mass: Factor on the mass and inertia of both links, 0.5 to 4. (The muscles of the human arm
            are too stiff for a lighter one: with a factor of 0.35 or less, steps of 5 ms diverge.)
        strength: Factor on the maximum force of every muscle, 0.05 to 2.
        curl: Viscous force field F = curl (v_y, −v_x) at the hand [N s/m], −200 to 200. Above 0 it
            pushes to the right of the movement (Shadmehr & Mussa-Ivaldi 1994; Thoroughman &
            Shadmehr 1999).
        field: Viscous field ((b11, b12), (b21, b22)) at the hand, F = B v with the hand's velocity
            v [m/s] and B [N s/m], −200 to 200 each. ``curl`` is added to it: it is the field
            ((0, curl), (−curl, 0)). The positive eigenvalues of its symmetric part, which feed
            energy into the arm, may add up to 16 N s/m times ``mass``. ``arm_env.SADDLE`` is the
            field of Shadmehr & Mussa-Ivaldi (1994).
        load: Point mass in the hand [kg], 0 to 10. Only its inertia acts, since the plane is
            horizontal.
        delay: Delay of the sensory signals [s], 0 to 1, a multiple of the control period. It is
            0.02 to 0.06 s in humans (Pruszynski & Scott 2012).
        push: A force on the hand for some time, an ``arm_env.Push`` or a mapping of its fields.
        channel: A force channel, which holds the hand on the line to a target, an
            ``arm_env.Channel`` or a mapping of its fields.
    """

    mass: float = within(1.0, 0.5, 4)
    strength: float = within(1.0, 0.05, 2)
    curl: float = within(0.0, -200, 200)
    field: tuple[Pair, Pair] = within(((0.0, 0.0), (0.0, 0.0)), -200, 200)
    load: float = within(0.0, 0, 10)
    delay: float = within(0.0, 0, LONGEST_DELAY)
    push: OrMapping[Push | None] = fresh(lambda: None)
    channel: OrMapping[Channel | None] = fresh(lambda: None)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, kind in (("push", Push), ("channel", Channel)):
            given = getattr(self, name)
            made = None if given is None else group(name, given, kind, kind())
            object.__setattr__(self, name, made)
        self._check_drive()

    def _check_drive(self) -> None:
        """Raise ValueError if the field feeds energy into the arm faster than its mass allows."""
        field = np.array(self.field)
        along = np.linalg.eigvalsh(field + field.T) / 2  # [N s/m] forces along the velocity
        drive, limit = float(along[along > 0].sum()), MOST_DRIVE * self.mass
        if drive > limit * (1 + SAME):
            raise ValueError(
                f"field must push along the hand's velocity with at most {limit:g} N s/m for a "
                f"mass of {self.mass:g}, or the arm runs away: the positive eigenvalues of the "
                f"symmetric part of {shown(self.field)} add up to {drive:.4g} N s/m"
            )

    @property
    def touches(self) -> bool:
        """Whether anything but the hand's own muscles holds or pushes it in episodes."""
        return self.push is not None or self.channel is not None

    def applied_to(self, arm: Any) -> Any:
        """Return the parameters ``arm`` with every change that is one of the body.

        The delay, the push and the channel are none. A load is applied as a forearm of another
        mass, centre of mass and inertia. Raises ValueError for the parameters of another body,
        unless nothing of it changes.
        """
        if replace(self, delay=0.0, push=None, channel=None) == Perturbation():
            return arm
        if not isinstance(arm, Arm):
            raise ValueError(
                "perturbation: only a delay works with every body; the other fields need the "
                f"parameters of an arm_env.Arm, not {type(arm).__name__}"
            )
        factors = (self.mass, self.strength, self.curl, self.load, self.field)
        return replace(arm, **perturbed_fields(arm, *factors))

    def delay_periods(self, control_period: float) -> int:
        """Return the delay as a number of control periods, ``control_period`` [s] each.

        Raises ValueError if it is not a whole number of them.
        """
        periods = round(self.delay / control_period)
        if not same(periods * control_period, self.delay):
            raise ValueError(
                f"a sensory delay is a multiple of the control period, {control_period} s here, "
                f"not {self.delay}"
            )
        return periods


NO_FIELD = ((0.0, 0.0), (0.0, 0.0))


def perturbed_fields(
    arm: Any, mass: Any, strength: Any, curl: Any, load: Any, field: Any = NO_FIELD
) -> dict[str, Any]:
    """Return the fields of an arm that a perturbation changes; numbers, or symbols of them.

    A load at the end of the forearm is a forearm of another mass, centre of mass and inertia.
    """
    upper, forearm = (mass * of_link for of_link in arm.mass)
    upper_inertia, inertia = (mass * about_joint for about_joint in arm.inertia)
    (upper_centre, centre), length = arm.centre_of_mass, arm.length[1]
    return {
        "mass": (upper, forearm + load),
        "centre_of_mass": (upper_centre, centre + load / (forearm + load) * (length - centre)),
        "inertia": (upper_inertia, inertia + load * length * length),
        "maximum_force": tuple(strength * force for force in arm.maximum_force),
        "curl": arm.curl + curl,
        "field": tuple(
            tuple(own + more for own, more in zip(*rows, strict=True))
            for rows in zip(arm.field, field, strict=True)
        ),
    }
