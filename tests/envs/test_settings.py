"""Arguments of environments in every form, and settings as attributes.

Also specifications that make the same environment again.
"""

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st

import arm_env
from arm_env import CommandList, Ellipse, MovingCommand, Perturbation, RandomJumps, RoundedPolygon
from arm_env.envs.specifications import plain

CIRCLE = [0.0, 0.4, 0.05, 0.3]


def make(env_id="ReachArm-v0", **arguments):
    return gym.make(env_id, **arguments).unwrapped


# --- arguments
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "noise", ["0.25", np.float32(0.25), torch.tensor(0.25), np.array(0.25)], ids=repr
)
def test_numbers_in_any_form(noise):
    env = make(noise=noise, control_period="2e-2")
    assert env.noise == 0.25 and env.control_period == 0.02
    env.reset(seed=1)
    assert np.isfinite(env.step(env.action_space.sample())[1])


def test_groups_as_mappings_of_what_differs():
    env = make(
        perturbation={"curl": "15"},
        weights={"alpha": 2},
        arm={"max_excitation": 0.5, "mass": [1, 2]},
    )
    assert env.perturbation == Perturbation(curl=15.0)
    assert env.weights == arm_env.CostWeights(alpha=2.0)
    assert env.arm == arm_env.Arm(max_excitation=0.5, mass=(1.0, 2.0))
    assert make("CircleArm-v0", weights={"gamma": 1}).weights == arm_env.CostWeights(
        alpha=2.0, gamma=1.0
    )  # of its task


def local_circle(t):
    return CIRCLE


@dataclass(frozen=True)
class Squashed(arm_env.Circle):
    factor: float = 0.5

    def outline(self, xp, x, y, radius):
        d, out_x, out_y = super().outline(xp, x, y, radius)
        return self.factor * d, out_x, out_y


ORBITS = {
    "name": ("ellipse", Ellipse()),
    "fields of a circle": ({"radius": [0.05, 0.06]}, arm_env.Circle(radius=(0.05, 0.06))),
    "kind and fields": ({"kind": "ellipse", "aspect": "3"}, Ellipse(aspect=3.0)),
    "polygon": ({"kind": "rounded-polygon", "corners": 4.0}, RoundedPolygon(corners=4)),
    "of one's own": ({"kind": f"{__name__}:Squashed", "factor": 0.25}, Squashed(factor=0.25)),
    "none": (None, arm_env.Circle()),
}


@pytest.mark.parametrize(("given", "meant"), ORBITS.values(), ids=ORBITS)
def test_orbits_by_name_and_as_mappings(given, meant):
    assert make("CircleArm-v0", orbit=given).task == meant
    assert gym.make_vec("CircleArm-v0", num_envs=2, orbit=given).unwrapped.task == meant


def test_schedules_by_name_and_as_mappings():
    assert make(schedule={"hold": 2}).schedule == RandomJumps(2.0)
    assert make(schedule="random-jumps").schedule == RandomJumps()
    listed = make(schedule={"kind": "command-list", "values": [[0.0, 0.4]], "hold": 0.5}).schedule
    assert listed == CommandList(np.array([[0.0, 0.4]]), 0.5)
    assert make("CircleArm-v0", schedule=f"{__name__}:local_circle").schedule == MovingCommand(
        local_circle
    )
    env = make()
    env.reset(seed=1, options={"schedule": {"kind": "command-list", "values": [[0.1, 0.4]]}})
    assert env.simulation.command.tolist() == [[0.1, 0.4]]


REFUSED = [
    ({"perturbation": {"curll": 15}}, r"perturbation has no field 'curll': there are mass"),
    (
        {"perturbation": {"curl": "strong"}},
        r"perturbation: curl must be a number from -200 to 200, not 'strong'",
    ),
    ({"perturbation": "curl"}, r"perturbation must be a Perturbation, a mapping"),
    ({"perturbation": Perturbation}, r"perturbation must be a Perturbation, a mapping"),
    ({"weights": [0.3, 0.05]}, r"weights must be a CostWeights"),
    ({"weights": {"alpha": math.nan}}, r"weights: alpha must be a number from 0"),
    ({"arm": {"max_excitation": []}}, r"arm: max_excitation must be a number above 0"),
    ({"arm": arm_env.Arm}, r"arm must be an Arm"),
    ({"noise": "loud"}, r"noise must be a number from 0 to 10, not 'loud'"),
    ({"noise": True}, r"noise must be a number"),
    ({"noise": b"0.2"}, r"noise must be a number"),
    ({"schedule": "x" * 100_000}, r"^schedule: 'xxx.{1,600}$"),
    ({"schedule": ".relative:f"}, r"can't be imported"),
    ({"schedule": [[10**400, 0]]}, r"is no schedule"),
    (
        {"schedule": {"kind": "moving-command", "function": 3}},
        r"function must be a function of the time",
    ),
    ({"noise": None}, r"noise must be a number"),
    ({"noise": 1e308}, r"noise must be a number from 0 to 10"),
    ({"control_period": [0.01]}, r"control_period must be a number from 0.0001 to 0.1"),
    ({"schedule": {"hold": -1}}, r"schedule.*hold must be a number from 0"),
    ({"schedule": {"kind": "command-list"}}, r"schedule.*values"),
    ({"schedule": {"kind": "command-list", "values": [[0.9, 0.0]]}}, r"can't reach"),
    ({"schedule": "no.such.module:f"}, r"can't be imported"),
    ({"schedule": RandomJumps}, r"is no schedule"),
]
REFUSED_ORBITS = [
    (
        "elipse",
        r"unknown orbit 'elipse': give one of circle, ellipse, rounded-polygon, or module:name",
    ),
    (Ellipse, r"orbit must be .*Ellipse\(\)"),
    (arm_env.Reach(), r"orbit must be"),
    (3, r"orbit must be"),
    ({"kind": "ellipse", "aspekt": 2}, r"orbit has no field 'aspekt': there are .*aspect"),
    ({"kind": "ellipse", "aspect": 0}, r"orbit: aspect must be a number from 0.1 to 10"),
    ({"kind": ["ellipse"]}, r"unknown orbit"),
    ({"radius": [0.2, 0.1]}, r"radius must go from low to high"),
    ("math:pi", r"orbit must be"),
]


@pytest.mark.parametrize(("arguments", "match"), REFUSED, ids=str)
def test_what_is_none_is_refused_at_the_door_by_name(arguments, match):
    for made in (
        lambda: gym.make("ReachArm-v0", **arguments),
        lambda: gym.make_vec("ReachArm-v0", 2, **arguments),
    ):
        with pytest.raises(ValueError, match=match):
            made()


@pytest.mark.parametrize(("orbit", "match"), REFUSED_ORBITS, ids=str)
def test_what_is_no_orbit_is_refused_at_the_door(orbit, match):
    with pytest.raises(ValueError, match=match):
        gym.make("CircleArm-v0", orbit=orbit)


@pytest.mark.parametrize(
    "options", [True, [1], "posture", 0.5, torch.zeros(2), {"posture": 10**400}, {1: 2}], ids=repr
)
def test_options_that_are_none_are_refused_by_name(options):
    for env in (make(), gym.make_vec("ReachArm-v0", 2).unwrapped):
        with pytest.raises(
            ValueError, match=r"^options must be a mapping|posture|unknown reset options \['1'\]"
        ):
            env.reset(seed=1, options=options)


def test_orbits_that_fit_nowhere_are_refused_instead_of_searched_for_ever():
    with pytest.raises(ValueError, match="radius must be smaller"):
        gym.make("CircleArm-v0", orbit={"radius": [0.6, 0.7]}).reset(seed=1)


# --- time limits
# ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("env_id", "default"), [("ReachArm-v0", 200), ("CircleArm-v0", 600)])
def test_a_vector_environment_takes_the_time_limits_that_make_takes(env_id, default):
    assert gym.make_vec(env_id, 2, max_episode_steps=None).unwrapped.max_episode_steps == default
    assert gym.make_vec(env_id, 2, max_episode_steps=np.int64(7)).unwrapped.max_episode_steps == 7
    endless = gym.make_vec(env_id, 2, max_episode_steps=-1)
    endless.reset(seed=1)
    assert not any(endless.step(endless.action_space.sample())[3].any() for _ in range(default + 1))
    for steps in (0, -2, 2.5, True, "long", [200]):
        with pytest.raises(
            ValueError, match="max_episode_steps must be a whole number of 1 or above"
        ):
            gym.make_vec(env_id, 2, max_episode_steps=steps)


@pytest.mark.parametrize("number", [0, -1, 1.5, True, None, "many"])
def test_a_number_of_arms_that_is_none_is_refused(number):
    with pytest.raises(ValueError, match="num_envs must be a whole number from 1"):
        gym.make_vec("ReachArm-v0", num_envs=number)


# --- attributes
# -------------------------------------------------------------------------------------

CHANGES = {
    "noise": 0.0,
    "weights": {"alpha": 3.0},
    "perturbation": {"curl": 40.0, "delay": 0.05},
    "schedule": [[0.0, 0.4], [0.1, 0.4]],
}


def course(env, options=None):
    env.reset(seed=9, options=options)
    steps = [env.step(env.action_space.high) for _ in range(20)]
    return np.array([step[0] for step in steps]), np.array([step[1] for step in steps])


def assert_same(ours, theirs):
    for mine, yours in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, yours)


@pytest.mark.parametrize(("name", "value"), CHANGES.items(), ids=CHANGES)
@pytest.mark.parametrize(
    "set_it", ["attribute", "set_wrapper_attr", "set_attr", "vector attribute"]
)
def test_a_setting_acts_from_the_next_reset_as_if_it_had_been_given_at_first(name, value, set_it):
    vector = set_it in ("set_attr", "vector attribute")
    new = (
        (lambda **a: gym.make_vec("ReachArm-v0", 2, **a))
        if vector
        else (lambda **a: gym.make("ReachArm-v0", **a))
    )
    env = new()
    given = new(**{name: value})
    other = new()
    for each in (env, other):
        each.reset(seed=1)
    if set_it == "set_wrapper_attr":
        env.set_wrapper_attr(name, value)
    elif set_it == "set_attr":
        env.unwrapped.set_attr(name, value)
    else:
        setattr(env.unwrapped, name, value)
    for ours, theirs in zip(
        env.step(env.action_space.high)[:2], other.step(env.action_space.high)[:2], strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)  # not before the reset
    assert (
        getattr(env.unwrapped, name)
        == getattr(given.unwrapped, name)
        != getattr(other.unwrapped, name)
    )
    expected = course(given)
    assert_same(course(env), expected)
    assert not all(map(np.array_equal, course(other), expected))


def test_a_curriculum_acts_when_an_arm_begins_anew_by_itself():
    envs = gym.make_vec(
        "ReachArm-v0", 3, max_episode_steps=5, autoreset_mode=AutoresetMode.SAME_STEP
    )
    envs.reset(seed=1)
    envs.unwrapped.set_attr("noise", 0.0)
    for _ in range(5):
        observation, *_, info = envs.step(envs.action_space.high)
    # no noise now
    np.testing.assert_array_equal(observation[:, 18:], info["command"].astype(np.float32))


def test_delays_that_come_and_go_keep_every_arm_s_past():
    envs = gym.make_vec("ReachArm-v0", 2, noise=0.0, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=1)
    for delay in (0.03, 0.0, 0.05, 0.01):
        envs.unwrapped.perturbation = {"delay": delay}
        for _ in range(8):
            envs.step(envs.action_space.high)
        running = envs.unwrapped.simulation.state[1].copy()
        envs.reset(options={"reset_mask": np.array([True, False])})
        np.testing.assert_array_equal(envs.unwrapped.simulation.state[1], running)
        for _ in range(8):
            observation = envs.step(envs.action_space.high)[0]
        states = envs.unwrapped.simulation.history
        assert len(states) == round(delay / 0.01) + 1
        np.testing.assert_allclose(observation[:, :6], arm_env.dynamics.equations.muscle_length(
            envs.unwrapped.arm.arrays(), states[0][:, :2]), rtol=1e-6)  # fmt: skip


@pytest.mark.parametrize("name", ["arm", "control_period", "task"])
def test_what_spaces_and_clocks_belong_to_can_be_read_but_not_set(name):
    for env in (make(), gym.make_vec("ReachArm-v0", 2).unwrapped):
        value = getattr(env, name)
        with pytest.raises(
            AttributeError, match=f"^{name} can't be set: .*make another environment"
        ):
            setattr(env, name, value)


@pytest.mark.parametrize("name", ["task", "arm", "control_period"])
def test_nothing_of_a_simulation_is_writable_without_effect(name):
    simulation = make().simulation
    with pytest.raises(AttributeError):
        setattr(simulation, name, getattr(simulation, name))
    # those are the settings'
    assert not hasattr(simulation, "noise") and not hasattr(simulation, "schedule")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("noise", -1),
        ("noise", "loud"),
        ("perturbation", {"delay": 0.005}),
        ("schedule", [[9, 9]]),
        ("weights", 3),
    ],
    ids=str,
)
def test_a_value_that_is_none_is_refused_and_changes_nothing(name, value):
    env = make()
    before = getattr(env, name)
    with pytest.raises(ValueError):
        setattr(env, name, value)
    assert getattr(env, name) == before


@pytest.mark.parametrize(
    ("name", "meant"), [("pertubation", "perturbation"), ("nosie", "noise"), ("weight", "weights")]
)
def test_a_misspelt_setting_is_not_set(name, meant):
    for env in (gym.make("ReachArm-v0"), gym.make_vec("ReachArm-v0", 2)):
        with pytest.raises(
            AttributeError, match=f"no attribute '{name}' to set: did you mean {meant}"
        ):
            setattr(env.unwrapped, name, 0)
        env.unwrapped.note = "one's own"
        assert env.unwrapped.note == "one's own"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("nosie", "did you mean noise"),
        ("orbit", "it is an argument of CircleArm-v0"),
        ("task", ""),
        ("frameskip", ""),
    ],
)
def test_an_unknown_argument_is_refused_in_python_s_own_words(name, hint):
    for made in (
        lambda: gym.make("ReachArm-v0", **{name: 1}),
        lambda: gym.make_vec("ReachArm-v0", 2, **{name: 1}),
    ):
        with pytest.raises(
            TypeError, match=rf"got an unexpected keyword argument '{name}'.*{hint}"
        ):
            made()


def test_attributes_of_the_arms_of_a_vector_environment():
    envs = gym.make_vec("ReachArm-v0", 3).unwrapped
    assert envs.get_attr("noise") == (0.2, 0.2, 0.2) == envs.call("noise")
    envs.set_attr("noise", [0.1, 0.1, 0.1])
    assert envs.noise == 0.1
    with pytest.raises(ValueError, match="share noise"):
        envs.set_attr("noise", [0.1, 0.1, 0.2])
    with pytest.raises(AttributeError, match="no attribute 'nosie'"):
        envs.set_attr("nosie", 0.0)
    with pytest.raises(AttributeError, match=r"no reset\(\)"):
        envs.call("reset")
    with pytest.raises(AttributeError):
        envs.num_envs = 4


# --- specifications
# ---------------------------------------------------------------------------------


class Alternating:
    """A schedule that is no dataclass."""

    hold = 0.5

    def commands(self, rng, segment, time, task, arm):
        return np.where(segment[:, None] % 2, [[0.1, 0.4]], [[-0.1, 0.4]])


SPECIFIED = {
    "perturbation": ("ReachArm-v0", {"perturbation": Perturbation(curl=15, delay=0.03)}),
    "weights": ("CircleArm-v0", {"weights": arm_env.CostWeights(alpha=1.0)}),
    "arm": ("ReachArm-v0", {"arm": arm_env.Arm(max_excitation=0.5)}),
    "numbers": ("ReachArm-v0", {"noise": np.float32(0.1), "control_period": torch.tensor(0.02)}),
    "fractions": ("ReachArm-v0", {"noise": Fraction(1, 8), "control_period": Decimal("0.02")}),
    "array as schedule": ("ReachArm-v0", {"schedule": np.array([[0.0, 0.4], [0.1, 0.4]])}),
    "jumps": ("ReachArm-v0", {"schedule": RandomJumps(hold=2.0)}),
    "list": ("CircleArm-v0", {"schedule": CommandList(np.array([CIRCLE]), 0.5)}),
    "function": ("CircleArm-v0", {"schedule": local_circle}),
    "moving command": ("CircleArm-v0", {"schedule": MovingCommand(local_circle)}),
    "ellipse": ("CircleArm-v0", {"orbit": Ellipse(aspect=3.0)}),
    "orbit of one's own": ("CircleArm-v0", {"orbit": Squashed(factor=0.25)}),
    "name": ("CircleArm-v0", {"orbit": "rounded-polygon"}),
}


@pytest.mark.parametrize(("env_id", "arguments"), SPECIFIED.values(), ids=SPECIFIED)
def test_a_specification_makes_the_same_environment_again(env_id, arguments):
    env = gym.make(env_id, **arguments)
    read = EnvSpec.from_json(env.spec.to_json())
    again = gym.make(read)
    assert env.spec == read == again.spec
    assert again.unwrapped.simulation.settings == env.unwrapped.simulation.settings
    assert_same(course(env), course(again))


@pytest.mark.parametrize(("env_id", "arguments"), SPECIFIED.values(), ids=SPECIFIED)
def test_a_specification_makes_the_same_vector_environment_again(env_id, arguments):
    envs = gym.make_vec(
        env_id, num_envs=3, autoreset_mode=AutoresetMode.SAME_STEP, max_episode_steps=9, **arguments
    )
    read = EnvSpec.from_json(envs.spec.to_json())
    again = gym.make_vec(read)
    assert envs.spec == read == again.spec
    assert (again.num_envs, again.unwrapped.max_episode_steps) == (3, 9)
    assert again.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert_same(course(envs), course(again))


@pytest.mark.parametrize(
    "schedule", [Alternating(), lambda t: [0.0, 0.4]], ids=["object", "lambda"]
)
def test_what_has_no_name_stays_itself_in_a_specification(schedule):
    env = gym.make("ReachArm-v0", schedule=schedule)
    assert isinstance(env.spec.kwargs["schedule"], type(schedule))
    again = gym.make(env.spec)
    assert_same(course(env), course(again))
    with pytest.raises(TypeError, match="JSON"):
        env.spec.to_json()


def test_an_orbit_that_holds_more_than_its_fields_stays_itself():
    orbit = Ellipse()
    object.__setattr__(orbit, "more", 1)
    assert_nameless(orbit)


class OfOneArgument(arm_env.Circle):
    def __init__(self, size=0.05):
        super().__init__(radius=(size, size))


def assert_nameless(orbit):
    """It works within the process, and never becomes another orbit by way of JSON."""
    assert plain(orbit).value is orbit
    env = gym.make("CircleArm-v0", orbit=orbit)
    assert gym.make(env.spec).unwrapped.task == orbit and gym.make(env.spec).spec == env.spec
    with pytest.raises(TypeError, match="JSON"):
        env.spec.to_json()


def test_an_orbit_of_a_local_class_or_of_other_arguments_stays_itself():
    @dataclass(frozen=True)
    class Local(arm_env.Circle):
        pass

    assert_nameless(Local())
    assert_nameless(OfOneArgument(0.06))


def test_a_wrapped_environment_is_specified_with_its_wrappers():
    env = gym.wrappers.RescaleAction(
        gym.make("ReachArm-v0", perturbation=Perturbation(curl=5)), -1.0, 1.0
    )
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert isinstance(again, gym.wrappers.RescaleAction) and again.unwrapped.perturbation.curl == 5


@settings(max_examples=40, deadline=None)
@given(
    curl=st.floats(-200, 200),
    mass=st.floats(0.5, 4),
    delay=st.integers(0, 10),
    alpha=st.floats(0, 1e3),
    targets=st.lists(
        st.tuples(st.floats(-0.05, 0.05), st.floats(0.35, 0.45)), min_size=1, max_size=4
    ),
)
def test_any_specification_survives_json(curl, mass, delay, alpha, targets):
    env = gym.make(
        "ReachArm-v0",
        perturbation=Perturbation(mass=mass, curl=curl, delay=delay * 0.01),
        weights={"alpha": alpha},
        schedule=targets,
    )
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped.simulation.settings == env.unwrapped.simulation.settings
    json.loads(env.spec.to_json())


# --- what an episode says
# ---------------------------------------------------------------------------


def test_a_hand_on_the_attractor_succeeds():
    env = make(noise=0.0)
    info = env.reset(seed=1)[1]
    assert info["is_success"] is True
    env.reset(seed=1, options={"posture": [0.5, 1.5], "targets": [-0.2, 0.3]})
    assert env.step(np.zeros(6, dtype=np.float32))[4]["is_success"] is False


@pytest.mark.parametrize(
    ("factor", "succeeds"),
    [
        (1.0, True),
        (1.2, True),
        (0.8, True),
        (1.3, False),
        (0.7, False),
        (0.0, False),
        (-1.0, False),
    ],
)
def test_a_hand_succeeds_on_a_circle_only_at_about_the_commanded_speed(factor, succeeds):
    env = make("CircleArm-v0", noise=0.0)
    env.reset(seed=2)
    env.simulation.state[0, 2:4] *= factor
    costs = env.simulation.present()[0]
    assert bool(costs[0, 4]) is succeeds


def test_a_hand_succeeds_on_a_circle_that_stands_still_by_being_there():
    env = make("CircleArm-v0", noise=0.0, schedule=[0.0, 0.4, 0.05, 0.0])
    assert env.reset(seed=2)[1]["is_success"] is True


@pytest.mark.parametrize("env_id", ["ReachArm-v0", "CircleArm-v0"])
def test_arms_of_a_vector_environment_say_what_single_ones_say(env_id):
    envs = gym.make_vec(env_id, 4, noise=0.0)
    envs.reset(seed=3)
    info = envs.step(envs.action_space.high)[4]
    assert info["is_success"].dtype == bool and info["_is_success"].all()
    env = make(env_id, noise=0.0)
    for i in range(4):
        env.reset(seed=1)
        env.simulation.state[0], env.simulation.command = info["state"][i], info["command"][[i]]
        assert bool(env.simulation.present()[0][0, 4]) == info["is_success"][i]


# --- names for subclasses
# ---------------------------------------------------------------------------


def subclasses_with(**attributes):
    """Environments of one and of many arms with attributes of their own.

    Their ``__init__`` sets them before and after ours.
    """

    def init(self, **arguments):
        self.early = 1
        super(type(self), self).__init__(**arguments)
        for name, value in attributes.items():
            setattr(self, name, value)

    for base in (arm_env.ReachArmEnv, arm_env.envs.vector_env.ReachArmVectorEnv):
        yield type("M", (base,), {"__init__": init})()


@pytest.mark.parametrize(
    "name", ["mask", "_noise", "tasks", "weight", "alarm", "nosie", "arms", "spec_"]
)
def test_a_subclass_and_a_wrapper_may_have_any_attribute_of_their_own(name):
    for env in subclasses_with(**{name: 3}):
        assert getattr(env, name) == 3 and env.early == 1
        env.noise = 0.1  # and settings are settings
        assert env.noise == 0.1

    class Wrapper(gym.Wrapper):
        def __init__(self, env):
            super().__init__(env)
            setattr(self, name, 3)

    assert getattr(Wrapper(gym.make("ReachArm-v0")), name) == 3


@pytest.mark.parametrize("name", ["mask", "_noise", "alarm", "note", "goal"])
def test_names_that_are_no_misspelt_setting_may_be_set(name):
    env = make()
    setattr(env, name, 3)
    assert getattr(env, name) == 3


class Mixin:
    noise = 0.05


@pytest.mark.parametrize(
    "name", ["noise", "weights", "arm", "control_period", "schedule", "task", "perturbation"]
)
@pytest.mark.parametrize("base", [arm_env.ReachArmEnv, arm_env.envs.vector_env.ReachArmVectorEnv])
def test_a_setting_in_the_body_of_a_subclass_is_refused_instead_of_hidden(base, name):
    with pytest.raises(
        TypeError, match=rf"^{name} in the body of M .* super\(\).__init__\({name}=...\)"
    ):
        type("M", (base,), {name: None})
    if name == "noise":
        with pytest.raises(TypeError, match=r"^noise in the body of M"):
            type("M", (Mixin, base), {})


def test_a_subclass_may_put_a_property_in_a_setting_s_place():
    class M(arm_env.ReachArmEnv):
        @property
        def noise(self):
            return super().noise

        @noise.setter
        def noise(self, value):
            arm_env.ReachArmEnv.noise.__set__(self, 2 * value)

    env = M()
    env.noise = 0.05
    assert env.noise == 0.1


def test_a_setting_that_is_set_too_early_says_when_it_can_be():
    class M(arm_env.ReachArmEnv):
        def __init__(self):
            self.noise = 0.05
            super().__init__()

    with pytest.raises(
        AttributeError, match=r"the setting noise exists only after super\(\).__init__\(\)"
    ):
        M()


@pytest.mark.parametrize("name", ["action_space", "observation_space"])
def test_a_space_that_is_none_is_refused(name):
    for env in (make(), gym.make_vec("ReachArm-v0", 2).unwrapped, *subclasses_with()):
        before = getattr(env, name)
        with pytest.raises(ValueError, match=f"^{name} must be a gymnasium.Space, not None"):
            setattr(env, name, None)
        assert getattr(env, name) is before
    for env in subclasses_with(**{name: gym.spaces.Discrete(3)}):  # it may translate them
        assert getattr(env, name) == gym.spaces.Discrete(3)


def test_a_misspelt_setting_of_many_arms_is_refused_with_a_hint():
    with pytest.raises(AttributeError, match=r"no attribute 'nosie' to set: did you mean noise\?"):
        gym.make_vec("ReachArm-v0", 2).unwrapped.set_attr("nosie", 0.0)


# --- numbers that are equal, and texts that are none
# ------------------------------------------------


@pytest.mark.parametrize("delay", [0.0333333, 0.033333333, 1 / 30, 0.0999999, 0.1, 0.3333333])
def test_a_delay_with_the_digits_that_a_person_writes_is_a_multiple(delay):
    periods = Perturbation(delay=delay).delay_periods(1 / 30)
    assert periods == round(30 * delay)
    make(control_period=1 / 30, perturbation={"delay": delay})


@pytest.mark.parametrize("delay", [0.03333, 0.0334, 0.05, 1e-9, 0.99])
def test_another_delay_is_none(delay):
    with pytest.raises(ValueError, match="multiple of the control period"):
        make(control_period=1 / 30, perturbation={"delay": delay})


@pytest.mark.parametrize(
    "arguments",
    [
        {"noise": "1_0"},
        {"control_period": "0.0_1"},
        {"weights": {"alpha": "1_0"}},
        {"arm": {"mass": ["1", "1_0"]}},
    ],
    ids=str,
)
def test_underscores_in_numbers_are_refused(arguments):
    with pytest.raises(ValueError, match=r"must be .*not .*_"):
        make(**arguments)
    with pytest.raises(ValueError, match="num_envs must be a whole number"):
        gym.make_vec("ReachArm-v0", num_envs="1_0")


@pytest.mark.filterwarnings("error")
def test_tensors_whose_gradient_is_wanted_are_numbers():
    weight = torch.tensor(0.25, requires_grad=True)
    env = make(noise=weight, arm={"mass": torch.tensor([1.0, 2.0], requires_grad=True)})
    assert env.noise == 0.25 and env.arm.mass == (1.0, 2.0)
    env.reset(seed=1, options={"posture": torch.tensor([0.5, 1.5], requires_grad=True)})
    action = torch.full((6,), 0.5, requires_grad=True)
    expected = make(noise=0.25, arm={"mass": (1, 2)})
    expected.reset(seed=1, options={"posture": [0.5, 1.5]})
    np.testing.assert_array_equal(env.step(action)[0], expected.step(np.full(6, 0.5))[0])
    envs = gym.make_vec("ReachArm-v0", 2)
    envs.reset(seed=1)
    envs.step(action.expand(2, 6))
