"""Add your own controller to the table of controllers.

``python -m benchmarks.compare examples.a_row_in_the_table:controller`` measures it.
"""

import numpy as np

import arm_env


class Sluggish:
    """A joint PD controller that changes its excitations by half of the wanted change."""

    def __init__(self):
        self.feedback = arm_env.JointPD()

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        # whatever was returned comes back
        memory, last = state or (None, np.zeros((len(observation), 6)))
        wanted, memory = self.feedback.predict(observation, memory, episode_start)
        action = 0.5 * last + 0.5 * wanted  # (B, 6) excitations
        return action, (memory, action)


def controller(env_id):
    """For each environment's id a controller, or None to sit that one out."""
    return Sluggish() if env_id == "ReachArm-v0" else None


if __name__ == "__main__":
    print(arm_env.evaluate(controller("ReachArm-v0"), movements=200))
