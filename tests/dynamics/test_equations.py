"""The equations against independent derivations: geometry, muscles, skeleton, integrator."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from arm_env.dynamics import plant
from arm_env.dynamics.equations import (
    FASTEST_SHORTENING,
    NUMPY,
    ROUNDING,
    coriolis,
    excitation,
    force_curves,
    hand,
    joint_stop,
    kinetic_energy,
    mass_matrix,
    moment_arms,
    muscle_length,
    muscle_velocity,
    step,
)
from arm_env.dynamics.parameters import Arm

ARM = Arm()
NUMBERS = ARM.arrays()
LENGTHS = np.linspace(0.5, 1.7, 49)  # [L0] below, F_P swamps everything else
SUBSTEP = 0.005  # [s]


def states(seed, number=50, speed=5.0):
    """Random body states well inside the joint stops."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(np.deg2rad([0, 30]), np.deg2rad([110, 140]), (number, 2))
    return np.concatenate(
        [angles, rng.uniform(-speed, speed, (number, 2)), rng.uniform(0, 1, (number, 6))], -1
    )


def moved(x, time):
    """The states with their angles carried on at constant velocity."""
    return np.concatenate([x[:, :2] + time * x[:, 2:4], x[:, 2:]], -1)


# --- geometry -------------------------------------------------------------------------------------


def test_hand_velocity_is_the_derivative_of_hand_position():
    x, eps = states(1), 1e-6
    after = np.stack(hand(NUMPY, NUMBERS, moved(x, eps)))
    before = np.stack(hand(NUMPY, NUMBERS, moved(x, -eps)))
    # Rounding of the difference is 1e-10, its truncation eps² (10 rad/s)³ 0.6 m / 6 = 1e-10.
    np.testing.assert_allclose(
        hand(NUMPY, NUMBERS, x)[2:], (after - before)[:2] / (2 * eps), rtol=0, atol=2e-9
    )


def test_outstretched_arm_reaches_the_sum_of_its_links():
    x = np.zeros((1, 10))
    np.testing.assert_allclose(np.ravel(hand(NUMPY, NUMBERS, x)), [0.63, 0, 0, 0], atol=1e-15)


# Nijhof & Kouwenhoven (2000): F [N], L0 and tendon [cm], a0, b1, c1, c2 [m] of each muscle.
PUBLISHED = np.array([
    [838.0, 13.4, 3.9, 0.151, -0.03, 0.0, 0.0],
    [1207.0, 14.0, 6.6, 0.2322, 0.03, 0.0, 0.0],
    [1422.0, 9.2, 17.2, 0.2859, 0.0, -0.014, -0.004],
    [1549.0, 9.3, 18.7, 0.2355, 0.0, 0.025, -0.0022],
    [414.0, 13.7, 20.4, 0.3329, -0.03, -0.016, -0.0057],
    [603.0, 12.7, 21.7, 0.2989, 0.03, 0.03, -0.0032],
])  # fmt: skip


def published_lengths(angles):
    """Lengths λ of muscle and tendon [m], (..., 6), also of complex angles, (..., 2)."""
    a0, b1, c1, c2 = PUBLISHED[:, 3:].T
    shoulder, elbow = angles[..., 0:1], angles[..., 1:2]
    return a0 + b1 * (shoulder - math.pi / 2) + c1 * elbow + c2 * elbow**2


def published_slopes(angles):
    """∂λ/∂θ [m], (..., 2, 6), by a complex step: exact, since nothing is subtracted."""
    step = 1e-30
    turned = [published_lengths(angles + 1j * step * joint) for joint in np.eye(2)]
    return np.stack(turned, -2).imag / step


def workspace():
    """Joint angles [rad] all over the workspace, (B, 2), its edges among them."""
    shoulder, elbow = np.meshgrid(
        np.deg2rad(np.arange(0, 111, 5)), np.deg2rad(np.arange(30, 141, 5))
    )
    return np.stack([shoulder.ravel(), elbow.ravel()], -1)


def turning(arm, angles):
    """Moment arms [m], (B, 2, 6)."""
    r1, r2 = moment_arms(arm.arrays(), angles)
    return np.stack([np.broadcast_to(r1, r2.shape), r2], 1)


def test_muscle_velocity_is_the_derivative_of_muscle_length():
    # lengths are quadratic in the angles: no truncation, 1e-13 of rounding
    x, eps = states(2), 1e-3
    after = muscle_length(NUMBERS, moved(x, eps)[:, :2])
    before = muscle_length(NUMBERS, moved(x, -eps)[:, :2])
    velocity = muscle_velocity(NUMBERS, x[:, :2], x[:, 2:4])
    np.testing.assert_allclose(velocity, (after - before) / (2 * eps), rtol=0, atol=1e-11)


def test_moment_arms_are_minus_the_derivative_of_the_published_length():
    angles = states(3)[:, :2]
    np.testing.assert_allclose(turning(ARM, angles), -published_slopes(angles), rtol=1e-14, atol=0)


def test_torque_does_the_work_that_the_shortening_muscles_do():
    """Virtual work: τ = −(∂λ/∂θ)ᵀ T.

    The compiled step from rest moves the joints by h (M + h/2 D)⁻¹ τ.
    """
    x, h = states(9, speed=0.0), 1e-6
    force = ARM.maximum_force * x[:, 4:]  # the excitation is the activation, so it stays
    pull, slope = force_curves(NUMPY, muscle_length(NUMBERS, x[:, :2]), np.zeros((len(x), 6)))
    lever = published_slopes(x[:, :2])
    torque = -np.einsum("bji,bi->bj", lever, force * pull)
    own = np.einsum("bji,bi->bj", turning(ARM, x[:, :2]), force * pull)
    np.testing.assert_allclose(own, torque, rtol=1e-12)

    after = x.copy()
    for state in after:
        plant.step(ARM.flat(), h, state, state[4:].copy(), state)
    friction = np.array([ARM.friction[:2], ARM.friction[1:]])
    damping = friction + np.einsum(
        "bji,bi,bki->bjk", lever, force * slope / ARM.optimal_length, lever
    )
    resistance = mass_matrices(x[:, :2]) + 0.5 * h * damping
    moved_by = np.einsum("bjk,bk->bj", resistance, after[:, 2:4] / h)
    np.testing.assert_allclose(moved_by, torque, rtol=1e-12, atol=1e-12 * np.abs(torque).max())


def test_muscle_lengths_by_hand():
    """At a shoulder of 40° and an elbow of 100°: −50° and 100° from where lengths are measured."""
    shoulder, elbow = math.radians(-50), math.radians(100)
    expected = [
        (15.1 - 3.9 - 3 * shoulder) / 13.4,
        (23.22 - 6.6 + 3 * shoulder) / 14.0,
        (28.59 - 17.2 - 1.4 * elbow - 0.4 * elbow**2) / 9.2,
        (23.55 - 18.7 + 2.5 * elbow - 0.22 * elbow**2) / 9.3,
        (33.29 - 20.4 - 3 * shoulder - 1.6 * elbow - 0.57 * elbow**2) / 13.7,
        (29.89 - 21.7 + 3 * shoulder + 3 * elbow - 0.32 * elbow**2) / 12.7,
    ]
    assert expected == pytest.approx([1.0312, 1.0001, 0.8400, 0.9186, 0.8014, 0.7743], abs=5e-5)
    np.testing.assert_allclose(
        muscle_length(NUMBERS, np.deg2rad([40.0, 100.0])), expected, rtol=1e-14
    )


def test_maximum_forces_are_the_published_ones():
    assert ARM.maximum_force == tuple(PUBLISHED[:, 0])


def test_muscles_have_the_lengths_over_the_workspace_that_were_designed_for():
    lengths = muscle_length(NUMBERS, workspace())
    shortest = (0.76, 0.85, 0.61, 0.66, 0.33, 0.39)
    longest = (1.19, 1.26, 1.15, 1.04, 1.21, 1.15)
    np.testing.assert_allclose(lengths.min(0), shortest, rtol=0, atol=0.005)
    np.testing.assert_allclose(lengths.max(0), longest, rtol=0, atol=0.005)


def test_elbow_moment_arms_over_the_workspace_are_those_that_were_designed_for():
    arms = 100 * turning(ARM, workspace())[:, 1]  # [cm]
    assert (arms[:, :2] == 0).all()
    np.testing.assert_allclose(arms.min(0)[2:], (1.8, -2.3, 2.2, -2.7), rtol=0, atol=0.05)
    np.testing.assert_allclose(arms.max(0)[2:], (3.4, -1.4, 4.4, -1.4), rtol=0, atol=0.05)


@pytest.mark.parametrize(
    ("joint", "sign", "weakest"),
    [(0, 1, 20.6), (0, -1, 33.3), (1, 1, 21.4), (1, -1, 22.4)],
    ids=["shoulder flexion", "shoulder extension", "elbow flexion", "elbow extension"],
)
def test_the_arm_is_strong_in_every_direction_all_over_the_workspace(joint, sign, weakest):
    """Torque [N m] at rest, every muscle that turns the joint that way fully active."""
    angles = workspace()
    pull = force_curves(NUMPY, muscle_length(NUMBERS, angles), np.zeros((len(angles), 6)))[0]
    torque = (np.maximum(sign * turning(ARM, angles)[:, joint], 0) * ARM.maximum_force * pull).sum(
        -1
    )
    assert torque.min() >= 15
    assert torque.min() == pytest.approx(weakest, abs=0.05)


# --- the macaque's muscles, as they were before ---------------------------------------------------

# [m]
MACAQUE_ARMS = np.array([[2.0, -2.0, 0.0, 0.0, 1.5, -2.0], [0.0, 0.0, 2.0, -2.0, 2.0, -1.5]]) / 100
# [rad]
MACAQUE_BEST = np.deg2rad(
    [[15.0, 4.88, 0.0, 0.0, 4.5, 2.12], [0.0, 0.0, 80.86, 109.32, 92.96, 91.52]]
)
MACAQUE_LENGTH = np.array([7.32, 3.26, 6.4, 4.26, 5.95, 4.04]) / 100  # [m]


def test_the_macaques_muscles_follow_the_earlier_formulas():
    arm, x = Arm.macaque(), states(10)
    shift = np.einsum("ji,bji->bi", MACAQUE_ARMS, MACAQUE_BEST - x[:, :2, None])
    speed = -x[:, 2:4] @ MACAQUE_ARMS / MACAQUE_LENGTH
    length = muscle_length(arm.arrays(), x[:, :2])
    np.testing.assert_allclose(length, 1 + shift / MACAQUE_LENGTH, rtol=0, atol=1e-12)
    velocity = muscle_velocity(arm.arrays(), x[:, :2], x[:, 2:4])
    np.testing.assert_allclose(velocity, speed, rtol=0, atol=1e-12)
    constant = np.broadcast_to(MACAQUE_ARMS, (50, 2, 6))
    np.testing.assert_allclose(turning(arm, x[:, :2]), constant, rtol=0, atol=1e-16)
    force = 31.8 * np.array([22.0, 12.0, 18.0, 14.0, 5.0, 10.0])
    np.testing.assert_allclose(arm.maximum_force, force, rtol=1e-15)
    assert arm.tone == 0


def test_the_macaque_differs_from_the_human_only_in_its_muscles():
    muscles = {"path_offset", "path_slope", "path_curvature", "tendon_length"}
    muscles |= {"optimal_length", "maximum_force", "tone"}
    for f in fields(Arm):
        same = getattr(Arm.macaque(), f.name) == getattr(ARM, f.name)
        assert same != (f.name in muscles), f.name
    assert Arm.macaque(max_excitation=2.0, tone=0.01) == replace(
        Arm.macaque(), max_excitation=2.0, tone=0.01
    )


def test_muscles_with_constant_moment_arms_have_their_optimal_length_at_their_optimal_angles():
    for muscle in range(6):
        length = muscle_length(Arm.macaque().arrays(), MACAQUE_BEST[:, muscle])[muscle]
        assert length == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"moment_arms": np.zeros((2, 5))}, "moment_arms must"),
        ({"moment_arms": np.full((2, 6), 1.5)}, "moment_arms must"),
        ({"optimal_angles": np.full((2, 6), math.nan)}, "optimal_angles must"),
        ({"optimal_length": np.zeros(6)}, "optimal_length must"),
        ({"maximum_force": -1}, "maximum_force must"),
    ],
)
def test_constant_moment_arms_that_can_not_be_meant_are_refused(changes, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        Arm.macaque(**changes)


# --- muscles --------------------------------------------------------------------------------------


def tension(length, velocity):
    length, velocity = np.broadcast_arrays(np.asarray(length, float), np.asarray(velocity, float))
    return force_curves(NUMPY, length, velocity)[0]


def active(length, velocity):
    """F_L F_V: the tension without its rounding and without F_P.

    T² − pT − ROUNDING²/4 = 0 is solved for p.
    """
    rounded = tension(length, velocity)
    return rounded - ROUNDING**2 / (4 * rounded) + 0.02 * np.exp(13.8 - 18.7 * np.asarray(length))


def force_length(length):
    return np.exp(-(np.abs((length**1.93 - 1) / 1.03) ** 1.87))


def test_tension_at_rest_is_the_force_length_curve():
    # F_P is −1.7 at the shortest, where undoing the rounding loses four digits.
    np.testing.assert_allclose(active(LENGTHS, 0.0), force_length(LENGTHS), rtol=0, atol=1e-11)


def test_tension_is_greatest_at_the_optimal_length():
    # |z| is held above 1e-6, which costs exp(−1e-6^1.87) = 1 − 6e-12.
    assert active(1.0, 0.0) == pytest.approx(1, abs=1e-10)
    assert (active(LENGTHS, 0.0) < 1 + 1e-10).all()


def test_no_active_force_at_the_fastest_shortening_and_beyond():
    for velocity in (-FASTEST_SHORTENING, -8.0, -30.0):
        np.testing.assert_allclose(active(LENGTHS, velocity), 0, atol=1e-11)


@pytest.mark.parametrize(
    ("length", "velocity", "force_velocity"),
    [
        # (−5.72 + 2) / (−5.72 + (1.38 + 2.09 · 0.9) · −2) = −3.72 / −12.242
        (0.9, -2.0, 3.72 / 12.242),
        # (0.62 + 1.9128 · 1) / (0.62 + 1), as −3.12 + 4.21 · 1.2 − 2.67 · 1.44 = −1.9128
        (1.2, 1.0, 2.5328 / 1.62),
        # (0.62 + 1.58 · 4) / (0.62 + 4), as −3.12 + 4.21 − 2.67 = −1.58
        (1.0, 4.0, 6.94 / 4.62),
    ],
)
def test_force_velocity_by_hand(length, velocity, force_velocity):
    assert active(length, velocity) == pytest.approx(
        force_length(length) * force_velocity, abs=1e-10
    )


def test_tension_by_hand():
    # F_L(1.2) = exp(−(0.4217388 / 1.03)^1.87) = 0.8283750, F_V(1.2, 1) as above, F_P = −0.02
    # exp(−8.64)
    pull = 0.8283750 * 1.5634568 - 3.54e-6
    assert tension(1.2, 1.0) == pytest.approx(0.5 * (pull + math.hypot(pull, 0.05)), abs=1e-6)


def test_rounding_adds_at_most_half_its_width_and_vanishes_for_strong_pulls():
    slack = tension(LENGTHS, -FASTEST_SHORTENING)  # F_P alone: a pull of at most 0
    assert (slack <= 0.5 * ROUNDING).all()
    assert tension(1.0, 0.0) - active(1.0, 0.0) < ROUNDING**2 / 4


def test_tension_is_continuous_where_shortening_turns_to_lengthening():
    np.testing.assert_allclose(tension(LENGTHS, -1e-9), tension(LENGTHS, 1e-9), rtol=0, atol=1e-8)


def test_muscles_never_push_and_curves_stay_finite():
    length, velocity = np.meshgrid(np.linspace(-0.5, 3, 141), np.linspace(-30, 30, 241))
    pull, slope = force_curves(NUMPY, length, velocity)
    assert np.isfinite(pull).all() and np.isfinite(slope).all()
    assert (pull >= 0).all() and (slope >= 0).all()


def test_no_length_and_velocity_exceed_the_pull_that_observations_allow_for():
    length, velocity = np.meshgrid(np.linspace(0, 3, 301), np.r_[np.linspace(-10, 100, 111), 1e9])
    assert 1.5 < tension(length, velocity).max() < plant.PULL_BOUND


def slope_of_tension(length, velocity, eps=1e-6):
    return (tension(length, velocity + eps) - tension(length, velocity - eps)) / (2 * eps)


def kink(length):
    """Slope of F_V just above v = 0 over that just below, from the two branches of the formula."""
    plateau = -3.12 + 4.21 * length - 2.67 * length**2
    return (-(1 + plateau) / 0.62) / ((1 + 1.38 + 2.09 * length) / 5.72)


SLOPE_TOLERANCE = dict(rtol=1e-7, atol=5e-9)  # rounding of the differences: a few 1e-10


@pytest.mark.parametrize("velocity", [0.01, 0.3, 2.0, 10.0, 30.0])
def test_slope_is_the_derivative_while_lengthening(velocity):
    slope = force_curves(NUMPY, LENGTHS, np.full_like(LENGTHS, velocity))[1]
    np.testing.assert_allclose(slope, slope_of_tension(LENGTHS, velocity), **SLOPE_TOLERANCE)


@pytest.mark.parametrize("velocity", [-0.01, -0.3, -2.0, -5.0])
def test_slope_is_the_scaled_derivative_while_shortening(velocity):
    slope = force_curves(NUMPY, LENGTHS, np.full_like(LENGTHS, velocity))[1]
    np.testing.assert_allclose(
        slope, kink(LENGTHS) * slope_of_tension(LENGTHS, velocity), **SLOPE_TOLERANCE
    )


def test_slope_is_continuous_where_shortening_turns_to_lengthening():
    below, at, above = (
        force_curves(NUMPY, LENGTHS, np.full_like(LENGTHS, v))[1] for v in (-1e-9, 0.0, 1e-9)
    )
    np.testing.assert_allclose(below, at, rtol=1e-7)
    np.testing.assert_allclose(above, at, rtol=1e-7)


def test_excitation_is_held_between_the_tone_and_the_ceiling():
    noise = np.array([0.0, 0.0, 0.5, -1.5, 0.5, 0.0])
    u = np.array([-1.0, 0.7, 1.0, 1.0, 3.5, 9.0])
    arm = replace(Arm(), tone=0.03, max_excitation=4.0).arrays()
    np.testing.assert_allclose(excitation(NUMPY, arm, u, noise), [0.03, 0.7, 1.5, 0.03, 4, 4])
    assert (excitation(NUMPY, NUMBERS, np.zeros(6), noise) == 0.002).all()
    assert (excitation(NUMPY, Arm.macaque().arrays(), np.zeros(6), noise) == 0).all()


def test_an_unexcited_muscle_keeps_the_activation_of_its_tone():
    x = np.concatenate(
        [np.deg2rad([[50.0, 80.0]]), np.zeros((1, 2)), np.linspace(0, 1, 6)[None]], -1
    )
    still = np.zeros((1, 6))
    for _ in range(200):  # 2 s, 40 times the time constant
        plant.control_steps(ARM.flat(), SUBSTEP, 2, still, still, x)
    np.testing.assert_allclose(x[0, 4:], ARM.tone, rtol=1e-12)


def test_excitation_has_no_slope_below_the_tone_and_above_the_ceiling():
    u = np.array([-0.5, 0.0, 0.0019, 0.0021, 0.5, 1.1])
    noise = np.array([0.0, 0.0, 0.0, 0.0, 0.3, 0.0])
    gradient = np.empty(6)
    plant.excite_vjp(ARM.flat(), u, noise, np.ones(6), gradient)
    np.testing.assert_allclose(gradient, [0, 0, 0, 1, 1.3, 0], rtol=0, atol=1e-15)


def test_activation_follows_the_exact_exponential():
    x, u = states(4), np.linspace(0, 1, 6)
    expected = u + (x[:, 4:] - u) * math.exp(-SUBSTEP / ARM.activation_time)
    np.testing.assert_allclose(
        step(NUMPY, NUMBERS, x, u, SUBSTEP)[:, 4:], expected, rtol=0, atol=1e-15
    )


# --- skeleton -------------------------------------------------------------------------------------


def point_masses(arm):
    """(link, mass, distance from the proximal joint): two equal masses a link, s ± d.

    They have the link's mass and centre of mass, and its moment of inertia about the *proximal*
    joint, m (s² + d²) = I.
    """
    for link in (0, 1):
        m, s = arm.mass[link], arm.centre_of_mass[link]
        d = math.sqrt(arm.inertia[link] / m - s * s)
        yield from ((link, m / 2, s + sign * d) for sign in (-1, 1))


def energy_of_points(arm, x):
    """Σ ½ m |v|² with positions and velocities as complex numbers."""
    first = np.exp(1j * x[:, 0])
    both = np.exp(1j * (x[:, 0] + x[:, 1]))
    total = 0
    for link, m, distance in point_masses(arm):
        along = arm.length[0] if link else distance
        velocity = 1j * along * first * x[:, 2]
        if link:
            velocity = velocity + 1j * distance * both * (x[:, 2] + x[:, 3])
        total = total + 0.5 * m * np.abs(velocity) ** 2
    return total


OTHER_ARM = replace(
    ARM, mass=(2.0, 1.3), length=(0.35, 0.28), centre_of_mass=(0.12, 0.14), inertia=(0.05, 0.06)
)


@pytest.mark.parametrize("arm", [ARM, OTHER_ARM], ids=["default", "other"])
def test_kinetic_energy_is_that_of_two_rigid_links(arm):
    # A quadratic form in the velocities, so this settles the whole mass matrix.
    x = states(5)
    np.testing.assert_allclose(kinetic_energy(NUMPY, arm, x), energy_of_points(arm, x), rtol=1e-12)


def mass_matrices(angles):
    m11, m12, m22 = mass_matrix(NUMPY, NUMBERS, angles)
    return np.stack(
        [np.stack([m11, m12], -1), np.stack([m12, np.broadcast_to(m22, m11.shape)], -1)], -1
    )


def test_mass_matrix_is_positive_definite():
    angles = np.stack([np.zeros(181), np.deg2rad(np.arange(-90, 272, 2))], -1)
    assert np.linalg.eigvalsh(mass_matrices(angles)).min() > 0.009  # [kg m²] and far from singular


def test_coriolis_torques_follow_from_lagrange():
    """C = Ṁ ω − ½ ∂(ωᵀ M ω)/∂θ, by central differences of the mass matrix."""
    x, eps = states(6), 1e-5
    angles = x[:, :2]
    w = x[:, 2:4]
    by_angle = [
        (mass_matrices(angles + d) - mass_matrices(angles - d)) / (2 * eps) for d in eps * np.eye(2)
    ]
    rate = sum(slope * w[:, j, None, None] for j, slope in enumerate(by_angle))
    pull = np.stack([np.einsum("bi,bij,bj->b", w, slope, w) for slope in by_angle], -1)
    expected = np.einsum("bij,bj->bi", rate, w) - 0.5 * pull
    # eps² truncation and rounding are both about 1e-11, times ω² of 25.
    np.testing.assert_allclose(
        np.stack(coriolis(NUMPY, NUMBERS, angles, w), -1), expected, rtol=0, atol=1e-8
    )


def test_step_solves_the_equation_of_its_docstring():
    """(M + h/2 D) a = τ with everything at the midpoint angles, here in matrices."""
    x, h = states(8), 0.01
    u = np.linspace(0, 1.5, 6)
    w = x[:, 2:4]
    middle = x[:, :2] + 0.5 * h * x[:, 2:4]
    middle[::2] += [2.5, 2.3]  # half of them into the stops
    x[:, :2] = middle - 0.5 * h * w
    a = u + (x[:, 4:] - u) * math.exp(-0.5 * h / ARM.activation_time)
    r = -published_slopes(middle)  # (B, 2, 6)
    velocity = muscle_velocity(NUMBERS, middle, w)
    pull, slope = force_curves(NUMPY, muscle_length(NUMBERS, middle), velocity)
    stop, stop_damping = joint_stop(NUMPY, NUMBERS, middle, w)
    friction = np.array([ARM.friction[:2], ARM.friction[1:]])
    force = np.array(ARM.maximum_force) * a
    torque = (
        np.einsum("bji,bi->bj", r, force * pull)
        + stop
        - np.stack(coriolis(NUMPY, NUMBERS, middle, w), -1)
        - w @ friction
    )
    damping = np.einsum("bji,bi,bki->bjk", r, force * slope / ARM.optimal_length, r)
    damping += friction + stop_damping[:, :, None] * np.eye(2)
    assert (stop != 0).any(-1)[::2].all()
    acceleration = np.linalg.solve(mass_matrices(middle) + 0.5 * h * damping, torque[..., None])[
        ..., 0
    ]
    after = step(NUMPY, NUMBERS, x, u, h)
    np.testing.assert_allclose(after[:, 2:4], w + h * acceleration, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(
        after[:, :2], x[:, :2] + h * w + 0.5 * h * h * acceleration, rtol=1e-11
    )


def simulated(arm, x, u, h, duration):
    """The state after ``duration`` [s] of steps of h, by the compiled step."""
    x, p = x.copy(), arm.flat()
    for _ in range(round(duration / h)):
        plant.step(p, h, x, u, x)
    return x


STEPS = SUBSTEP / 2 ** np.arange(4)  # [s]
DURATION = 0.16  # [s]


def test_energy_drift_of_the_free_arm_vanishes_with_the_step():
    arm, off = replace(ARM, friction=(0.0, 0.0, 0.0)), np.zeros(6)
    start = np.r_[np.deg2rad([50, 80]), -3.0, 4.0, off]
    ends = np.stack([simulated(arm, start, off, h, DURATION) for h in STEPS])
    drift = np.abs(kinetic_energy(NUMPY, arm, ends) / kinetic_energy(NUMPY, arm, start) - 1)
    assert (drift[1:] < 0.55 * drift[:-1]).all()  # first order halves it
    assert drift[-1] < 1e-4


@pytest.mark.parametrize("seed", range(4))
def test_step_converges_with_first_order(seed):
    """Order 1 despite the midpoint angles, since torques are those of the start's velocities.

    Twelve such motions gave fitted orders from 0.92 to 1.02. Every motion shortens some muscles and
    lengthens their antagonists; the stops are not touched.
    """
    rng = np.random.default_rng(seed)
    start = np.r_[np.deg2rad([50, 80]), rng.uniform(-2, 2, 2), rng.uniform(0, 0.3, 6)]
    u = rng.uniform(0, 0.3, 6)
    exact = simulated(ARM, start, u, DURATION / 2**16, DURATION)
    assert (exact[:2] > ARM.lower_stop).all() and (exact[:2] < ARM.upper_stop).all()
    errors = [np.abs(simulated(ARM, start, u, h, DURATION) - exact)[:4].max() for h in STEPS]
    order = np.polyfit(np.log(STEPS), np.log(errors), 1)[0]
    assert order > 0.9


def jacobians(x, u, h, eps=1e-7):
    """Of the step, (B, 10, 10), by central differences."""
    columns = [
        step(NUMPY, NUMBERS, x + d, u, h) - step(NUMPY, NUMBERS, x - d, u, h)
        for d in eps * np.eye(10)
    ]
    return np.stack(columns, -1) / (2 * eps)


@pytest.mark.parametrize(
    "velocity", [(0, 0), (1e-3, 1e-3), (-1e-3, 1e-3), (1e-3, -1e-3), (-1e-3, -1e-3)]
)
def test_step_is_stable_under_full_co_contraction_all_over_the_workspace(velocity):
    """Spectral radius at most 1.05 at 5 ms, on either side of every muscle's kink at rest."""
    shoulder, elbow = np.meshgrid(
        np.deg2rad(np.arange(0, 111, 10)), np.deg2rad(np.arange(30, 141, 10))
    )
    angles = np.stack([shoulder.ravel(), elbow.ravel()], -1)
    x = np.concatenate(
        [angles, np.broadcast_to(velocity, angles.shape), np.ones((len(angles), 6))], -1
    )
    radius = np.abs(np.linalg.eigvals(jacobians(x, np.ones(6), SUBSTEP))).max()
    assert radius <= 1.05


# --- joint stops ----------------------------------------------------------------------------------


def test_stops_do_nothing_within_the_range_of_motion():
    x = np.concatenate([states(7)[:, :4], np.zeros((50, 6))], -1)
    torque, damping = joint_stop(NUMPY, NUMBERS, x[:, :2], x[:, 2:4])
    assert (torque == 0).all() and (damping == 0).all()


@pytest.mark.parametrize("side", [-1, 1])
def test_stops_push_back_and_grow_without_a_jump(side):
    edge = np.array(ARM.upper_stop if side > 0 else ARM.lower_stop)
    depth = np.linspace(1e-9, 0.3, 31)[:, None]
    torque, damping = joint_stop(NUMPY, NUMBERS, edge + side * depth, np.zeros((31, 2)))
    assert (side * np.diff(torque, axis=0) < 0).all() and (np.diff(damping, axis=0) > 0).all()
    assert np.abs(torque[0]).max() < 1e-9 and damping[0].max() < 1e-6
    np.testing.assert_allclose(torque[-1], -side * 2000 * 0.3**2, rtol=1e-12)


@pytest.mark.parametrize("pulling", [[0, 2, 4], [1, 3, 5]], ids=["flexors", "extensors"])
def test_stops_hold_against_full_muscle_force(pulling):
    u = np.zeros(6)
    u[pulling] = ARM.max_excitation
    x = simulated(ARM, np.r_[np.deg2rad([50, 80]), np.zeros(8)], u, SUBSTEP, 2.0)
    outside = np.maximum(ARM.lower_stop - x[:2], x[:2] - ARM.upper_stop)
    assert (outside > 0).any() and (outside < 0.2).all()
