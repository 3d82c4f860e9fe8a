"""The page's model: the arm, the tasks and the networks as a JavaScript module, and their numbers.

Physics, cost and networks are printed from the equations that Python compiles, and have the same
bits. The module exports

- ``step(p, h, x, u, out)``, ``sense(p, x, out)``, ``excite(p, u, noise, out)`` and
  ``hand(p, x, out)`` of the arm: state x (10), excitations u (6), parameters p,
- ``push(p, h, x, force, out)``: the angular velocities (2) after a force [N] on the hand for h [s],
- ``perturb(p, mass, strength, curl, load, out)``: the parameters of a perturbed arm,
- ``costs``: for each task, ``(p, w, x, u, k, out)`` with the cost terms of distance, velocity and
  effort, the distance [m], success (0 or 1) and the hand's x and y [m],
- ``networks``: for each kind of network, ``(w, c, signal, state)``, which returns the excitations
  and the next state.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from arm_env.codegen.javascript import LIBRARY, javascript_function
from arm_env.codegen.symbols import Symbol
from arm_env.codegen.tracing import SYMBOLIC, flatten, gradient, load
from arm_env.dynamics import equations
from arm_env.dynamics.body import ARM
from arm_env.dynamics.perturbations import perturbed_fields
from arm_env.dynamics.plant import parameter_symbols
from arm_env.dynamics.task_kernels import cost_outputs, trace_task
from arm_env.envs.simulation import noise_deviation, substeps_of
from arm_env.tasks.registry import TASKS
from rnn_controller.checkpoint import Checkpoint
from rnn_controller.rollouts.network_emitting import described
from rnn_controller.rollouts.network_javascript import HELPERS, network_function
from rnn_controller.rollouts.pontryagin import plain_constants
from rnn_controller.rollouts.vector_tracing import trace

P = parameter_symbols(ARM)
X, U, NOISE = (
    load(name, (size,))
    for name, size in (("x", ARM.state_size), ("u", ARM.muscle_count), ("noise", ARM.muscle_count))
)
H = Symbol("scalar", "h")


def model_source(checkpoints: Mapping[str, Checkpoint]) -> str:
    """Return the module for these controllers, by name."""
    parts = [LIBRARY, HELPERS, *_physics()]
    for task in TASKS.values():
        outputs = {"out": cost_outputs(trace_task(task))}
        parts.append(javascript_function(f"cost_{task.name}", ["p", "w", "x", "u", "k"], outputs))
    kinds = {_kind(c): c for c in checkpoints.values()}
    parts += [network_function(f"network_{kind}", trace(c.network)) for kind, c in kinds.items()]
    parts += [
        "const costs = {" + ", ".join(f"{name}: cost_{name}" for name in TASKS) + "};",
        "const networks = {" + ", ".join(f"{kind}: network_{kind}" for kind in kinds) + "};",
        "export { step, sense, excite, hand, push, perturb, costs, networks, fma, exp, log, "
        "sineAndCosine };\n",
    ]
    return "\n".join(parts)


def _physics() -> list[str]:
    """The functions of the arm alone."""
    force = load("force", (2,))
    velocity = flatten(equations.hand(SYMBOLIC, P, X)[2:])
    # Jᵀ F: the derivative of the power F · v with respect to the angular velocities
    torque = gradient(velocity, flatten([force]), flatten([X[2:4]]))
    m11, m12, m22 = equations.mass_matrix(SYMBOLIC, P, X[0:2])
    scale = H / (m11 * m22 - m12 * m12)
    pushed = [
        X[2] + scale * (m22 * torque[0] - m12 * torque[1]),
        X[3] + scale * (m11 * torque[1] - m12 * torque[0]),
    ]
    factors = {name: Symbol("scalar", name) for name in ("mass", "strength", "curl", "load")}
    fields = {**vars(P), **perturbed_fields(P, **factors)}
    perturbed = [symbol for value in fields.values() for symbol in flatten([np.asarray(value)])]
    return [
        javascript_function("step", ["p", "h", "x", "u"], _out(ARM.step(SYMBOLIC, P, X, U, H))),
        javascript_function("sense", ["p", "x"], _out(ARM.sense(SYMBOLIC, P, X))),
        javascript_function(
            "excite", ["p", "u", "noise"], _out(ARM.excitation(SYMBOLIC, P, U, NOISE))
        ),
        javascript_function("hand", ["p", "x"], _out(np.stack(ARM.hand(SYMBOLIC, P, X)))),
        javascript_function("push", ["p", "h", "x", "force"], {"out": flatten(pushed)}),
        javascript_function("perturb", ["p", *factors], {"out": flatten(perturbed)}),
    ]


def _out(result: Any) -> dict[str, list[Symbol]]:
    return {"out": flatten([result])}


def _kind(checkpoint: Checkpoint) -> str:
    """The name of a kind of network: networks of one kind share their function."""
    text = described(trace(checkpoint.network))
    return "k" + hashlib.sha256(text.encode()).hexdigest()[:8]


def controller_data(name: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a controller's numbers as JSON values."""
    network = checkpoint.network
    period = network.config.control_period
    task = TASKS[checkpoint.task]
    weights = network.weights._asdict()
    return {
        "name": name,
        "task": checkpoint.task,
        "commandNames": list(task.command_names),
        "controlPeriod": period,
        "substeps": substeps_of(period),
        "deviation": noise_deviation(1.0, period),
        "stateSize": network.state_size,
        "parameters": checkpoint.arm.flat().tolist(),
        "costWeights": checkpoint.weights.flat().tolist(),
        "noise": checkpoint.noise,
        "kind": _kind(checkpoint),
        "blocks": list(weights),
        "weights": [_matrix(value.detach().numpy()) for value in weights.values()],
        "constants": [
            value if isinstance(value, float) else _matrix(value)
            for value in plain_constants(network)
        ],
    }


def _matrix(value: np.ndarray) -> dict[str, Any]:
    """A matrix, or a vector as a matrix of one column."""
    table = np.atleast_1d(value)
    columns = table.shape[1] if table.ndim > 1 else 1
    return {"rows": len(table), "columns": columns, "data": table.ravel().tolist()}
