"""Orbits and networks of one's own: trained, resumed, stored, loaded, analysed and drawn."""

import json
import math
import sys
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

import arm_env
from arm_env import Circle, Ellipse, Reach
from arm_env.checked import within
from arm_env.codegen.primitives import at_least, at_most
from arm_env.control.controllers import Function
from arm_env.tasks.schedules import CommandList
from rnn_controller import (
    Checkpoint,
    CheckpointError,
    EquationConfig,
    EquationModule,
    NetworkConfig,
    RecurrentController,
    TrainConfig,
    Trainer,
    commands,
    figures,
    load,
    load_checkpoint,
    train,
)
from rnn_controller.analysis.attractors import Analysis, Attractor, ClosedLoop, grid
from rnn_controller.figures import cycles
from rnn_controller.policy import ModuleController, Policy
from rnn_controller.training import trainer as training
from rnn_controller.training.trainer import Stage

PUSH = Function(lambda observation: np.full((len(observation), 6), 0.1))
BRIEF = Stage("adam", 3, batch_size=2, first=(0.1, 0.1), second=(0.1, 0.1))
GENERATOR = torch.Generator()


@dataclass(frozen=True)
class Stadium(arm_env.Orbit):
    """All points that lie half the command's radius away from a segment of one radius."""

    length: float = within(1.0, 0.1, 2)

    def outline(self, xp, x, y, radius):
        end = self.length * radius / 2
        along = at_most(xp, at_least(xp, x, -end), end)
        dx, dy = x - along, y
        distance = xp.sqrt(at_least(xp, dx * dx + dy * dy, 1e-8))
        return distance - radius / 2, dx / distance, dy / distance


class Weights(NamedTuple):
    inputs: Any  # (N, 20)
    motor: Any  # (6, N)


class Constants(NamedTuple):
    kept: float


@dataclass(frozen=True)
class LeakyConfig(EquationConfig):
    neurons: int = within(3, 1, 100)
    time_constant: float = within(0.1, 0.01, 1)

    def build(self, task, arm, generator):
        return Leaky(self, task.command_size, generator)


class Leaky(EquationModule):
    def __init__(self, config, command_size, generator):
        super().__init__()
        self.config, self.command_size, self.state_size = config, command_size, config.neurons
        self.inputs, self.motor = (
            torch.nn.Parameter(torch.randn(*shape, generator=generator, dtype=torch.float64))
            for shape in ((config.neurons, 18 + command_size), (6, config.neurons))
        )

    weights = property(lambda self: Weights(self.inputs, self.motor))
    constants = property(
        lambda self: Constants(math.exp(-self.config.control_period / self.config.time_constant))
    )

    def equations(self, xp, w, c, observation, state):
        state = c.kept * state + (1 - c.kept) * xp.tanh(xp.product(w.inputs, observation))
        return xp.sigmoid(xp.product(w.motor, state) - 2.0), state


@dataclass(frozen=True)
class OtherConfig(LeakyConfig):
    """One whose build forgets its size."""

    def build(self, task, arm, generator):
        return Leaky(LeakyConfig(neurons=2), task.command_size, generator)


class Changed(RecurrentController):
    """Stored as what it derives from, it would be another network."""


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    monkeypatch.setitem(training.RECIPES, "default", (BRIEF,))


def config(**changes):
    return TrainConfig(
        **{"network": NetworkConfig(2), "settling": 0.1, "cost": Circle.weights, **changes}
    )


def leaky(**changes):
    return Leaky(LeakyConfig(**changes), 2, GENERATOR.manual_seed(1))


def same(one, other):
    return all(torch.equal(a, other.tensors[name]) for name, a in one.tensors.items())


def resumed(given, folder):
    """The end of a run that is interrupted after each iteration."""
    Trainer(given, folder).save()
    for _ in range(BRIEF.iterations):
        trainer = Trainer.resume(folder)
        trainer._iterate(trainer.stages[0])
        trainer.save()
    return train(given, folder, resume=True, progress=False)


def rewritten(path, **header):
    """The file with other entries in its header."""
    with safetensors.safe_open(path, "pt") as file:
        metadata = dict(file.metadata())
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    metadata |= {key: json.dumps(value) for key, value in header.items()}
    path.write_bytes(safetensors.torch.save(tensors, metadata))
    return path


# --- orbits ---------------------------------------------------------------------------------------


def test_an_orbit_is_given_in_every_form_that_an_environment_takes():
    forms = [
        config(task=Ellipse()),
        config(task="circle", orbit=Ellipse()),
        config(task="circle", orbit="ellipse"),
        config(task="circle", orbit={"kind": "ellipse", "aspect": 2}),
    ]
    assert all(
        form == forms[0] and form.task == "circle" and form.orbit == Ellipse() for form in forms
    )
    assert config(task=Circle()) == config(task="circle", orbit="circle") == config(task="circle")
    assert config(task=Circle(radius=(0.05, 0.06))).orbit.radius == (0.05, 0.06)
    assert "orbit" not in config(task="circle").form()  # as in files of before


def test_what_is_no_orbit_to_be_trained_is_refused():
    @dataclass(frozen=True)
    class Local(Stadium):
        pass

    for given, text in [
        ({"orbit": "ellipse"}, "an orbit belongs to the task circle, not to reach"),
        ({"task": "circle", "orbit": "line"}, "unknown orbit 'line'"),
        (
            {"task": "circle", "orbit": "subprocess:Popen"},
            "orbit must be of a class derived from Orbit, not ",
        ),
        (
            {"task": "circle", "orbit": {"kind": "math:pi"}},
            "orbit must be of a class derived from Orbit, not ",
        ),
        ({"task": Reach(shoulder=(0.1, 1.0))}, "task must be reach, circle, follow, or one that"),
        ({"task": Ellipse(), "orbit": Circle()}, "an orbit without another one"),
        ({"task": Local()}, "the task can't be stored: .*Local, as module:Class, so it must be"),
    ]:
        with pytest.raises(ValueError, match=text):
            config(**given)


def test_an_orbit_is_trained_resumed_and_loaded(tmp_path):
    given = config(task=Stadium(length=1.5))
    assert Trainer(given, tmp_path / "none").task == Stadium(length=1.5)
    whole = train(given, tmp_path / "whole", progress=False)
    assert same(resumed(given, tmp_path / "cut"), whole)
    assert not same(train(config(task="circle"), tmp_path / "circle", progress=False), whole)
    loaded = load_checkpoint(tmp_path / "whole")
    assert (loaded.task, loaded.orbit, loaded.goal) == ("circle", given.orbit, given.orbit)
    assert commands.environment_of(loaded)["orbit"] == given.orbit
    assert np.isfinite(commands.measure(loaded, 2, 0, 0.0).mean_value)
    with pytest.raises(
        ValueError, match=r"another configuration: orbit Stadium.*length=1\.5.*there, None here"
    ):
        train(config(task="circle"), tmp_path / "whole", resume=True, progress=False)


def test_figure_7_draws_the_orbits_that_were_commanded(monkeypatch):
    monkeypatch.setattr(cycles, "HOLD", 0.05)
    for name in ("AT_PLACES", "OF_SHAPES"):
        monkeypatch.setattr(cycles, name, CommandList(getattr(cycles, name).values, 0.05))
    for orbit, title in (
        (Stadium(), "c   Distance from the orbit in b"),
        (Circle(), "c   Radius in b"),
    ):
        figure = figures.figure_7(PUSH, orbit=orbit, noise=0.0)
        panels = {axes.get_title(loc="left")[0]: axes for axes in figure.axes}
        assert panels["c"].get_title(loc="left") == title
        dashed = [
            line.get_xydata()[:-1] for line in panels["a"].lines if line.get_linestyle() == "--"
        ]
        expected = [orbit.track(np.asarray(command)) for command in cycles.AT_PLACES.values]
        np.testing.assert_allclose(dashed, expected)


def test_the_courses_of_a_hand_on_its_orbit_are_those_commanded():
    command = np.array([[0.0, 0.4, 0.08, 0.3]])
    for orbit in (Circle(), Stadium(), Ellipse()):
        place = orbit.track(command[0])[3:4]
        _, wish_x, wish_y = orbit.error(arm_env.codegen.primitives.NUMPY, command, *place.T)
        hand = np.vstack([place, place])
        velocity = np.column_stack([wish_x, wish_y]).repeat(2, 0)
        run = figures.common.Run(None, None, None, hand, velocity, command, orbit)
        assert cycles._outside(run) == pytest.approx(0, abs=1e-4)
        assert cycles._clockwise_speed(run) == pytest.approx(0.3, rel=1e-3)


def test_drawings_planned_as_circles_are_refused_for_other_orbits():
    with pytest.raises(
        ValueError, match=r"figure 8 plans its drawings of circles, .* runs along Stadium"
    ):
        figures.figure_8(PUSH, orbit=Stadium())
    figures.check_planned_for(None)
    figures.check_planned_for(Circle(lap=(1, 2)))


def test_attractors_of_an_orbit_are_mapped_in_its_own_workspace():
    task = Stadium(shoulder=(0.5, 1.0))
    command = tuple(grid(task, arm_env.Arm(), 1)[0])
    found = Analysis(
        "circle", [Attractor(command, True, 0.0, 0.9, 0.1, 0.001, 0.0, 1.0, 0.5)], 0, 1, (1, 1)
    )
    areas = [
        figures.figure_attractors(found, task=t).axes[0].patches[0].get_xy() for t in (None, task)
    ]
    assert np.ptp(areas[1][:, 0]) < np.ptp(areas[0][:, 0])


@pytest.mark.parametrize(
    "kind", ["nowhere:Stadium", "test_own_things:Nothing", "subprocess:Popen", "math:pi", 3]
)
def test_a_file_that_names_what_is_no_orbit_is_refused_and_runs_nothing(tmp_path, kind):
    path = Checkpoint(RecurrentController(NetworkConfig(2), 4), Stadium()).save(
        tmp_path / "a.safetensors"
    )
    assert load_checkpoint(path).orbit == Stadium()
    harm = tmp_path / "harm"
    rewritten(path, orbit={"kind": kind, "args": ["touch", str(harm)]})
    with pytest.raises(
        CheckpointError,
        match=rf"a\.safetensors: its orbit is of the class {kind!r}, which can't be",
    ):
        load_checkpoint(path)
    assert not harm.exists()


# --- networks -------------------------------------------------------------------------------------


def test_a_network_is_trained_resumed_and_loaded(tmp_path):
    given = config(network=LeakyConfig(neurons=4, time_constant=0.05), cost=Reach.weights)
    whole = train(given, tmp_path / "whole", progress=False)
    assert same(resumed(given, tmp_path / "cut"), whole)
    controller = load(tmp_path / "whole")
    assert type(controller.network) is Leaky and controller.network.config == given.network
    observation = np.random.default_rng(1).normal(0, 1, (3, 20))
    for other in (Policy(whole.network), ModuleController(whole.network)):
        np.testing.assert_allclose(
            controller.predict(observation)[0], other.predict(observation)[0], rtol=1e-6
        )


def test_a_network_brings_what_an_analysis_needs():
    loop = ClosedLoop(leaky(), Reach())
    command = torch.tensor([[0.0, 0.4]], dtype=torch.float64)
    q = torch.zeros(1, loop.size, dtype=torch.float64)
    q[0, :2] = torch.tensor([0.6, 1.5])
    torch.testing.assert_close(
        loop.run(q, command, 1)[:, -1], loop.step(q, command), rtol=1e-9, atol=1e-12
    )
    assert loop.jacobian(q, command).shape == (1, 13, 13)


def test_a_network_that_could_not_be_loaded_again_is_refused_before_it_is_written(tmp_path):
    @dataclass(frozen=True)
    class Local(LeakyConfig):
        pass

    class Unconfigured(torch.nn.Module):
        pass

    path = tmp_path / "a.safetensors"
    strange = leaky()
    strange.config = NetworkConfig(3)
    for network, text in [
        (Unconfigured(), "a checkpoint can't hold this Unconfigured without a config: derive"),
        (
            strange,
            "a checkpoint can't hold this Leaky with a NetworkConfig: "
            "derive the network from EquationModule",
        ),
        (Changed(NetworkConfig(3), 2), "a checkpoint can't hold this Changed with a NetworkConfig"),
        (Leaky(Local(), 2, GENERATOR), "the network can't be stored: .*Local, as module:Class"),
        (
            Leaky(OtherConfig(), 2, GENERATOR),
            "can't hold this Leaky: the build of its config makes another",
        ),
        (
            Leaky(LeakyConfig(), 4, GENERATOR),
            "can't hold this Leaky: the build of its config makes another",
        ),
    ]:
        with pytest.raises(ValueError, match=text):
            Checkpoint(network).save(path)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "kind", ["nowhere:LeakyConfig", "test_own_things:Stadium", "subprocess:Popen"]
)
def test_a_file_that_names_what_is_no_network_is_refused_and_runs_nothing(tmp_path, kind):
    path = Checkpoint(leaky()).save(tmp_path / "a.safetensors")
    harm = tmp_path / "harm"
    rewritten(path, network={"kind": kind, "args": ["touch", str(harm)]})
    with pytest.raises(
        CheckpointError, match=f"its network is of the class {kind!r}, which can't be made here"
    ):
        load_checkpoint(path)
    assert not harm.exists()


def test_a_module_that_fails_when_it_is_imported_is_named(tmp_path, monkeypatch):
    path = Checkpoint(leaky()).save(tmp_path / "a.safetensors")
    (tmp_path / "failing_module.py").write_text("raise RuntimeError('not on this machine')")
    monkeypatch.syspath_prepend(tmp_path)
    rewritten(path, network={"kind": "failing_module:LeakyConfig", **asdict(LeakyConfig())})
    with pytest.raises(CheckpointError, match=r"failing_module:LeakyConfig.*not on this machine"):
        load_checkpoint(path)
    assert "failing_module" not in sys.modules


def test_a_file_of_a_network_with_other_weights_than_its_configuration_is_refused(tmp_path):
    path = Checkpoint(leaky()).save(tmp_path / "a.safetensors")
    told = {"kind": "test_own_things:LeakyConfig", **asdict(LeakyConfig(neurons=4))}
    with pytest.raises(
        CheckpointError, match=r"its configuration needs inputs \(4, 20\), but it is \(3, 20\)"
    ):
        load_checkpoint(rewritten(path, network=told))


def test_weights_of_single_precision_are_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(LeakyConfig, "build", lambda self, task, arm, generator: leaky().float())
    with pytest.raises(
        ValueError,
        match=r"^all weights must be float64 to be trained, but inputs is torch\.float32",
    ):
        train(config(network=LeakyConfig()), tmp_path / "run", progress=False)
    assert not list(tmp_path.rglob("*.safetensors"))
