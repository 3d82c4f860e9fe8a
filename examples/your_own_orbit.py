"""Define an orbit of your own shape: a stadium of two straight lines and two half circles.

``train(dataclasses.replace(DEFAULTS["circle"], orbit=Stadium()), "runs/stadium")`` of
``rnn_controller.training.trainer`` trains a network on it. If the class is in a module of its own,
such as ``stadium.py``, so does ``python -m rnn_controller train circle --orbit stadium:Stadium``.
"""

from dataclasses import dataclass

import gymnasium as gym

import arm_env
from arm_env.codegen.primitives import at_least, at_most
from rnn_controller import load


@dataclass(frozen=True)
class Stadium(arm_env.Orbit):
    """All points that lie half the command's radius away from a segment of one radius."""

    def outline(self, xp, x, y, radius):
        along = at_most(xp, at_least(xp, x, -radius / 2), radius / 2)  # the segment's nearest point
        dx, dy = x - along, y
        distance = xp.sqrt(at_least(xp, dx * dx + dy * dy, 1e-8))
        return distance - radius / 2, dx / distance, dy / distance


env = gym.make("CircleArm-v0", orbit=Stadium(), render_mode="rgb_array")
observation, info = env.reset(seed=0)
print(f"centre {info['target']}, the hand is {1000 * info['distance']:.2f} mm off the stadium")

# A controller trained on circles knows no stadium; the measures say how far off it is.
measures = arm_env.evaluate(load("circle"), "CircleArm-v0", movements=50, orbit=Stadium())
print(
    f"median distance {100 * measures.median_radial_error_m:.1f} cm, "
    f"{measures.fraction_converged:.0%} converged"
)
env.close()
