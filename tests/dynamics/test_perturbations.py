"""Perturbations: body and field against closed forms, the delay against the undelayed arm."""

import warnings
from dataclasses import fields, replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import RescaleAction
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics import equations, plant
from arm_env.dynamics.parameters import Arm
from arm_env.dynamics.perturbations import Perturbation

ARM = Arm()
OTHER_ARM = replace(
    ARM, mass=(2.0, 1.3), length=(0.35, 0.28), centre_of_mass=(0.12, 0.14), inertia=(0.05, 0.06)
)
ARMS = pytest.mark.parametrize("arm", [ARM, OTHER_ARM], ids=["default", "other"])
IDS = pytest.mark.parametrize("env_id", ["ReachArm-v0", "CircleArm-v0"])
BODY = Perturbation(mass=0.9, strength=1.1, curl=-12.0, load=0.4)
EVERYTHING = replace(BODY, delay=0.04)
DELAY = 3  # control periods
LATE = Perturbation(delay=DELAY * 0.01)
SENSES = 18


def states(seed, number=50):
    """Postures within the stops, moving; muscles slack."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(np.add(ARM.lower_stop, 0.2), np.subtract(ARM.upper_stop, 0.2), (number, 2))
    return np.concatenate([angles, rng.uniform(-3, 3, (number, 2)), np.zeros((number, 6))], -1)


def links(arm, x):
    """Upper arm and forearm as complex numbers, (B,) each."""
    return arm.length[0] * np.exp(1j * x[:, 0]), arm.length[1] * np.exp(1j * (x[:, 0] + x[:, 1]))


def jacobian(arm, x):
    """∂(hand)/∂θ as complex numbers, (B, 2)."""
    first, second = links(arm, x)
    return 1j * np.stack([first + second, second], -1)


def mass_matrices(arm, x):
    m11, m12, m22 = equations.mass_matrix(NUMPY, arm.arrays(), x[:, :2])
    return np.stack([m11, m12, m12, np.broadcast_to(m22, m11.shape)], -1).reshape(-1, 2, 2)


def random_actions(envs, steps, seed):
    return (
        np.random.default_rng(seed)
        .uniform(0, 1, (steps, *envs.action_space.shape))
        .astype(np.float32)
    )


# --- the body -------------------------------------------------------------------------------------


@ARMS
def test_a_load_adds_the_inertia_of_a_point_mass_at_the_hand(arm):
    """Jᵀ m J."""
    x = states(1)
    load = 0.7
    j = jacobian(arm, x)
    added = mass_matrices(Perturbation(load=load).applied_to(arm), x) - mass_matrices(arm, x)
    np.testing.assert_allclose(
        added, load * (j[:, :, None].conj() * j[:, None, :]).real, rtol=0, atol=1e-14
    )


@ARMS
def test_a_load_adds_the_centrifugal_torques_of_a_point_mass_at_the_hand(arm):
    """Jᵀ m p̈, p̈ the hand's acceleration at constant joint velocities."""
    x = states(2)
    load = 0.7
    w1, w12 = x[:, 2], x[:, 2] + x[:, 3]
    first, second = links(arm, x)
    acceleration = -first * w1**2 - second * w12**2

    def torques(arm):
        return np.stack(equations.coriolis(NUMPY, arm.arrays(), x[:, :2], x[:, 2:4]), -1)

    added = torques(Perturbation(load=load).applied_to(arm)) - torques(arm)
    expected = load * (jacobian(arm, x).conj() * acceleration[:, None]).real
    np.testing.assert_allclose(added, expected, rtol=0, atol=1e-13)


@ARMS
def test_mass_and_strength_are_factors(arm):
    changed = Perturbation(mass=1.2, strength=0.8).applied_to(arm)
    np.testing.assert_allclose(
        mass_matrices(changed, states(3)), 1.2 * mass_matrices(arm, states(3)), rtol=1e-13
    )
    np.testing.assert_allclose(changed.maximum_force, 0.8 * np.array(arm.maximum_force), rtol=1e-15)
    same = {"mass", "inertia", "maximum_force"}
    assert all(
        getattr(changed, f.name) == getattr(arm, f.name) for f in fields(arm) if f.name not in same
    )


def test_twice_the_strength_is_twice_the_muscles_torque():
    x, u = states(4), np.full(6, 0.3)
    x[:, 2:4], x[:, 4:] = 0, 0.3

    def acceleration(strength):
        arm = replace(Perturbation(strength=strength).applied_to(ARM), friction=(0.0, 0.0, 0.0))
        return (equations.step(NUMPY, arm.arrays(), x, u, 1e-9) - x)[:, 2:4] / 1e-9

    np.testing.assert_allclose(acceleration(2.0), 2 * acceleration(1.0), rtol=1e-6, atol=1e-5)


@ARMS
def test_the_default_changes_nothing(arm):
    assert Perturbation().applied_to(arm) == arm
    assert Perturbation(curl=5).applied_to(replace(arm, curl=2.0)).curl == 7


# --- the curl field -------------------------------------------------------------------------------


@pytest.mark.parametrize("curl", [20.0, -20.0])
def test_the_field_accelerates_by_its_force_on_the_hand(curl):
    """M⁻¹ Jᵀ F, with an error of first order in the step.

    F is the hand's velocity, turned to the right, times curl.
    """
    x = states(5)
    arm = replace(ARM, friction=(0.0, 0.0, 0.0))
    field = Perturbation(curl=curl)
    j = jacobian(arm, x)
    force = -1j * curl * (j * x[:, 2:4]).sum(-1)
    torque = (j.conj() * force[:, None]).real
    np.testing.assert_allclose((torque * x[:, 2:4]).sum(-1), 0, atol=1e-12)  # it does no work
    expected = np.linalg.solve(mass_matrices(arm, x), torque[..., None])[..., 0]
    steps = 1e-3 / 2 ** np.arange(4)
    errors = []
    for h in steps:
        on, off = (
            equations.step(NUMPY, a.arrays(), x, np.zeros(6), h)
            for a in (field.applied_to(arm), arm)
        )
        errors.append(np.abs((on - off)[:, 2:4] / h - expected).max())
    assert np.abs(expected).max() > 10
    assert 0.9 < np.polyfit(np.log(steps), np.log(errors), 1)[0] < 1.1


@pytest.mark.parametrize("curl", [20.0, -20.0])
def test_a_positive_field_bends_the_path_to_the_right(curl):
    x = np.r_[np.deg2rad([45, 90]), 1.0, 0.5, np.zeros(6)]
    arm = Perturbation(curl=curl).applied_to(ARM).arrays()
    free = ARM.arrays()
    _, _, vx, vy = equations.hand(NUMPY, free, x)
    _, _, nx, ny = equations.hand(NUMPY, arm, equations.step(NUMPY, arm, x, np.zeros(6), 1e-3))
    _, _, ox, oy = equations.hand(NUMPY, free, equations.step(NUMPY, free, x, np.zeros(6), 1e-3))
    assert np.sign((nx - ox) * vy - (ny - oy) * vx) == np.sign(curl)


def test_the_field_keeps_the_kinetic_energy_of_the_free_arm():
    """But for a drift that vanishes with the step."""
    arm = replace(ARM, friction=(0.0, 0.0, 0.0), curl=30.0)
    start = np.r_[np.deg2rad([50, 80]), -1.0, 2.0, np.zeros(6)]
    drift = []
    for h in 0.005 / 2 ** np.arange(4):
        x = start.copy()
        for _ in range(round(0.16 / h)):
            plant.step(arm.flat(), h, x, np.zeros(6), x)
        energy = [equations.kinetic_energy(NUMPY, arm.arrays(), y) for y in (start, x)]
        drift.append(abs(energy[1] / energy[0] - 1))
    assert (np.array(drift[1:]) < 0.6 * np.array(drift[:-1])).all() and drift[-1] < 0.01


@pytest.mark.parametrize("curl", [-200.0, 50.0])
def test_the_step_is_stable_in_a_field_under_full_co_contraction(curl):
    shoulder, elbow = np.meshgrid(
        np.deg2rad(np.arange(0, 111, 10)), np.deg2rad(np.arange(30, 141, 10))
    )
    x = np.concatenate(
        [np.stack([shoulder.ravel(), elbow.ravel()], -1), np.zeros((144, 2)), np.ones((144, 6))], -1
    )
    arm, u, eps = Perturbation(curl=curl).applied_to(ARM).arrays(), np.ones(6), 1e-7
    ahead, behind = (
        np.stack([equations.step(NUMPY, arm, x + s * eps * e, u, 0.005) for e in np.eye(10)], -1)
        for s in (1, -1)
    )
    assert np.abs(np.linalg.eigvals((ahead - behind) / (2 * eps))).max() <= 1.05


def test_the_adjoint_of_the_step_in_a_field_is_its_transposed_derivative():
    rng, arm, h, eps = np.random.default_rng(6), EVERYTHING.applied_to(ARM), 0.005, 1e-6
    x, u = states(6, 20), rng.uniform(0.1, 0.9, (20, 6))
    x[:, 4:] = rng.uniform(0.1, 0.9, (20, 6))
    for state, excitation in zip(x, u, strict=True):
        g, g_x, g_u = rng.normal(0, 1, 10), np.empty(10), np.empty(6)
        plant.step_vjp(arm.flat(), h, state, excitation, g, g_x, g_u)

        def projected(joint, g=g):
            out = np.empty(10)
            plant.step(arm.flat(), h, joint[:10].copy(), joint[10:].copy(), out)
            return g @ out

        joint = np.r_[state, excitation]
        expected = [
            (projected(joint + d) - projected(joint - d)) / (2 * eps) for d in eps * np.eye(16)
        ]
        np.testing.assert_allclose(np.r_[g_x, g_u], expected, rtol=1e-6, atol=1e-6)


# --- environments ---------------------------------------------------------------------------------


def trajectory(env, seed=1, steps=60):
    """Everything that a seeded episode shows, as one array."""
    observation, info = env.reset(seed=seed)
    shown = [observation, info["state"]]
    for action in random_actions(env, steps, 2):
        observation, reward, _, _, info = env.step(action)
        shown += [observation, np.atleast_1d(reward), info["state"], info["hand"]]
    return np.concatenate([np.ravel(part) for part in shown])


@IDS
def test_no_perturbation_and_the_default_one_are_the_same_to_the_bit(env_id):
    for make in (gym.make, lambda *a, **k: gym.make_vec(*a, num_envs=3, **k)):
        plain = trajectory(make(env_id))
        for perturbation in (None, Perturbation()):
            np.testing.assert_array_equal(
                trajectory(make(env_id, perturbation=perturbation)), plain
            )


@IDS
def test_a_perturbed_body_moves_as_that_arm_does(env_id):
    given = trajectory(gym.make(env_id, perturbation=BODY))
    np.testing.assert_array_equal(trajectory(gym.make(env_id, arm=BODY.applied_to(ARM))), given)
    assert (given != trajectory(gym.make(env_id))).mean() > 0.5


@IDS
def test_one_perturbed_arm_of_a_batch_is_the_single_environment(env_id):
    single = trajectory(gym.make(env_id, perturbation=EVERYTHING))
    batch = trajectory(gym.make_vec(env_id, num_envs=1, perturbation=EVERYTHING))
    np.testing.assert_allclose(batch, single, rtol=1e-12, atol=1e-15)


@IDS
def test_the_same_seed_is_the_same_perturbed_trajectory(env_id):
    env = gym.make(env_id, perturbation=EVERYTHING)
    first = trajectory(env)
    np.testing.assert_array_equal(trajectory(env), first)
    assert (trajectory(env, seed=2) != first).mean() > 0.5


@IDS
@pytest.mark.parametrize(
    "arm", [ARM, replace(OTHER_ARM, max_excitation=1.5)], ids=["default", "other"]
)
def test_spaces_are_those_of_the_unperturbed_arm(env_id, arm):
    perturbation = Perturbation(mass=0.8, strength=1.2, curl=40, delay=0.06)
    plain = gym.make(env_id, arm=arm)
    env = gym.make(env_id, arm=arm, perturbation=perturbation)
    assert (
        env.observation_space == plain.observation_space and env.action_space == plain.action_space
    )
    envs = gym.make_vec(env_id, num_envs=2, arm=arm, perturbation=perturbation)
    assert envs.single_observation_space == plain.observation_space
    env.reset(seed=1)
    for action in random_actions(env, 100, 2):
        assert env.observation_space.contains(env.step(np.round(action) * arm.max_excitation)[0])


@IDS
def test_both_checkers_find_nothing(env_id):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(env_id, perturbation=EVERYTHING).unwrapped, skip_render_check=True)
        sb3_check_env(RescaleAction(gym.make(env_id, perturbation=EVERYTHING), -1, 1))


# --- delay ----------------------------------------------------------------------------------------


def both(env_id, number=None, **arguments):
    """The delayed environment and the same without the delay."""
    for perturbation in (LATE, None):
        if number is None:
            yield gym.make(env_id, perturbation=perturbation, **arguments)
        else:
            yield gym.make_vec(env_id, num_envs=number, perturbation=perturbation, **arguments)


@IDS
@pytest.mark.parametrize("control_period", [0.01, 0.015])
def test_delayed_senses_are_those_of_so_long_ago_and_commands_are_current(env_id, control_period):
    """Over the jump of the command.

    The first signals are those of the reset; rewards and info are not late.
    """
    late, prompt = both(env_id, noise=0, control_period=control_period)
    delay = round(LATE.delay / control_period)
    seen = []
    observation = late.reset(seed=3)[0]
    seen.append(prompt.reset(seed=3)[0])
    np.testing.assert_array_equal(observation, seen[0])
    commands = set()
    for t, action in enumerate(random_actions(late, prompt.spec.max_episode_steps, 4), 1):
        observation, reward, *_, info = late.step(action)
        now, prompt_reward, *_, prompt_info = prompt.step(action)
        seen.append(now)
        np.testing.assert_array_equal(observation[:SENSES], seen[max(0, t - delay)][:SENSES])
        np.testing.assert_array_equal(observation[SENSES:], now[SENSES:])
        assert reward == prompt_reward
        assert all(np.array_equal(info[key], prompt_info[key]) for key in info)
        commands.add(observation[SENSES:].tobytes())
    assert len(commands) > 1


@IDS
def test_the_noise_of_delayed_senses_is_drawn_anew(env_id):
    """Both environments draw the same ω.

    o_late(t) = s(t − d) (1 + ω_t), o_prompt(t) = s(t) (1 + ω_t).
    """
    late, prompt = both(env_id)
    late.reset(seed=5)
    truth = [prompt.reset(seed=5)[1]["state"]]
    for t, action in enumerate(random_actions(late, 40, 6), 1):
        observation, *_, info = late.step(action)
        prompt_observation = prompt.step(action)[0]
        truth.append(info["state"])
        old, new = (equations.sense(NUMPY, ARM.arrays(), truth[i]) for i in (max(0, t - DELAY), t))
        np.testing.assert_allclose(
            observation[:SENSES] * new, prompt_observation[:SENSES] * old, rtol=1e-5, atol=1e-6
        )
        np.testing.assert_array_equal(observation[SENSES:], prompt_observation[SENSES:])


@IDS
@pytest.mark.parametrize("mode", AutoresetMode, ids=lambda mode: mode.value)
def test_an_arm_that_is_reset_forgets_what_it_sensed(env_id, mode):
    """By itself or by a mask, alone among others.

    Episodes have eight steps, and the second arm is out of step.
    """
    late, prompt = both(env_id, 3, noise=0, max_episode_steps=8, autoreset_mode=mode)
    past = [[], [], []]  # of every arm, since its reset

    def check(observations, now, moved, began):
        for i in np.flatnonzero(moved):
            past[i] = [*([] if began[i] else past[i]), now[i]]
        expected = np.stack([one[max(0, len(one) - 1 - DELAY)][:SENSES] for one in past])
        np.testing.assert_array_equal(observations[:, :SENSES], expected)
        np.testing.assert_array_equal(observations[:, SENSES:], now[:, SENSES:])

    def reset(mask):
        options = {"reset_mask": mask}
        check(
            late.reset(seed=7, options=options)[0],
            prompt.reset(seed=7, options=options)[0],
            mask,
            mask,
        )

    reset(np.ones(3, dtype=bool))
    resets = 0
    for t, actions in enumerate(random_actions(late, 30, 8)):
        if t == 4:
            reset(np.array([False, True, False]))
        observations, _, _, ended, infos = late.step(actions)
        now, _, _, _, prompt_infos = prompt.step(actions)
        began = late.unwrapped.simulation.elapsed == 0
        for i in np.flatnonzero(infos.get("_final_obs", [])):
            last = prompt_infos["final_obs"][i]
            np.testing.assert_array_equal(
                infos["final_obs"][i], np.r_[past[i][-DELAY][:SENSES], last[SENSES:]]
            )
        check(observations, now, np.ones(3, dtype=bool), began)
        resets += began.sum()
        if ended.any() and mode is AutoresetMode.DISABLED:
            reset(ended)
            resets += ended.sum()
    assert resets >= 8


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "values", "match"),
    [
        ("mass", [0, -1, 1e-6, np.inf, np.nan], "mass.*from 0.5 to 4"),
        ("strength", [0, -0.2, 1000, np.inf, np.nan], "strength.*from 0.05 to 2"),
        ("curl", [1e200, np.inf, -np.inf, np.nan, "curl", True, None], "curl.*from -200 to 200"),
        ("load", [-0.1, np.inf, np.nan], "load.*from 0 to 10"),
        ("delay", [-0.01, 1.1, np.inf, np.nan], "delay.*from 0 to 1"),
    ],
)
def test_bad_values_are_refused(field, values, match):
    for value in values:
        with pytest.raises(ValueError, match=match):
            Perturbation(**{field: value})


@pytest.mark.parametrize(("delay", "control_period"), [(0.005, 0.01), (0.03, 0.02), (0.001, 0.01)])
def test_a_delay_between_control_periods_is_refused(delay, control_period):
    arguments = {"perturbation": Perturbation(delay=delay), "control_period": control_period}
    with pytest.raises(ValueError, match=f"multiple of the control period, {control_period}"):
        gym.make("ReachArm-v0", **arguments)
    with pytest.raises(ValueError, match=f"multiple of the control period, {control_period}"):
        gym.make_vec("ReachArm-v0", num_envs=2, **arguments)


@pytest.mark.parametrize("control_period", [0.01, 0.02, 0.03, 0.005, 0.06, 0.1 / 3])
def test_every_multiple_is_taken(control_period):
    for periods in range(11):
        assert Perturbation(delay=periods * control_period).delay_periods(control_period) == periods
