"""Compare the speed with that of other packages: ``python -m benchmarks.peers``.

All are timed in turn in one run. This needs ``pip install 'rnn-motor-control[peers]'``. A gradient
is that of the objective with respect to all weights, over the same number of movements, neurons and
control periods for each. JAX runs the equations of this package, compiled by ``jit``. MotorNet runs
its own arm: the same skeleton with rigid tendons and Hill muscles, one Euler step in a control
period (ours has two implicit steps), float32 (ours is float64), a loss on the distance of the hand,
and no noise.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import torch

import arm_env  # noqa: F401  (registers the environments)
from arm_env.codegen.primitives import Primitives
from arm_env.dynamics import equations
from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.files import write_whole
from arm_env.tasks.reach import Reach
from benchmarks.runs import parsed
from benchmarks.speed import (
    BETA,
    CONTROL_PERIOD,
    STEPS,
    Problem,
    gated,
    interleaved,
    recurrent,
    single_run,
    vector_run,
)
from rnn_controller.options import value
from rnn_controller.rollouts import pontryagin
from rnn_controller.rollouts.vector_tracing import NetworkPrimitives

SIZES = ((200, 12), (400, 36))  # movements and neurons
BATCHES = (64, 1024, 4096)
SUBSTEPS = 2


@dataclass(frozen=True)
class Args:
    """Time gradients and steps of this package, JAX, MotorNet and Gymnasium, and print a table.

    Examples:
      python -m benchmarks.peers
      python -m benchmarks.peers --only-gradients --rounds 3
    """

    json: Annotated[Path | None, value("FILE")] = None
    """File that the numbers are also written to, as JSON."""
    rounds: int = 7
    """Number of timings of each, of which the median is taken."""
    threads: int = 2
    """Number of processor cores for the gradients. Another process measures them on one core."""
    only_gradients: bool = False
    """Leave out the speed of steps."""


def jax_gradient(problem: Problem) -> Callable[[], object]:
    """Return the gradient of the same equations by JAX, compiled; it is checked against ours."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    network = problem.network
    m = problem.m
    xp = Primitives(
        jnp.exp, jnp.log, jnp.sin, jnp.cos, jnp.sqrt,
        lambda x, a, b: jnp.where(x > 0, a, b), jnp.stack, jnp.concatenate,
    )  # fmt: skip
    layers = NetworkPrimitives(
        lambda w, v: v @ w.T, lambda *v: jnp.concatenate(v, -1),
        jax.nn.relu, jnp.tanh, jax.nn.sigmoid, jnp.exp, jnp.sqrt,
    )  # fmt: skip
    arm = Arm().map(jnp.asarray)
    cost = CostWeights().map(jnp.asarray)
    constants = pontryagin.plain_constants(network)
    observed = 18 + network.command_size

    def period(w: Any, state: Any, given: Any) -> Any:
        x, y = state
        command, noise = given
        signal = jnp.concatenate([equations.sense(xp, arm, x), command], -1) * (
            1 + noise[:, :observed]
        )
        u, y = network.equations(layers, w, constants, signal, y)
        excitation = equations.excitation(xp, arm, u, noise[:, observed:])
        for _ in range(SUBSTEPS):
            x = equations.step(xp, arm, x, excitation, CONTROL_PERIOD / SUBSTEPS)
        return (x, y), sum(Reach().cost(xp, arm, cost, x, u, command))

    def objective(w: Any, x0: Any, y0: Any, commands: Any, noise: Any) -> Any:
        _, costs = jax.lax.scan(
            lambda state, given: period(w, state, given), (x0, y0), (commands, noise)
        )
        v = costs.sum(0) * CONTROL_PERIOD
        return (jax.nn.logsumexp(BETA * v) - np.log(len(v))) / BETA

    gradient = jax.jit(jax.grad(objective))
    weights = type(network.weights)(*(jnp.asarray(w.detach().numpy()) for w in network.weights))
    start = [jnp.asarray(value.numpy()) for value in (m.x0, m.y0)]
    # time leads
    courses = [jnp.asarray(value.numpy().swapaxes(0, 1).copy()) for value in (m.commands, m.noise)]

    def run() -> Any:
        return jax.block_until_ready(gradient(weights, *start, *courses))

    problem.ours()
    for theirs, parameter in zip(run(), network.weights, strict=True):
        np.testing.assert_allclose(
            theirs, parameter.grad, rtol=1e-8, atol=1e-8 * float(parameter.grad.abs().max())
        )
    return run


def motornet(batch: int) -> Any:
    """Return MotorNet's reaching environment with its six-muscle arm, for a number of arms."""
    import motornet as mn

    arm = mn.effector.RigidTendonArm26(
        muscle=mn.muscle.RigidTendonHillMuscle(), timestep=CONTROL_PERIOD
    )
    env = mn.environment.RandomTargetReach(effector=arm, max_ep_duration=1e6)
    env.reset(seed=0, options={"batch_size": batch})
    return env


def motornet_gradient(movements: int, neurons: int, periods: int) -> Callable[[], object]:
    """Return the gradient of a rectified recurrent network in MotorNet's closed loop."""
    env = motornet(movements)
    observation, _ = env.reset(seed=0, options={"batch_size": movements})
    cell = torch.nn.RNNCell(observation.shape[1], neurons, nonlinearity="relu")
    motor = torch.nn.Linear(neurons, 6)

    def run() -> None:
        cell.zero_grad()
        motor.zero_grad()
        observation, info = env.reset(seed=0, options={"batch_size": movements})
        state = torch.zeros(movements, neurons)
        loss = torch.zeros(())
        for _ in range(periods):
            state = cell(observation, state)
            observation, _, _, _, info = env.step(torch.sigmoid(motor(state)))
            loss = loss + (info["states"]["fingertip"][:, :2] - info["goal"][:, :2]).abs().mean()
        loss.backward()

    return run


def motornet_steps(batch: int, steps: int) -> Callable[[], object]:
    """Return steps of many of MotorNet's arms, without gradients."""
    env = motornet(batch)
    actions = torch.rand(batch, 6)

    def run() -> None:
        with torch.no_grad():
            env.reset(seed=0, options={"batch_size": batch})
            for _ in range(steps):
                env.step(actions)

    return run


def gradient_runs(threads: int) -> dict[str, Callable[[], object]]:
    """Return the functions that compute a gradient, by name."""
    runs: dict[str, Callable[[], object]] = {}
    for movements, neurons in SIZES:
        problem = Problem.of(movements, recurrent(neurons))
        size = f"{movements}x{neurons}"
        runs |= {f"ours {size}": problem.ours, f"jax {size}": jax_gradient(problem)}
        if threads > 1:
            periods = problem.m.commands.shape[1]
            runs[f"motornet {size}"] = motornet_gradient(movements, neurons, periods)
            if movements == SIZES[0][0]:
                runs[f"eager {size}"] = problem.eager
    gru = Problem.of(SIZES[0][0], gated(32))
    runs |= {"ours gru": gru.ours, "jax gru": jax_gradient(gru)}
    return runs | ({"eager gru": gru.eager} if threads > 1 else {})


def gradient_figures(seconds: dict[str, float], threads: str) -> dict[str, float]:
    """Return the ratios of the other packages' times to ours."""
    figures: dict[str, float] = {}
    for movements, neurons in SIZES:
        size = f"{movements}x{neurons}"
        suffix = "" if (movements, neurons) == SIZES[0] else f"_{size}"
        figures[f"gradient_over_jax_{threads}{suffix}"] = (
            seconds[f"jax {size}"] / seconds[f"ours {size}"]
        )
        figures[f"gradient_seconds_{threads}{suffix}"] = seconds[f"ours {size}"]
        for peer in ("motornet", "eager"):
            if f"{peer} {size}" in seconds:
                figures[f"gradient_over_{peer}{suffix}"] = (
                    seconds[f"{peer} {size}"] / seconds[f"ours {size}"]
                )
    figures[f"gru_gradient_over_jax_{threads}"] = seconds["jax gru"] / seconds["ours gru"]
    if "eager gru" in seconds:
        figures["gru_gradient_over_eager"] = seconds["eager gru"] / seconds["ours gru"]
    return figures


def stepping_figures(rounds: int) -> dict[str, float]:
    """Return control steps per second of many arms on one core, and of single environments."""
    torch.set_num_threads(1)
    steps = {batch: max(10, 51200 // batch) for batch in BATCHES}
    runs = {f"ours {b}": vector_run(b, n) for b, n in steps.items()}
    runs |= {f"motornet {b}": motornet_steps(b, n) for b, n in steps.items()}
    seconds = interleaved(runs, rounds)
    rates = {
        name: int(name.split()[1]) * steps[int(name.split()[1])] / s for name, s in seconds.items()
    }
    best = {
        peer: max(rate for name, rate in rates.items() if name.startswith(peer))
        for peer in ("ours", "motornet")
    }
    figures = {"vector_over_motornet": best["ours"] / best["motornet"]}
    figures |= {
        f"vector_steps_per_s_{name.replace(' ', '_')}": rate for name, rate in rates.items()
    }
    singles = {
        "reach": "ReachArm-v0",
        "cartpole": "CartPole-v1",
        "pendulum": "Pendulum-v1",
        "reacher": "Reacher-v5",
    }
    made: dict[str, Callable[[], object]] = {}
    for name, env_id in singles.items():
        try:
            made[name] = single_run(env_id)
        except (gym.error.DependencyNotInstalled, ImportError) as error:
            print(f"{env_id} is left out: {error}")
    seconds = interleaved(made, rounds)
    figures["single_step_microseconds"] = seconds["reach"] / STEPS * 1e6
    return figures | {
        f"single_step_over_{n}": s / seconds["reach"] for n, s in seconds.items() if n != "reach"
    }


def measure(args: Args) -> dict[str, float]:
    """Return all numbers of the table."""
    keep_to(args.threads)
    words = {1: "one_thread", 2: "two_threads"}.get(args.threads, f"{args.threads}_threads")
    figures = gradient_figures(interleaved(gradient_runs(args.threads), args.rounds), words)
    if args.only_gradients:
        return figures
    return figures | on_one_core(args) | stepping_figures(args.rounds)


def keep_to(cores: int) -> None:
    """Use that number of processor cores; call it before JAX starts its threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    torch.set_num_threads(cores)


def on_one_core(args: Args) -> dict[str, float]:
    """Return the gradients' times in a process that has one core."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        flags = [
            "--threads",
            "1",
            "--only-gradients",
            "--rounds",
            str(args.rounds),
            "--json",
            str(path),
        ]
        subprocess.run(
            [sys.executable, "-m", "benchmarks.peers", *flags],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return dict(json.loads(path.read_text()))


def main(args: Args) -> None:
    """Measure, print a table, and write JSON."""
    figures = measure(replace(args, threads=max(1, args.threads)))
    print(
        f"{platform.processor() or platform.machine()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )
    print("\n".join(f"{name:42s} {value:12.4g}" for name, value in figures.items()))
    if args.json:
        print(f"written to {write_whole(args.json, json.dumps(figures, indent=2) + chr(10))}")


if __name__ == "__main__":
    main(parsed(Args))
