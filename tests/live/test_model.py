"""The live page's JavaScript has the bits of the compiled code. It runs in V8 here."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from py_mini_racer import MiniRacer

from arm_env import Arm, CostWeights, Perturbation
from arm_env.codegen import elementary
from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics import layout, plant, task_kernels
from arm_env.dynamics.equations import kinetic_energy
from arm_env.tasks.registry import TASKS
from rnn_controller.checkpoint import TRAINED, Checkpoint, load_checkpoint
from rnn_controller.live.model import controller_data, model_source
from rnn_controller.networks.modules import ModuleConfig, build
from rnn_controller.rollouts import pontryagin

P, W, H = Arm().flat(), CostWeights().flat(), 0.005
NAMES = ("reach", "circle", "follow", "reach-paper", "circle-paper")


def checkpoints():
    found = {name: load_checkpoint(TRAINED / f"{name}.safetensors") for name in NAMES}
    generator = torch.Generator().manual_seed(0)
    for name in ("gru", "mlp"):
        network = build(ModuleConfig(kind=name), TASKS["reach"], Arm(), generator)
        found[name] = Checkpoint(network=network, task="reach", arm=Arm())
    return found


CONTROLLERS = checkpoints()


class Page:
    """The module in V8, without its exports."""

    def __init__(self):
        self.engine = MiniRacer()
        self.engine.eval(model_source(CONTROLLERS).partition("export {")[0])

    def __call__(self, code):
        # what JSON writes as a whole number is a float64 here
        return np.array(json.loads(self.engine.eval(f"JSON.stringify({code})"), parse_int=float))

    def filled(self, size, call):
        """The array ``out`` that a call fills."""
        code = (
            f"(() => {{ const out = new Float64Array({size}); {call}; return Array.from(out); }})()"
        )
        return self(code)


@pytest.fixture(scope="module")
def page():
    return Page()


def text(*arrays):
    return ", ".join(json.dumps(np.asarray(array).tolist()) for array in arrays)


def test_fused_multiply_adds_are_rounded_once(page):
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 5000)) * 10.0 ** rng.integers(-8, 8, (3, 5000))
    # differences of nearly equal numbers, where the rounding of the product would show
    c[:2500] = -(a * b)[:2500] * (1 + rng.normal(size=2500) * 10.0 ** rng.integers(-17, 0, 2500))
    got = page(f"((a, b, c) => a.map((x, i) => fma(x, b[i], c[i])))({text(a, b, c)})")
    exact = [
        float(Fraction(x) * Fraction(y) + Fraction(z)) for x, y, z in zip(a, b, c, strict=True)
    ]
    np.testing.assert_array_equal(got, exact)


@pytest.mark.parametrize(
    ("name", "expression", "low", "high"),
    [
        ("exp", "exp(x)", -720, 720),
        ("exp", "exp(x)", -1, 1),
        ("log", "log(x)", 1e-9, 3),
        ("log", "log(x)", 1, 1e9),
        ("sin", "sineAndCosine(x)[0]", -100, 100),
        ("cos", "sineAndCosine(x)[1]", -100, 100),
    ],
)
def test_elementary_functions(page, name, expression, low, high):
    x = np.random.default_rng(1).uniform(low, high, 2000)
    got = page(f"{text(x)}.map(x => {expression})")
    np.testing.assert_array_equal(got, [getattr(elementary, name)(value) for value in x])


def states(number, seed=2):
    """States, some beyond the stops and some fast; excitations."""
    rng = np.random.default_rng(seed)
    angles, velocities = rng.uniform(-0.4, 3, (number, 2)), rng.uniform(-20, 20, (number, 2))
    activations = rng.uniform(0, 1, (number, 6))
    return np.hstack([angles, velocities, activations]), rng.uniform(0, 1.2, (number, 6))


def test_physics(page):
    for x, u in zip(*states(200), strict=True):
        expected = np.empty(10)
        plant.step(P, H, x, u, expected)
        got = page.filled(10, f"step({text(P)}, {H}, {text(x, u)}, out)")
        np.testing.assert_array_equal(got, expected)
        expected = np.empty(18)
        plant.sense(P, x, expected)
        np.testing.assert_array_equal(page.filled(18, f"sense({text(P, x)}, out)"), expected)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_costs(page, task):
    x, u = states(200)
    command = task.sample_commands(np.random.default_rng(3), 200, Arm())
    expected = np.empty((200, layout.COSTS))
    far = np.full(18 + task.command_size, np.inf)
    seen = np.empty((200, len(far)), dtype=np.float32)
    given = (P, W, H, 0, u, 0.0, 0, 0, command, command, -far, far, x[None])
    task_kernels.compile_task(task).advance(*given, np.zeros(200, dtype=np.int64), expected, seen)
    for i in range(200):
        call = f"costs.{task.name}({text(P, W, x[i], u[i], command[i])}, out)"
        np.testing.assert_array_equal(page.filled(layout.COSTS, call), expected[i])


@pytest.mark.parametrize(
    "perturbation",
    [Perturbation(), Perturbation(mass=0.8, strength=1.2, curl=15, load=0.5), Perturbation(load=2)],
)
def test_perturbations(page, perturbation):
    numbers = text(perturbation.mass, perturbation.strength, perturbation.curl, perturbation.load)
    got = page.filled(len(P), f"perturb({text(P)}, {numbers}, out)")
    np.testing.assert_allclose(got, perturbation.applied_to(Arm()).flat(), rtol=1e-15)


def test_a_push_changes_the_momentum_by_force_times_time(page):
    """The work of a force on the hand is what the kinetic energy gains."""
    x = states(1)[0][0]
    force, short = np.array([3.0, -2.0]), 1e-6
    pushed = x.copy()
    pushed[2:4] = page.filled(2, f"push({text(P)}, {short}, {text(x, force)}, out)")
    before, after = (kinetic_energy(NUMPY, Arm().arrays(), state) for state in (x, pushed))
    velocity = page.filled(4, f"hand({text(P, x)}, out)")[2:]
    assert after - before == pytest.approx(short * force @ velocity, rel=1e-4)


LOOP = """
((data, commands, noise, x, y) => {
  const p = data.parameters, s = new Float64Array(18 + commands[0].length);
  const e = new Float64Array(6), path = [];
  const substeps = Math.ceil(data.controlPeriod / 0.005 - 1e-9);
  for (let t = 0; t < commands.length; t++) {
    sense(p, x, s);
    s.set(commands[t], 18);
    for (let j = 0; j < s.length; j++) s[j] *= 1 + noise[t][j];
    const [u, next] = networks[data.kind](data.weights, data.constants, s, y);
    excite(p, u, noise[t].slice(s.length), e);
    for (let k = 0; k < substeps; k++) step(p, data.controlPeriod / substeps, x, e, x);
    y = next;
    path.push(Array.from(x));
  }
  return path;
})"""


@pytest.mark.parametrize("name", ["reach", "circle", "follow", "gru", "mlp"])
def test_the_closed_loop_of_500_noisy_periods(page, name):
    checkpoint = CONTROLLERS[name]
    network, task = checkpoint.network, TASKS[checkpoint.task]
    rng = np.random.default_rng(4)
    size = task.command_size
    commands = task.sample_commands(rng, 5, checkpoint.arm).repeat(100, 0)
    noise = rng.normal(0, 0.2, (500, 24 + size))
    x = task.attractor_state(rng, checkpoint.arm, commands[:1])
    y = np.zeros((1, network.state_size))
    given = (torch.from_numpy(a) for a in (x, y, commands[None], noise[None]))
    expected = pontryagin.rollout(network, checkpoint.arm, *given)[0][0, 1:].detach()
    data = json.dumps(controller_data(name, checkpoint))
    path = page(f"{LOOP}({data}, {text(commands, noise, x[0], y[0])})")
    np.testing.assert_array_equal(path, expected)
