"""Compare a GPU with the processor: ``python -m benchmarks.gpu``.

Steps of the vector environment and of its kernel alone, for several numbers of arms, and iterations
of a training, for several sizes, are timed in turn in one run.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch

import arm_env
from arm_env.checked import Checked, within
from arm_env.devices import DEVICES, checked_device
from benchmarks.processes import training_of
from benchmarks.runs import command_line
from benchmarks.speed import interleaved
from rnn_controller.networks.plain_torch import training_conditions

STEPS = 20  # of a timing


@dataclass(frozen=True)
class Args(Checked):
    """Time steps and gradients on the processor and on an NVIDIA GPU, and print the numbers.

    Examples:
      python -m benchmarks.gpu
      python -m benchmarks.gpu --arms 65536 --sizes 400x36 --rounds 5
    """

    arms: tuple[int, ...] = (64, 1024, 4096, 16384, 65536)
    """Numbers of arms."""
    sizes: tuple[str, ...] = ("200x12", "400x36", "4096x128")
    """Sizes of a training, as MOVEMENTSxNEURONS."""
    rounds: int = within(5, 1, 1000)
    """Number of timings of each, of which the median is taken."""
    threads: int = within(2, 1, 1024)
    """Number of threads of the processor in a training."""

    @property
    def trainings(self) -> list[tuple[int, int]]:
        """Numbers of movements and neurons. Raises ValueError for a size of another form."""
        found = []
        for size in self.sizes:
            parts = size.split("x")
            if len(parts) != 2 or not all(p.isdecimal() and int(p) for p in parts):
                raise ValueError(f"a size is MOVEMENTSxNEURONS, such as 400x36, not {size}")
            found.append((int(parts[0]), int(parts[1])))
        return found


def stepping(arms: int, device: str) -> gym.vector.VectorEnv:
    """Return a vector environment that has been reset."""
    envs = gym.make_vec("ReachArm-v0", num_envs=arms, device=device, max_episode_steps=-1)
    envs.reset(seed=0)
    return envs


def steps_of(envs: gym.vector.VectorEnv) -> Callable[[], None]:
    """Return a call that takes ``STEPS`` steps."""
    actions = np.full((envs.num_envs, 6), 0.1)

    def call() -> None:
        for _ in range(STEPS):
            envs.step(actions)

    return call


def kernel_of(envs: gym.vector.VectorEnv) -> Callable[[], None]:
    """Return a call that moves the arms by ``STEPS`` periods with all arrays on the GPU."""
    from numba import cuda

    kernels: Any = envs.unwrapped.simulation._kernels  # type: ignore[attr-defined]
    caught: list[Any] = []
    launch = kernels.launch

    def catch(*arguments: Any) -> None:
        caught[:] = arguments
        launch(*arguments)

    kernels.launch = catch
    envs.step(np.full((envs.num_envs, 6), 0.1))
    kernels.launch = launch

    def call() -> None:
        for _ in range(STEPS):
            launch(*caught)
        cuda.synchronize()

    return call


def iteration_of(movements: int, neurons: int, device: str) -> Callable[[], object]:
    """Return a call that takes an iteration of a training for reaching."""
    trainer = training_of("reach", movements, neurons)
    trainer.compute_on(device)
    return lambda: trainer._iterate(trainer.stages[0])


def name_of_gpu() -> str:
    """Return the name of the GPU."""
    from numba import config, cuda

    if config.ENABLE_CUDASIM:  # type: ignore[attr-defined]
        return "simulated, so its times mean nothing"
    name = cuda.get_current_device().name
    return name.decode() if isinstance(name, bytes) else str(name)


@training_conditions()
def rows(args: Args) -> Iterator[str]:
    """Yield the lines of the result as they are measured."""
    yield f"GPU: {name_of_gpu()}; package {arm_env.__version__}"
    yield f"{'arms':>8} {'processor':>12} {'GPU':>12} {'GPU kernel':>12}  [steps/s]"
    for arms in args.arms:
        envs = {device: stepping(arms, device) for device in DEVICES}
        calls: dict[str, Callable[[], object]] = {d: steps_of(e) for d, e in envs.items()}
        calls["kernel"] = kernel_of(envs["cuda"])
        times = interleaved(calls, args.rounds)
        yield f"{arms:8d}" + "".join(f" {arms * STEPS / t:12.3g}" for t in times.values())
    yield f"{'training':>8} {'processor':>12} {'GPU':>12}  [ms an iteration]"
    for movements, neurons in args.trainings:
        iterations = {d: iteration_of(movements, neurons, d) for d in DEVICES}
        times = interleaved(iterations, args.rounds)
        yield f"{movements}x{neurons}" + "".join(f" {1e3 * t:12.1f}" for t in times.values())


def main(args: Args) -> None:
    """Measure and print. Raises ValueError without a GPU."""
    checked_device("cuda")
    list(args.trainings)  # refuses a wrong size before the work
    torch.set_num_threads(args.threads)
    for row in rows(args):
        print(row, flush=True)


if __name__ == "__main__":
    command_line(main, Args)
