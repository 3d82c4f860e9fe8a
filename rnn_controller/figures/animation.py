"""Animations of the environment under a controller."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image
from tqdm import tqdm

from arm_env.controllers import Controller
from arm_env.schedules import CommandList
from rnn_controller.checkpoint import write_whole
from rnn_controller.figures.cycles import AT_PLACES, DRAWINGS, HOLD, OF_SHAPES, plan
from rnn_controller.figures.reaching import ROUND, START, TARGETS, moving_target

SCENES: dict[str, tuple[str, Any, float]] = {  # environment, schedule, seconds
    "6a": ("ReachArm-v0", CommandList(np.vstack([START, TARGETS, START])), 6.0),
    "6d": ("ReachArm-v0", moving_target, ROUND),
    "7a": ("CircleArm-v0", AT_PLACES, HOLD * len(AT_PLACES.values)),
    "7b": ("CircleArm-v0", OF_SHAPES, HOLD * len(OF_SHAPES.values)),
    "8a": ("CircleArm-v0", plan(*DRAWINGS[0][:2]), 2 * DRAWINGS[0][1]),
    "8b": ("CircleArm-v0", plan(*DRAWINGS[1][:2]), 2 * DRAWINGS[1][1]),
}
"""What the panels of figures 6 to 8 show."""
FRAME_RATE, FRAME_SIZE = 25, (480, 360)  # [1/s], [px] of the animation


def animate(
    controller: Controller,
    path: Path | str,
    *,
    seed: int = 0,
    noise: float = 0.2,
    seconds: float = 8.0,
    env_id: str = "ReachArm-v0",
    schedule: Any = None,
) -> Path:
    """Write an animated GIF of the arm as it follows a schedule of commands; it appears whole or not at all."""
    number = round(seconds * FRAME_RATE)
    if number < 1:
        raise ValueError(f"an animation lasts at least one frame, {1 / FRAME_RATE} s, not {seconds} s")
    first, *rest = _quantised(list(_frames(controller, number, seed, env_id, noise=noise, schedule=schedule)))
    data = io.BytesIO()
    first.save(data, "GIF", save_all=True, append_images=rest, duration=1000 // FRAME_RATE, loop=0)
    return write_whole(Path(path), data.getvalue())


def _frames(controller: Controller, number: int, seed: int, env_id: str, **arguments: Any) -> Iterator[Image.Image]:
    memory, start = None, np.ones(1, dtype=bool)
    with gym.make(env_id, render_mode="rgb_array", max_episode_steps=10**9, **arguments) as env:
        observation, _ = env.reset(seed=seed)
        for _ in tqdm(range(number), desc="frames", delay=3):
            yield Image.fromarray(np.asarray(env.render())).resize(FRAME_SIZE, Image.Resampling.LANCZOS)
            for _ in range(round(env.metadata["render_fps"] / FRAME_RATE)):
                action, memory = controller.predict(observation[None], memory, start, deterministic=True)
                observation, *_ = env.step(action[0])
                start = np.zeros(1, dtype=bool)


def _quantised(frames: list[Image.Image]) -> list[Image.Image]:
    """The frames in one palette, made from some of them; a colour weighs as the cube root of its area."""
    pixels = np.concatenate([np.asarray(frame) for frame in frames[:: 1 + len(frames) // 8]]).reshape(-1, 3)
    colours, areas = np.unique(pixels, axis=0, return_counts=True)
    weighted = np.repeat(colours, np.ceil(np.cbrt(areas)).astype(int), axis=0)
    palette = Image.fromarray(weighted[None]).quantize(255)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
