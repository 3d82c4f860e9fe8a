"""Perturbations of the arm: its mass and strength, a force field, a load, a sensory delay.

Sources
-------
SM94   Shadmehr & Mussa-Ivaldi (1994), Adaptive representation of dynamics during learning of a
       motor task: viscous force fields on the reaching hand. Theirs is a saddle; the curl field is
       that of
TS99   Thoroughman & Shadmehr (1999), Electromyographic correlates of learning an internal model of
       reaching movements (13 N s/m).
PS12   Pruszynski & Scott (2012), Optimal feedback control and the long-latency stretch response.
"""

from dataclasses import dataclass, replace
from typing import Any

from arm_env.arguments import same
from arm_env.checked import Checked, within
from arm_env.dynamics.parameters import Arm

LONGEST_DELAY = 1.0  # [s]


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
        load: Point mass in the hand [kg], 0 to 10. Only its inertia acts, since the plane is
            horizontal.
        delay: Delay of the sensory signals [s], 0 to 1, a multiple of the control period. It is
            0.02 to 0.06 s in humans (Pruszynski & Scott 2012).
    """

    mass: float = within(1.0, 0.5, 4)
    strength: float = within(1.0, 0.05, 2)
    curl: float = within(0.0, -200, 200)
    load: float = within(0.0, 0, 10)
    delay: float = within(0.0, 0, LONGEST_DELAY)

    def applied_to(self, arm: Any) -> Any:
        """Return the parameters ``arm`` with every change except the delay, which is no body's.

        A load is applied as a forearm of another mass, centre of mass and inertia. Raises
        ValueError for the parameters of another body, unless the delay is the only change.
        """
        if replace(self, delay=0.0) == Perturbation():
            return arm
        if not isinstance(arm, Arm):
            raise ValueError(
                "perturbation: only the delay works with every body; the other fields need the "
                f"parameters of an arm_env.Arm, not {type(arm).__name__}"
            )
        changed = perturbed_fields(arm, self.mass, self.strength, self.curl, self.load)
        return replace(arm, **changed)

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


def perturbed_fields(arm: Any, mass: Any, strength: Any, curl: Any, load: Any) -> dict[str, Any]:
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
    }
