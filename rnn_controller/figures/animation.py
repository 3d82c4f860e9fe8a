"""Animations of the environment under a controller."""

import importlib.util
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from PIL import Image, ImageDraw

from arm_env.arguments import number as number_within
from arm_env.control.controllers import Controller, as_controller
from arm_env.envs.rendering import TARGET_EDGE, to_pixels
from arm_env.files import write_whole
from arm_env.tasks.registry import TASKS
from arm_env.tasks.schedules import CommandList
from rnn_controller.figures.common import check_fit
from rnn_controller.figures.cycles import AT_PLACES, HOLD, OF_SHAPES
from rnn_controller.figures.drawings import settling
from rnn_controller.figures.reaching import ROUND, START, TARGETS, moving_target
from rnn_controller.outputs import output_file
from rnn_controller.planning.drawings import DRAWINGS
from rnn_controller.planning.osculating import osculating
from rnn_controller.planning.plans import Plan
from rnn_controller.watching import DELAY, progress_bar


class Scene(NamedTuple):
    """The content of an animation.

    Attributes:
        env_id: Id of the environment.
        schedule: Schedule of the commands; None for the environment's random commands.
        seconds: Length of the animation [s].
        drawing: Name of one of ``DRAWINGS``. The schedule is then osculating circles, and a plan
            for the controller, ``plan_of``, draws it better.
    """

    env_id: str
    schedule: Any
    seconds: float
    drawing: str | None = None


SCENES: dict[str, Scene] = {
    "6a": Scene("ReachArm-v0", CommandList(np.vstack([START, TARGETS, START])), 6.0),
    "6d": Scene("ReachArm-v0", moving_target, ROUND),
    "7a": Scene("CircleArm-v0", AT_PLACES, HOLD * len(AT_PLACES.values)),
    "7b": Scene("CircleArm-v0", OF_SHAPES, HOLD * len(OF_SHAPES.values)),
    **{
        panel: Scene("CircleArm-v0", osculating(drawing.curve, drawing.lap), 2 * drawing.lap, name)
        for panel, (name, drawing) in zip(("8a", "8b"), DRAWINGS.items(), strict=True)
    },
    **{task.name: Scene(task.env_id, None, 8.0) for task in TASKS.values()},
}
"""Scenes of the panels of figures 6 to 8, and of random commands of every task, by name."""
FRAME_RATE, FRAME_SIZE = 25, (480, 360)  # [1/s], [px] of the animation
OPACITY = 170  # of 255, of the line along a plan's curve
LONGEST = 60.0  # [s] its frames are held in memory


def animate(
    controller: Controller,
    path: Path | str,
    *,
    seed: int = 0,
    noise: float = 0.2,
    seconds: float = 8.0,
    env_id: str = "ReachArm-v0",
    schedule: Any = None,
    **environment: Any,
) -> Path:
    """Write an animation of the arm as it follows a schedule of commands, for up to a minute.

    The suffix of ``path`` says the format: ``.gif``, or with the package's extra "video" ``.mp4``.
    The file appears whole or not at all. If the schedule is a plan, its curve is drawn, and the
    animation begins after the laps in which the arm settles. Other arguments, such as ``arm``, go
    to the environment.
    """
    path = check_animation(path)
    write = WRITERS[path.suffix.lower()]
    number = round(number_within("seconds", seconds, 1 / FRAME_RATE, LONGEST) * FRAME_RATE)
    arguments = {"noise": noise, "schedule": schedule, **environment}
    return write_whole(path, write(list(_frames(controller, number, seed, env_id, **arguments))))


def check_animation(path: Path | str) -> Path:
    """Return the path, if an animation can be written to it.

    Raises ValueError, OSError or ImportError otherwise.
    """
    path = output_file(path, tuple(WRITERS), "an animation")
    if path.suffix.lower() == ".mp4" and importlib.util.find_spec("moviepy") is None:
        raise ImportError(
            "an .mp4 needs moviepy: pip install 'rnn-motor-control[video]'; a .gif needs nothing "
            "more"
        )
    return path


def _frames(
    controller: Controller, number: int, seed: int, env_id: str, **arguments: Any
) -> Iterator[Image.Image]:
    """Yield pictures at the times k / FRAME_RATE, of a plan from the end of its first laps on.

    Each shows the state after the control period that ends nearest to its time.
    """
    plan = arguments["schedule"] if isinstance(arguments["schedule"], Plan) else None
    before = settling(plan.lap) if plan else 0.0
    memory = None
    start = np.ones(1, dtype=bool)
    done = 0
    with gym.make(env_id, render_mode="rgb_array", max_episode_steps=10**9, **arguments) as env:
        simulation = env.unwrapped.simulation  # type: ignore[attr-defined]
        controller = as_controller(controller, simulation.control_period)
        check_fit(controller, simulation)
        observation, _ = env.reset(seed=seed)
        for k in progress_bar(range(number), desc="frames", delay=DELAY):
            for _ in range(round((before + k / FRAME_RATE) / simulation.control_period) - done):
                action, memory = controller.predict(
                    observation[None], memory, start, deterministic=True
                )
                observation, *_ = env.step(action[0])
                start = np.zeros(1, dtype=bool)
                done += 1
            frame = Image.fromarray(np.asarray(env.render()))
            if plan:
                frame.paste(TARGET_EDGE, mask=_line(plan.curve, frame.size))
            yield frame.resize(FRAME_SIZE, Image.Resampling.LANCZOS)


def _line(curve: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Return the opacity of a thin line along a closed curve (n, 2) [m] in a frame."""
    mask = Image.new("L", (2 * size[0], 2 * size[1]))  # at twice the size, for smooth edges
    points = 2 * to_pixels(np.concatenate([curve, curve[:1]]))
    ImageDraw.Draw(mask).line([(x, y) for x, y in points.tolist()], OPACITY, 4, joint="curve")
    return mask.resize(size, Image.Resampling.LANCZOS)


def _gif(frames: list[Image.Image]) -> bytes:
    first, *rest = _quantised(frames)
    data = io.BytesIO()
    first.save(data, "GIF", save_all=True, append_images=rest, duration=1000 // FRAME_RATE, loop=0)
    return data.getvalue()


def _mp4(frames: list[Image.Image]) -> bytes:
    from moviepy import ImageSequenceClip  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "animation.mp4"
        clip = ImageSequenceClip([np.asarray(frame) for frame in frames], fps=FRAME_RATE)
        clip.write_videofile(str(path), codec="libx264", audio=False, logger=None)
        return path.read_bytes()


WRITERS: dict[str, Callable[[list[Image.Image]], bytes]] = {".gif": _gif, ".mp4": _mp4}
"""Functions that make the bytes of a file from an animation, by the file's suffix."""


def _quantised(frames: list[Image.Image]) -> list[Image.Image]:
    """Return the frames in one palette, made from some of them.

    A colour weighs as the cube root of its area.
    """
    some = np.stack([np.asarray(frame, np.int32) for frame in frames[:: 1 + len(frames) // 8]])
    # sorting whole numbers takes a hundredth of the time of sorting rows of three
    numbers = some[..., 0] << 16 | some[..., 1] << 8 | some[..., 2]
    numbers, areas = np.unique(numbers, return_counts=True)
    colours = np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], 1).astype(np.uint8)
    weighted = np.repeat(colours, np.ceil(np.cbrt(areas)).astype(int), axis=0)
    palette = Image.fromarray(weighted[None]).quantize(255)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
