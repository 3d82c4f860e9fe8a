"""The compiled costate against autograd and differences, at kinks too.

Also the objective and the checks.
"""

import functools
import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics.equations import hand, muscle_velocity
from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.dynamics.perturbations import SADDLE, Perturbation
from arm_env.tasks.orbits import SINGULAR
from arm_env.tasks.reach import Reach
from arm_env.tasks.shapes import Circle
from arm_env.tasks.task import Task
from rnn_controller.networks.recurrent import ACTIVATIONS, NetworkConfig, RecurrentController
from rnn_controller.rollouts import pontryagin
from rnn_controller.rollouts.plant import rollout
from rnn_controller.training.objective import risk_sensitive, values

BLOCKS = ("recurrent", "sensory", "command", "motor", "reflex", "neural_bias", "motor_bias")
STARTS = ("x0", "y0", "commands")
INPUTS = (*BLOCKS, *STARTS)
# no movement too far off to have a gradient
WIDE = CostWeights(target_radius=0.3, brake_radius=0.3)
BATCH = 4
PERIODS = 20
NEURONS = 5


@dataclass
class Problem:
    """A network, an arm, and movements to differentiate the cost of."""

    network: RecurrentController
    arm: Arm
    x0: Tensor
    y0: Tensor
    commands: Tensor
    noise: Tensor
    lengths: Tensor | None = None
    task: Task = Reach()
    weights: CostWeights = WIDE
    compiled: bool = True
    wanted: Tensor | None = None
    """Commands of the cost. They stay if those that the network receives are moved."""

    def __post_init__(self):
        self.wanted = self.commands if self.wanted is None else self.wanted

    def variables(self):
        given = {name: getattr(self, name) for name in STARTS}
        return {**dict(self.network.named_parameters()), **given}

    def objective(self):
        if not self.compiled:
            return risk_sensitive(self.values_one_by_one(), 3.0)
        x, u, _ = pontryagin.rollout(
            self.network,
            self.arm,
            self.x0,
            self.y0,
            self.commands,
            self.noise,
            lengths=self.lengths,
        )
        return risk_sensitive(
            values(self.task, self.arm, self.weights, x, u, self.wanted, 0.01, self.lengths), 3.0
        )

    def values_one_by_one(self):
        """By the eager plant, each movement alone and up to its own end."""
        groups = [(slice(None), PERIODS)]
        if self.lengths is not None:
            groups = [(slice(b, b + 1), length) for b, length in enumerate(self.lengths.tolist())]
        found = []
        for rows, length in groups:
            commands = self.commands[rows, :length]
            noise = self.noise[rows, :length]
            x, u = rollout(
                self.network, self.arm, self.x0[rows], commands, noise, state=self.y0[rows],
                compiled=False,
            )  # fmt: skip
            wanted = self.wanted[rows, :length]
            found.append(values(self.task, self.arm, self.weights, x, u, wanted, 0.01))
        return torch.cat(found)

    def gradients(self):
        starts = {name: getattr(self, name).clone().requires_grad_() for name in STARTS}
        inputs = {**dict(self.network.named_parameters()), **starts}
        found = torch.autograd.grad(replace(self, **starts).objective(), list(inputs.values()))
        return dict(zip(inputs, found, strict=True))

    def along(self, name, direction, eps):
        """The objective with one variable moved by eps in that direction."""
        moved = self.variables()[name].detach() + eps * direction
        with torch.no_grad():
            if name in STARTS:
                return replace(self, **{name: moved}).objective().item()
            parameter = self.network.get_parameter(name)
            before = parameter.clone()
            parameter.copy_(moved)
            value = self.objective().item()
            parameter.copy_(before)
            return value


LENGTHS = torch.tensor([PERIODS, 7, 1, 13])
CLOSE = {"a millimetre from the centre": 1e-3, "a twentieth of one from the centre": 5e-5}
"""Distances [m] of the hand from the circle's centre, in every period; within the second, all is
smoothed.
"""


def around(case, distance):
    """Circles whose centres are that far from the hand in every period.

    The network can't see the command.
    """
    with torch.no_grad():
        case.network.command.zero_()
        x, _, _ = pontryagin.rollout(
            case.network, case.arm, case.x0, case.y0, case.commands, case.noise
        )
    tip = np.stack(hand(NUMPY, case.arm, x[:, 1:].numpy())[:2], -1)
    angle = np.random.default_rng(4).uniform(0, 2 * np.pi, tip.shape[:2])
    centre = tip + distance * np.stack([np.cos(angle), np.sin(angle)], -1)
    case.commands[..., :2] = torch.from_numpy(centre)
    return case


def circling(situation, activation="relu"):
    case = problem("noisy", activation, size=4)
    rng = np.random.default_rng(5)
    commands = np.repeat(Circle().sample_commands(rng, BATCH, case.arm)[:, None], PERIODS, 1)
    case = replace(
        case,
        commands=torch.from_numpy(commands),
        wanted=None,
        lengths=LENGTHS if "ragged" in situation else None,
        task=Circle(),
        weights=replace(WIDE, alpha=1.0),
    )
    return around(case, CLOSE[situation]) if situation in CLOSE else case


def problem(situation="noisy", activation="relu", size=2):
    if situation.startswith("circle") or situation in CLOSE:
        return circling(situation, activation)
    rng = np.random.default_rng(1)
    config = NetworkConfig(NEURONS, activation=activation)
    network = RecurrentController(config, size, torch.Generator().manual_seed(2))
    with torch.no_grad():
        network.reflex.mul_(10)  # strong enough for some excitations to be silent
        network.neural_bias.copy_(torch.from_numpy(rng.normal(0, 0.3, NEURONS)))
    x0 = np.zeros((BATCH, 10))
    x0[:, :2] = Reach().sample_angles(rng, BATCH)
    x0[:, 2:4], x0[:, 4:] = rng.uniform(-3, 3, (BATCH, 2)), rng.uniform(0.1, 0.6, (BATCH, 6))
    commands = np.repeat(Reach().sample_commands(rng, BATCH, Arm())[:, None], PERIODS, 1)
    y0 = rng.uniform(0, 1, (BATCH, NEURONS))
    noise = rng.normal(0, 0.14, (BATCH, PERIODS, 24 + size))
    arm = Arm()
    match situation:
        case "in a field":
            arm = Perturbation(curl=20, field=SADDLE).applied_to(arm)
        case "no noise":
            noise[:] = 0
        case "body at rest":  # every muscle on the kink between shortening and lengthening
            x0[:, 2:4] = 0
        case "in the stops":
            x0[:, :2] = [np.array(arm.lower_stop) - 0.1, np.array(arm.upper_stop) + 0.1] * 2
        case "saturated":
            arm = replace(arm, max_excitation=0.2)
        case "on the target":
            commands[:] = np.stack(hand(NUMPY, arm, x0)[:2], -1)[:, None]
    movements = (torch.from_numpy(a) for a in (x0, y0, commands, noise))
    return Problem(network, arm, *movements, LENGTHS if situation == "ragged" else None)


CASES = [("noisy", activation) for activation in ACTIVATIONS] + [
    (situation, "relu")
    for situation in (
        *("no noise", "body at rest", "in the stops", "saturated", "on the target", "ragged"),
        "in a field",
        *("circle", "circle, ragged", *CLOSE),
    )
]
ALL = [
    (*case, name)
    for case in CASES
    for name in INPUTS
    # close to the centre, the network can't see the command
    if not (case[0] in CLOSE and name == "commands")
]
KINK = ("body at rest", "relu", "x0")
"""Here the true function has a kink, so central differences say nothing: see the one-sided test
below.
"""


def every(cases):
    return pytest.mark.parametrize(
        ("situation", "activation", "name"), cases, ids=["-".join(case) for case in cases]
    )


@functools.cache
def both_gradients(situation, activation):
    costate = problem(situation, activation)
    return costate.gradients(), replace(costate, compiled=False).gradients()


@every(ALL)
def test_costate_equals_autograd(situation, activation, name):
    costate, autograd = (gradients[name] for gradients in both_gradients(situation, activation))
    assert torch.linalg.norm(autograd) > 1e-6  # there is something to compare
    assert torch.linalg.norm(costate - autograd) < 1e-10 * torch.linalg.norm(autograd)


@every([case for case in ALL if case != KINK])
def test_costate_equals_central_differences(situation, activation, name):
    """Along random directions.

    The errors seen, up to 5e-8 of the gradient, are rounding: 1e-16 / eps.

    A larger eps would carry some muscle or rectifier over its kink on the way (one case in ten at
    1e-4). Near a circle's centre the cost bends within that distance: there it must be smaller, and
    the rounding is larger.
    """
    case = problem(situation, activation)
    generator = torch.Generator().manual_seed(3)
    eps, tolerance = (3e-8, 3e-5) if situation in CLOSE else (1e-6, 3e-7)
    gradient = both_gradients(situation, activation)[0][name]
    for _ in range(3):
        direction = torch.randn(gradient.shape, generator=generator, dtype=torch.float64)
        difference = (case.along(name, direction, eps) - case.along(name, direction, -eps)) / (
            2 * eps
        )
        scale = torch.linalg.norm(gradient) * torch.linalg.norm(direction)
        # of both values: it falls as eps grows to 1e-4
        rounding = 1e-15 * abs(case.along(name, direction, 0.0)) / eps
        assert abs(difference - (gradient * direction).sum().item()) < tolerance * scale + rounding


def test_the_situations_are_what_they_claim():
    still = problem("body at rest")
    driven = problem("saturated")
    aimed = problem("on the target")
    body = still.x0.numpy()
    assert (muscle_velocity(still.arm.arrays(), body[:, 0:2], body[:, 2:4]) == 0).all()
    _, u, _ = pontryagin.rollout(
        driven.network, driven.arm, driven.x0, driven.y0, driven.commands, driven.noise
    )
    assert 0.2 < (u > driven.arm.max_excitation).double().mean() < 0.9 and (u == 0).any()
    tip = np.stack(hand(NUMPY, aimed.arm, aimed.x0.numpy())[:2], -1)
    assert (tip == aimed.commands[:, 0].numpy()).all()
    for situation, distance in CLOSE.items():
        close = problem(situation)
        x, _, _ = pontryagin.rollout(
            close.network, close.arm, close.x0, close.y0, close.commands, close.noise
        )
        tip = np.stack(hand(NUMPY, close.arm, x[:, 1:].detach().numpy())[:2], -1)
        actual = np.linalg.norm(tip - close.commands[..., :2].numpy(), axis=-1)
        np.testing.assert_allclose(actual, distance, rtol=1e-9)
    assert (
        CLOSE["a twentieth of one from the centre"]
        < SINGULAR
        < CLOSE["a millimetre from the centre"]
    )
    outside = problem("in the stops").x0[:, :2].numpy()
    assert ((outside < Arm().lower_stop) | (outside > Arm().upper_stop)).all()


@pytest.mark.parametrize("joint", [0, 1])
def test_at_rest_the_gradient_is_that_of_muscles_about_to_shorten(joint):
    """At velocity 0 exactly, both curves and their derivatives are those of the shortening side.

    With the flexors alone, turning inwards shortens every active muscle, so the forward difference
    (error: eps times second derivatives) is the gradient, and the backward one is not. Without
    tone: the extensors' would lengthen.
    """
    case = problem("body at rest")
    flexors = torch.tensor([1.0, 0, 1, 0, 1, 0], dtype=torch.float64)
    case.arm = replace(case.arm, tone=0.0)
    case.x0[:, 4:] *= flexors
    with torch.no_grad():
        case.network.motor_bias.copy_(torch.where(flexors > 0, case.network.motor_bias, -100.0))
    direction = torch.zeros_like(case.x0)
    eps = 1e-6
    direction[:, 2 + joint] = 1
    gradient = (case.gradients()["x0"] * direction).sum().item()
    here = case.along("x0", direction, 0.0)
    forward = (case.along("x0", direction, eps) - here) / eps
    backward = (here - case.along("x0", direction, -eps)) / eps
    assert forward == pytest.approx(gradient, rel=1e-5)
    assert abs(backward - gradient) > 1e-3 * abs(gradient)


def test_excitation_beyond_the_ceiling_has_no_gradient_but_its_effort():
    case = problem("saturated")
    with torch.no_grad():
        case.network.motor_bias.fill_(50.0)
    x, u, _ = pontryagin.rollout(
        case.network, case.arm, case.x0, case.y0, case.commands, case.noise
    )
    assert (u > case.arm.max_excitation).all()
    assert (
        torch.autograd.grad(x.sum(), case.network.motor_bias, retain_graph=True)[0].abs().max() == 0
    )
    assert torch.autograd.grad(u.sum(), case.network.motor_bias)[0].min() >= BATCH * PERIODS


def test_biases_can_be_left_untrained():
    network = RecurrentController(NetworkConfig(NEURONS, bias=False), 2)
    case = replace(problem(), network=network)
    case.objective().backward()
    assert network.neural_bias.grad is None and network.motor_bias.grad is None
    assert network.recurrent.grad.abs().max() > 0
    assert (network.neural_bias == 0).all() and (network.motor_bias == 0).all()


@pytest.mark.parametrize(
    "cost",
    [
        lambda x, u: x[:, 0].square().sum(),
        lambda x, u: x[:, 1].square().sum(),
        lambda x, u: x[:, -1].square().sum(),
        lambda x, u: u.sum(),  # unlike the effort, steep at u = 0, where the rectifier has slope 0
    ],
    ids=["start", "second state", "end", "total excitation"],
)
def test_any_cost_on_the_trajectory_can_be_trained(cost):
    case = problem()
    x0 = case.x0.clone().requires_grad_()
    ends = [
        pontryagin.rollout(case.network, case.arm, x0, case.y0, case.commands, case.noise)[:2],
        rollout(
            case.network, case.arm, x0, case.commands, case.noise, state=case.y0, compiled=False
        ),
    ]
    assert (ends[0][1] == 0).any()
    costate, autograd = (torch.autograd.grad(cost(x, u), x0)[0] for x, u in ends)
    assert torch.linalg.norm(autograd) > 1e-6
    torch.testing.assert_close(costate, autograd, rtol=1e-10, atol=1e-12)


def test_a_gradient_of_the_commands_changes_no_other_and_compiles_nothing():
    case = problem("ragged")
    (alone,) = torch.autograd.grad(case.objective(), [case.network.recurrent])
    costate = pontryagin.kernels_of(case.network).costate
    kinds = list(costate.signatures)
    case = replace(case, commands=case.commands.clone().requires_grad_())
    weights, commands = torch.autograd.grad(
        case.objective(), [case.network.recurrent, case.commands]
    )
    assert torch.equal(alone, weights)
    assert costate.signatures == kinds
    for b, length in enumerate(LENGTHS.tolist()):
        assert not commands[b, length:].any()
    assert commands[0].any()


@pytest.mark.parametrize("batch", [1, BATCH])
def test_threads_do_not_change_a_single_bit(batch):
    case = problem()
    before = torch.get_num_threads()
    movements = [value[:batch] for value in (case.x0, case.y0, case.commands, case.noise)]
    movements[2] = movements[2].clone().requires_grad_()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            x, u, y = pontryagin.rollout(case.network, case.arm, *movements)
            slopes = torch.autograd.grad(
                [x, u],
                [*case.network.weights, movements[2]],
                [torch.sin(x.detach()), torch.cos(u.detach())],
            )
            results.append([x, u, y, *slopes])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


@pytest.mark.parametrize("situation", ["ragged", "circle, ragged"])
def test_a_movement_is_the_same_up_to_its_end_and_nothing_after(situation):
    case = problem(situation)
    whole, stopped = (
        pontryagin.rollout(
            case.network, case.arm, case.x0, case.y0, case.commands, case.noise, lengths=lengths
        )
        for lengths in (None, case.lengths)
    )
    for b, length in enumerate(LENGTHS.tolist()):
        for (full, part), kept in zip(
            zip(whole, stopped, strict=True), (length + 1, length, length + 1), strict=True
        ):
            assert torch.equal(part[b, :kept], full[b, :kept]) and not part[b, kept:].any()


def test_what_lies_beyond_the_end_has_no_say():
    case = problem("circle, ragged")
    with torch.no_grad():
        before = case.objective()
        for b, length in enumerate(LENGTHS.tolist()):
            case.commands[b, length:] = math.nan
            case.noise[b, length:] = math.nan
        x, u, y = pontryagin.rollout(
            case.network,
            case.arm,
            case.x0,
            case.y0,
            case.commands,
            case.noise,
            lengths=case.lengths,
        )
    assert all(torch.isfinite(part).all() for part in (x, u, y))
    case.commands[case.commands.isnan()] = 0.3
    assert case.objective() == before


def test_a_cost_beyond_the_end_has_no_gradient():
    case = problem("ragged")
    x0 = case.x0.clone().requires_grad_()
    x, u, _ = pontryagin.rollout(
        case.network, case.arm, x0, case.y0, case.commands, case.noise, lengths=case.lengths
    )
    (slope,) = torch.autograd.grad(x[2, 2:].sum() + u[2, 1:].sum(), x0)
    assert not slope.any()


# --- objective ------------------------------------------------------------------------------------

VALUES = torch.tensor([0.2, 1.1, 0.7, 3.0, 0.4], dtype=torch.float64)


def test_objective_tends_to_the_mean_for_small_beta():
    # The next term of the series is β/2 times the variance.
    assert risk_sensitive(VALUES, 0.0) == VALUES.mean()
    expected = VALUES.mean() + 0.5e-4 * VALUES.var(correction=0)
    assert risk_sensitive(VALUES, 1e-4).item() == pytest.approx(expected.item(), abs=1e-7)


def test_objective_tends_to_the_maximum_for_large_beta():
    # The maximum alone leaves (1/β) log(1/N).
    assert risk_sensitive(VALUES, math.inf) == VALUES.max()
    assert risk_sensitive(VALUES, 1e3).item() == pytest.approx(3.0 - math.log(5) / 1e3, abs=1e-12)


def test_objective_grows_with_beta_from_mean_to_maximum():
    series = [
        risk_sensitive(VALUES, beta).item() for beta in (0, 0.01, 0.1, 0.5, 1, 3, 10, 100, math.inf)
    ]
    assert all(a < b for a, b in itertools.pairwise(series))


def test_objective_of_equal_values_is_that_value():
    assert risk_sensitive(torch.full((7,), 1.3, dtype=torch.float64), 3.0).item() == pytest.approx(
        1.3, abs=1e-14
    )


def test_objective_does_not_overflow():
    # The largest alone counts: max + (1/β) log(1/N), to the last bits of 3e8
    assert risk_sensitive(1e8 * VALUES, 10.0).item() == pytest.approx(
        3e8 - math.log(5) / 10, abs=1e-6
    )
    assert risk_sensitive(-1e8 * VALUES, 10.0).item() == pytest.approx(
        -2e7 - math.log(5) / 10, abs=1e-6
    )


@pytest.mark.parametrize("beta", [0.0, 0.3, 3.0, 30.0])
def test_gradient_of_the_objective_weighs_movements_by_softmax(beta):
    v = VALUES.clone().requires_grad_()
    (slope,) = torch.autograd.grad(risk_sensitive(v, beta), v)
    torch.testing.assert_close(slope, torch.softmax(beta * VALUES, 0), rtol=1e-12, atol=1e-15)


# --- checks ---------------------------------------------------------------------------------------


def call(network=None, lengths=None, **changes):
    case = problem()
    arguments = {
        name: changes.get(name, getattr(case, name)) for name in ("x0", "y0", "commands", "noise")
    }
    return pontryagin.rollout(network or case.network, case.arm, **arguments, lengths=lengths)


@pytest.mark.parametrize("name", ["x0", "y0", "commands", "noise"])
def test_single_precision_is_refused(name):
    with pytest.raises(
        ValueError, match=rf"{name} must be a float64 tensor on the CPU, not torch\.float32"
    ):
        call(**{name: getattr(problem(), name).float()})


WRONG_SHAPES = [
    ("commands", (BATCH, PERIODS, 3)),
    ("commands", (BATCH, PERIODS + 1, 2)),
    ("commands", (PERIODS, 2)),
    ("noise", (BATCH, PERIODS, 24)),
    ("noise", (BATCH, PERIODS - 1, 26)),
    ("noise", (BATCH - 1, PERIODS, 26)),
    ("x0", (BATCH, 9)),
    ("x0", (1, 10)),
    ("x0", (10,)),
    ("y0", (BATCH, NEURONS + 1)),
    ("y0", (BATCH, NEURONS - 1)),
    ("y0", (1, NEURONS)),
]


@pytest.mark.parametrize(
    ("name", "shape"), WRONG_SHAPES, ids=[f"{name}{shape}" for name, shape in WRONG_SHAPES]
)
def test_wrong_shapes_are_refused_by_name(name, shape):
    with pytest.raises(ValueError, match=name):
        call(**{name: torch.zeros(shape, dtype=torch.float64)})


@pytest.mark.parametrize(
    "lengths",
    [
        torch.full((BATCH,), PERIODS + 1),
        torch.full((BATCH,), -1),
        torch.full((BATCH - 1,), PERIODS),
        torch.full((BATCH, 1), PERIODS),
        torch.full((BATCH,), float(PERIODS)),
        torch.full((BATCH,), PERIODS, dtype=torch.int32),
    ],
    ids=["too long", "negative", "one missing", "two axes", "no integers", "int32"],
)
def test_impossible_lengths_are_refused(lengths):
    with pytest.raises(
        ValueError, match=rf"lengths are int64, one a movement \({BATCH},\), from 0 to {PERIODS}"
    ):
        call(lengths=lengths)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"neurons": 0}, "^neurons must be a whole number from 1 to 10000"),
        ({"activation": "gelu"}, "'gelu': choose one of relu, tanh, sigmoid"),
        ({"time_constant": 0.0}, " must be a number from 0.0001 to "),
        ({"control_period": -0.01}, " must be a number from 0.0001 to "),
        ({"time_constant": math.nan}, " must be a number from 0.0001 to "),
    ],
)
def test_impossible_networks_are_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        NetworkConfig(**changes)
