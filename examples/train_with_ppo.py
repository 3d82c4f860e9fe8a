"""Train stable-baselines3's PPO to reach, then save, load, evaluate and film it.

Some ten minutes of one core. The arm starts without noise and with a wide target, and both become those of
``ReachArm-v0`` on the way: ``set_attr`` acts from the next reset. ``--steps 200000`` shows that it runs.
"""

import argparse
from pathlib import Path

import gymnasium as gym
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

import arm_env
from arm_env.sb3 import Smoothed, Trained, as_sb3_vec_env


class Curriculum(BaseCallback):
    """From a target of 30 cm to one of 4 cm in the first third, from no noise to all of it in the second."""

    def _on_step(self):
        return True

    def _on_rollout_start(self):
        progress = self.num_timesteps / self.locals["total_timesteps"]
        radius = 0.04 * (0.3 / 0.04) ** max(0.0, 1 - 3 * progress)
        self.training_env.set_attr("weights", {"target_radius": radius})
        self.training_env.set_attr("noise", 0.2 * min(max(3 * progress - 1, 0.0), 1.0))


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=16_000_000)
parser.add_argument("--output", type=Path, default=Path("runs/ppo"))
arguments = parser.parse_args()

torch.set_num_threads(1)  # small networks gain nothing from more
arms = as_sb3_vec_env("ReachArm-v0", 256, control_period=0.05, max_episode_steps=40)  # acts every 50 ms
envs = VecNormalize(Smoothed(arms, time_constant=0.05), gamma=0.95)  # sees the mean of its noisy senses
model = PPO(
    "MlpPolicy", envs, lambda left: 1e-3 * left, n_steps=40, batch_size=2048, n_epochs=6, gamma=0.95,
    policy_kwargs={"net_arch": [64, 64], "log_std_init": -0.7}, seed=0, device="cpu",
)  # fmt: skip
model.learn(arguments.steps, Curriculum(), progress_bar=True)
model.save(arguments.output / "model")
envs.save(str(arguments.output / "normalisation.pkl"))

# Another process begins here.
model = PPO.load(arguments.output / "model", device="cpu")
controller = Trained(model, VecNormalize.load(str(arguments.output / "normalisation.pkl"), as_sb3_vec_env(num_envs=1)))
measures = arm_env.evaluate(controller, "ReachArm-v0", movements=1000, seed=1_000_000)
print(f"{measures.fraction_within_target:.1%} within the target, {100 * measures.median_endpoint_error_m:.1f} cm")

env = gym.wrappers.RecordVideo(gym.make("ReachArm-v0", render_mode="rgb_array"), str(arguments.output))
(observation, _), state, truncated = env.reset(seed=0), None, False
while not truncated:
    action, state = controller.predict(observation, state)
    observation, _, _, truncated, _ = env.step(action)
env.close()
print(f"model and film are in {arguments.output}")
