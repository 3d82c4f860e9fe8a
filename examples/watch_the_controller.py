"""Load the shipped controller and watch it reach; ``--headless`` prints text instead."""

import sys

import gymnasium as gym

import arm_env  # noqa: F401  (registers ReachArm-v0)
from rnn_controller import load

headless = "--headless" in sys.argv
env = gym.make("ReachArm-v0", render_mode=None if headless else "human", max_episode_steps=600)
controller = load("reach")

observation, info = env.reset(seed=0)
state = None
truncated = False
while not truncated:
    action, state = controller.predict(observation, state)
    observation, reward, terminated, truncated, info = env.step(action)
    if headless and env.unwrapped.simulation.elapsed[0] % 100 == 0:
        print(
            f"target {info['target'].round(2)} m, hand {info['hand'].round(2)} m, "
            f"{100 * info['distance']:.1f} cm away"
        )
env.close()
