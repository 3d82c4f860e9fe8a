"""Train stable-baselines3's PPO to reach, then save, load, evaluate and film it.

Training takes some ten minutes on one core. It begins without noise and with a wide target. Both
approach those of ``ReachArm-v0`` during training, by ``set_attr``, which acts from the next reset.
``--steps 200000`` is a short run.
"""

import argparse
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

import arm_env
from arm_env.sb3 import Smoothed, Trained, as_sb3_vec_env

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=16_000_000)
parser.add_argument("--output", type=Path, default=Path("runs/ppo"))
arguments = parser.parse_args()
steps = arguments.steps
folder = arguments.output
folder.mkdir(parents=True, exist_ok=True)
torch.set_num_threads(1)  # small networks gain nothing from more


class Curriculum(BaseCallback):
    """The target narrows from 30 cm to 4 cm; then the noise sets in, after 40 % of the training."""

    def _on_step(self):
        return True

    def _on_rollout_start(self):
        progress = self.num_timesteps / steps
        radius = 0.04 * (0.3 / 0.04) ** max(0.0, 1 - 4 * progress)
        self.training_env.set_attr("weights", {"target_radius": radius})
        self.training_env.set_attr("noise", np.interp(progress, [0.4, 0.7], [0.0, 0.2]))


# The policy acts every 50 ms, and sees its noisy senses as means over 50 and over 300 ms.
arms = as_sb3_vec_env("ReachArm-v0", 256, control_period=0.05, max_episode_steps=40)
smoothing = [0.05, 0.3]
envs = VecNormalize(Smoothed(arms, smoothing), gamma=0.9)
network = {"net_arch": [64, 64], "log_std_init": -0.7}
model = PPO(
    "MlpPolicy", envs, n_steps=40, batch_size=2048, n_epochs=2, gamma=0.9, ent_coef=2e-4,
    learning_rate=lambda left: 5.3e-3 * left, policy_kwargs=network, seed=0, device="cpu",
)  # fmt: skip
# the untrained policy excites the muscles little, as a resting arm
torch.nn.init.constant_(model.policy.get_parameter("action_net.bias"), -0.6)
model.learn(steps, Curriculum(), progress_bar=True)
model.save(folder / "model")
envs.save(str(folder / "normalisation.pkl"))

model = PPO.load(folder / "model", device="cpu")  # in another process, if you like
arm = Smoothed(as_sb3_vec_env("ReachArm-v0", 1), smoothing)
normalisation = VecNormalize.load(str(folder / "normalisation.pkl"), arm)
controller = Trained(model, normalisation)  # excitations from 0 to 1, as the environments take them
measures = arm_env.evaluate(controller, "ReachArm-v0", movements=1000, seed=1_000_000)
error = 100 * measures.median_endpoint_error_m
print(f"{measures.fraction_within_target:.1%} within the target, {error:.1f} cm off")

env = gym.wrappers.RecordVideo(
    gym.make("ReachArm-v0", render_mode="rgb_array"), str(folder / "film")
)
observation, info = env.reset(seed=0)
state = None
truncated = False
while not truncated:
    action, state = controller.predict(observation, state)
    observation, reward, terminated, truncated, info = env.step(action)
env.close()
print(f"model and film are in {folder}")
