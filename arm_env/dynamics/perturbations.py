"""What may be otherwise than what a controller was made for: body, force field, load, sensory
delay.

Sources
-------
SM94   Shadmehr & Mussa-Ivaldi (1994), Adaptive representation of dynamics during learning of a
       motor task: viscous force fields on the reaching hand. Theirs is a saddle; the curl field is
       that of
TS99   Thoroughman & Shadmehr (1999), Electromyographic correlates of learning an internal model of
       reaching movements (13 N s/m).
PS12   Pruszynski & Scott (2012), Optimal feedback control and the long-latency stretch response.
own    Chosen here.
"""

from dataclasses import dataclass, replace
from typing import Any

from arm_env.arguments import same
from arm_env.checked import Checked, within
from arm_env.dynamics.parameters import Arm

LONGEST_DELAY = 1.0  # [s]


@dataclass(frozen=True)
class Perturbation(Checked):
    """What differs from the arm that observation and action spaces are those of; the defaults
    change nothing.

    Within the ranges stated here, one or all of them at once, the default arm stays finite whatever
    the actions.
    """

    mass: float = within(1.0, 0.5, 4)
    """Factor on mass and inertia of both links, 0.5 to 4; 0.8 to 1.2 is what a test asks (own).

    The muscles of the human arm are too stiff for a lighter one: from a factor of 0.35 down, steps
    of 5 ms diverge.
    """
    strength: float = within(1.0, 0.05, 2)
    """Factor on the muscles' largest force, 0.05 to 2; 0.8 to 1.2 is what a test asks (own)."""
    curl: float = within(0.0, -200, 200)
    """Field F = curl (v_y, −v_x) at the hand [N s/m], up to 200 either way: above 0 it pushes right
    of the movement (SM94, TS99).
    """
    load: float = within(0.0, 0, 10)
    """Point mass in the hand [kg], up to 10, felt by its inertia only: the plane is horizontal
    (own).
    """
    delay: float = within(0.0, 0, LONGEST_DELAY)
    """Age of the sensory signals [s], up to 1, a multiple of the control period; 0.02 to 0.06 s in
    humans (PS12).
    """

    def applied_to(self, arm: Any) -> Any:
        """The arm with everything but the delay, which is none of the body's.

        Raises ValueError for another body, unless there is nothing but a delay.
        """
        if replace(self, delay=0.0) == Perturbation():
            return arm
        if not isinstance(arm, Arm):
            raise ValueError(
                f"perturbation: the delay alone is for any body, the rest is the arm's, not for "
                f"{type(arm).__name__}"
            )
        changed = perturbed_fields(arm, self.mass, self.strength, self.curl, self.load)
        return replace(arm, **changed)

    def delay_periods(self, control_period: float) -> int:
        """The delay in control periods; ValueError if it is no whole number of them."""
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
