"""The step of an environment on a GPU: a thread moves an arm."""

import functools
from typing import Any

import numpy as np
from numba import cuda, float64

from arm_env.cuda.functions import blocks_for, device_functions, noise_number, physics_on_gpu
from arm_env.dynamics.layout import CONTACT_SIZE
from arm_env.dynamics.task_kernels import TracedTask, functions_of_task, trace_task


class CudaTask:
    """The kernel ``advance`` of ``arm_env.dynamics.task_kernels``, on a GPU.

    A copy shares the compiled code, and one in another process compiles it again.
    """

    def __init__(self, task: Any, touched: bool = False):
        self._made_of = task, touched
        self._kernel = advancing(trace_task(task), touched)
        self._untouched = () if touched else (cuda.to_device(np.zeros((1, CONTACT_SIZE))),)

    def __reduce__(self) -> Any:
        return CudaTask, self._made_of

    def advance(self, *arguments: Any) -> None:
        """Advance arms whose arrays are NumPy's; the arguments are those of ``task_kernels``.

        The arrays are copied to the GPU, and those that it fills are copied back.
        """
        there = [cuda.to_device(a) if isinstance(a, np.ndarray) else a for a in arguments]
        self.launch(*there)
        # history, elapsed, out, observation
        for host, device in zip(arguments[FILLED], there[FILLED], strict=True):
            device.copy_to_host(host)

    def launch(self, *arguments: Any) -> None:
        """Advance arms whose arrays are on the GPU. It returns before the GPU is done."""
        arms = len(arguments[U])
        self._kernel[blocks_for(arms)](*arguments, *self._untouched)


U = 4
FILLED = slice(12, 16)
"""Places of the excitations, and of the arrays that are filled, among the arguments."""


def advancing(traced: TracedTask, touched: bool) -> Any:
    """Return the kernel ``advance``; its last argument, ``contact``, is used for touched hands."""
    body = traced.body
    functions = physics_on_gpu(body) | device_functions(functions_of_task(traced, touched))
    move = functions["contact_step"] if touched else _without_contact(functions["step"])
    others = (functions[name] for name in ("excite", "sense", "cost", "observe"))
    return _kernel(move, *others, (body.muscle_count, body.sensory_size, traced.command_size))


@functools.cache
def _kernel(
    move: Any, excite: Any, sense: Any, cost: Any, observe: Any, sizes: tuple[int, int, int]
) -> Any:
    muscles, signals, commands = sizes
    observed = signals + commands

    @cuda.jit
    def advance(
        p, w, h, substeps, u, deviation, key, draw, k, command, low, high, history, elapsed, out,
        observation, contact,
    ):  # type: ignore[no-untyped-def]  # fmt: skip
        arm = cuda.grid(1)
        if arm >= u.shape[0]:
            return
        excitation, signal = cuda.local.array(muscles, float64), cuda.local.array(observed, float64)
        noise = cuda.local.array(observed, float64)
        drawn = 0  # numbers of the noise that come before those of the signals
        latest = history.shape[0] - 1
        if substeps > 0:
            drawn = muscles * u.shape[0]
            for j in range(muscles):
                noise[j] = noise_number(deviation, key, draw, muscles * arm + j)
            excite(p, u[arm], noise, excitation)
            for age in range(latest):
                for i in range(history.shape[2]):
                    history[age, arm, i] = history[age + 1, arm, i]
            x = history[latest, arm]
            for _ in range(substeps):
                move(p, h, x, excitation, contact[arm % contact.shape[0]], x)
            elapsed[arm] += 1
        cost(p, w, history[latest, arm], u[arm], k[arm], out[arm])
        sense(p, history[0, arm], signal)
        for i in range(observed):
            if i >= signals:
                signal[i] = command[arm, i - signals]
            noise[i] = noise_number(deviation, key, draw, drawn + observed * arm + i)
        observe(noise, low, high, signal)
        for i in range(observed):
            observation[arm, i] = signal[i]

    return advance


@functools.cache
def _without_contact(step: Any) -> Any:
    @cuda.jit(device=True)
    def move(p, h, x, u, contact, out):  # type: ignore[no-untyped-def]
        step(p, h, x, u, out)

    return move
