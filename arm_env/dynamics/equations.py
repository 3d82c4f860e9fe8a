"""The equations of the arm, each written once.

Every function takes ``xp``, the primitives to compute with, and arrays whose last axis is the
component. Arrays are NumPy arrays here, tensors in ``rnn_controller.rollouts.plant``, and symbols
in ``arm_env.codegen.tracing``, which turns these functions into the compiled step and its adjoint.

Symbols: θ joint angles [rad], ω their velocities [rad/s], a activations [-], u excitations [-], l
fibre lengths [L0, the muscle's optimal length], v fibre velocities [L0/s], T tensions [F0, the
muscle's maximum isometric force]. The state is x = [θ, ω, a], (..., 10). ``arm`` holds the
parameters of ``arm_env.dynamics.parameters.Arm``, where the sources LT04, NK00, B99 and HT09 are.
"""

from typing import Any

import numpy as np

from arm_env.codegen.primitives import NUMPY, Array, Primitives, at_least, at_most  # noqa: F401  for old imports

# [rad] shoulder angle of the reference posture of the muscles' lengths (NK00)
RIGHT_ANGLE = 0.5 * np.pi
SHORTEST = 0.1  # [L0] least length at which the force curves are evaluated: there is no pull there
FASTEST_SHORTENING = 5.72  # [L0/s] (B99)
ROUNDING = 0.05  # [-] half width over which the rectified tension is rounded


Links = tuple[Array, Array, Array, Array]
"""Vectors x, y [m] from shoulder to elbow and from elbow to hand, four arrays (...)."""


def link_vectors(xp: Primitives, arm: Any, angles: Array) -> Links:
    """Return the vectors of upper arm and forearm at joint angles [rad], (..., 2)."""
    first = angles[..., 0]
    both = angles[..., 0] + angles[..., 1]
    x1, y1 = arm.length[0] * xp.cos(first), arm.length[0] * xp.sin(first)
    return x1, y1, arm.length[1] * xp.cos(both), arm.length[1] * xp.sin(both)


def hand_velocity(links: Links, w1: Array, w2: Array) -> tuple[Array, Array]:
    """Return the hand's velocity x, y [m/s], (...), at angular velocities [rad/s], (...) each."""
    x1, y1, x2, y2 = links
    w12 = w1 + w2
    return -y1 * w1 - y2 * w12, x1 * w1 + x2 * w12


def moment_arms(arm: Any, angles: Array) -> tuple[Array, Array]:
    """Return the moment arms [m] of the muscles about shoulder, (6,), and elbow, (..., 6) (NK00).

    They are −∂λ/∂θ, λ being the length of muscle and tendon, at joint angles [rad], (..., 2). Those
    of flexors are positive.
    """
    return -arm.path_slope[0], -(arm.path_slope[1] + 2 * arm.path_curvature * angles[..., 1:2])


def muscle_length(arm: Any, angles: Array) -> Array:
    """Return the fibre lengths l [L0], (..., 6), at joint angles [rad], (..., 2) (NK00)."""
    shoulder, elbow = angles[..., 0:1] - RIGHT_ANGLE, angles[..., 1:2]
    bend = arm.path_slope[0] * shoulder + (arm.path_slope[1] + arm.path_curvature * elbow) * elbow
    return (arm.path_offset - arm.tendon_length + bend) / arm.optimal_length


def muscle_velocity(arm: Any, angles: Array, velocities: Array) -> Array:
    """Return the fibre velocities v [L0/s], (..., 6); shortening is negative.

    The joints stand at ``angles`` [rad], (..., 2), and turn with ``velocities`` [rad/s], (..., 2).
    """
    r1, r2 = moment_arms(arm, angles)
    return -(r1 * velocities[..., 0:1] + r2 * velocities[..., 1:2]) / arm.optimal_length


def force_curves(xp: Primitives, length: Array, velocity: Array) -> tuple[Array, Array]:
    """Return the tension [F0] of a fully active muscle, and its slope over the velocity (B99).

    Both are (..., 6), like the fibre lengths l [L0] and velocities v [L0/s]. The tension is
    F_L(l) F_V(l, v) + F_P(l), rounded off to stay positive, since a muscle cannot push. (F_P falls
    to −16000 for short fibres; without the rounding, a flexed biarticular muscle would push with
    kilonewtons.)
    """
    l = at_least(xp, length, SHORTEST)
    z = (xp.exp(1.93 * xp.log(l)) - 1) / 1.03
    square = at_least(xp, z * z, 1e-12)  # kept where the logarithm has a derivative
    force_length = xp.exp(-xp.exp(0.5 * 1.87 * xp.log(square)))

    v = at_least(xp, velocity, -FASTEST_SHORTENING)
    curvature = 1.38 + 2.09 * l
    plateau = -3.12 + 4.21 * l - 2.67 * l * l
    # Both branches of F_V are a quotient (c + n v) / (c + d v). The parts are chosen before the
    # division: one division serves both branches, and the other branch can't overflow.
    c = xp.where(v, 0.62, 0 * l - FASTEST_SHORTENING)
    n, d = xp.where(v, -plateau, -1.0), xp.where(v, 1.0, curvature)
    denominator = c + d * v
    inverse = 1 / (denominator * (1 + curvature))
    scale = (1 + curvature) * inverse  # 1 / denominator
    force_velocity = (c + n * v) * scale
    # The slope jumps at v = 0. The implicit step needs a continuous slope that is not too small, so
    # the concentric side is scaled up to meet the eccentric one.
    kink = -FASTEST_SHORTENING / 0.62 * (1 + plateau) * (denominator * inverse)
    slope = xp.where(v, 1.0, kink) * (n - d * force_velocity) * scale

    pull = force_length * force_velocity - 0.02 * xp.exp(13.8 - 18.7 * l)
    root = xp.sqrt(pull * pull + ROUNDING * ROUNDING)
    return 0.5 * (pull + root), 0.5 * (1 + pull / root) * force_length * slope


def moment_arm_matrix(xp: Primitives, arm: Any, angles: Array) -> Array:
    """Return the moment arms [m] about both joints, (..., 2, 6), at angles [rad], (..., 2)."""
    r1, r2 = moment_arms(arm, angles)
    return xp.stack([r1 + 0 * r2, r2], -2)


def isometric_torques(xp: Primitives, arm: Any, angles: Array) -> Array:
    """Return the torque [N m] of each muscle about both joints, (..., 2, 6), flexion positive.

    The muscles are fully active and at rest, the joints at ``angles`` [rad], (..., 2).
    """
    length = muscle_length(arm, angles)
    tension = arm.maximum_force * force_curves(xp, length, 0 * length)[0]
    return moment_arm_matrix(xp, arm, angles) * tension[..., None, :]


def mass_matrix(xp: Primitives, arm: Any, angles: Array) -> tuple[Array, Array, Array]:
    """Return M11, M12 = M21 and M22 [kg m²], (...) each, at joint angles [rad], (..., 2) (LT04)."""
    shared = arm.inertia[1]
    coupling = arm.mass[1] * arm.length[0] * arm.centre_of_mass[1] * xp.cos(angles[..., 1])
    first = arm.inertia[0] + arm.inertia[1] + arm.mass[1] * arm.length[0] * arm.length[0]
    return first + 2 * coupling, shared + coupling, shared


def coriolis(xp: Primitives, arm: Any, angles: Array, velocities: Array) -> tuple[Array, Array]:
    """Return the velocity-dependent torques C [N m] about both joints, (...) each (LT04).

    The joints stand at ``angles`` [rad], (..., 2), and turn with ``velocities`` [rad/s], (..., 2).
    """
    w1, w2 = velocities[..., 0], velocities[..., 1]
    a2 = arm.mass[1] * arm.length[0] * arm.centre_of_mass[1] * xp.sin(angles[..., 1])
    return -a2 * w2 * (2 * w1 + w2), a2 * w1 * w1


def joint_stop(xp: Primitives, arm: Any, angles: Array, velocities: Array) -> tuple[Array, Array]:
    """Return the torque [N m] and the damping [N m s] of the soft joint stops, (..., 2) each.

    A stop is a one-sided spring with a damper. Both grow with the penetration (after Hunt &
    Crossley 1975), so that the torque is continuous where contact begins. ``angles`` [rad] and
    ``velocities`` [rad/s] are (..., 2).
    """
    below = at_least(xp, arm.lower_stop - angles, 0.0)
    above = at_least(xp, angles - arm.upper_stop, 0.0)
    damping = arm.stop_damping * (below + above)
    return arm.stop_stiffness * (below * below - above * above) - damping * velocities, damping


def curl_coupling(xp: Primitives, arm: Any, angles: Array) -> Array:
    """Return k [N m s] of the curl field's joint torques (k ω2, −k ω1), (...), at angles (..., 2).

    The torques do no work (after Shadmehr & Mussa-Ivaldi 1994). The field is a force R v at the
    hand, where R turns to the right by a right angle and scales by ``arm.curl`` plus the
    antisymmetric part of ``arm.field``. Its joint torque is Jᵀ R J ω = det(J) R ω, J being the
    hand's Jacobian.
    """
    curl = arm.curl + 0.5 * (arm.field[0, 1] - arm.field[1, 0])
    return curl * arm.length[0] * arm.length[1] * xp.sin(angles[..., 1])


def field_damping(xp: Primitives, arm: Any, angles: Array) -> tuple[Array, Array, Array]:
    """Return the joint damping of the field's symmetric part, D11, D12 = D21, D22 [N m s], (...).

    The joints stand at ``angles`` [rad], (..., 2). The field's force B v at the hand is (S + R) v
    with a symmetric S and the R of ``curl_coupling``. The joint torque of S is −D ω with
    D = −Jᵀ S J, J being the hand's Jacobian. D is positive where the field takes energy away.
    """
    mean = 0.5 * (arm.field[0, 0] + arm.field[1, 1])
    difference = 0.5 * (arm.field[0, 0] - arm.field[1, 1])
    shear = 0.5 * (arm.field[0, 1] + arm.field[1, 0])
    # S in the frame of the upper arm, where the elbow lies at (l1, 0)
    c, s = xp.cos(2 * angles[..., 0]), xp.sin(2 * angles[..., 0])
    s12, stretch = shear * c - difference * s, difference * c + shear * s
    s11, s22 = mean + stretch, mean - stretch
    x2, y = arm.length[1] * xp.cos(angles[..., 1]), arm.length[1] * xp.sin(angles[..., 1])
    x = arm.length[0] + x2
    # the columns of J are (−y, x) and (−y, x2)
    return (
        s12 * y * (x + x) - s11 * y * y - s22 * x * x,
        s12 * y * (x + x2) - s11 * y * y - s22 * x * x2,
        s12 * y * (x2 + x2) - s11 * y * y - s22 * x2 * x2,
    )


def hand_force(
    contact: Array, x: Array, y: Array, vx: Array, vy: Array
) -> tuple[Array, Array, Array]:
    """Return the force x, y [N] of a contact on the hand, and the wall's part along its normal.

    All are (...), as the hand's position x, y [m] and velocity vx, vy [m/s]. The contact (..., 7)
    has the columns that ``arm_env.dynamics.layout`` names: a force that does not depend on the
    hand, and a wall, a spring and a damper that pull the hand to the line n · (x, y) = offset.
    """
    nx, ny = contact[..., 2], contact[..., 3]
    away, speed = nx * x + ny * y - contact[..., 4], nx * vx + ny * vy
    wall = -(contact[..., 5] * away + contact[..., 6] * speed)
    return contact[..., 0] + nx * wall, contact[..., 1] + ny * wall, wall


def excitation(xp: Primitives, arm: Any, u: Array, noise: Array) -> Array:
    """Return the excitations that reach the muscles, u (1 + ω) within [tone, max_excitation].

    The excitations u and the noise ω are (..., 6), and so is the result (HT09, V.A.4).
    """
    return at_most(xp, at_least(xp, u * (1 + noise), arm.tone), arm.max_excitation)


def step(
    xp: Primitives, arm: Any, x: Array, u: Array, h: Array, contact: Array | None = None
) -> Array:
    """Return the body state, (..., 10), one step of h [s] after x under excitations u, (..., 6).

    A ``contact``, (..., 7), pushes or holds the hand as ``hand_force`` says. The step is a midpoint
    step, linearly implicit in the joint velocities:
        θ½ = θ + h/2 ω,   (M + h/2 D) a = τ(θ½, ω, a½),   ω⁺ = ω + h a,   θ⁺ = θ + h ω + h²/2 a.
    M, the torques τ and D are taken at θ½. D is the damping of muscles, friction, stops, field and
    contact. The activation is exact for constant u. The step is of first order, since torques see
    the starting ω; its error is a tenth of that of the linearly implicit Euler step. M + h/2 D is
    always positive definite; a curl field is its skew part. Only a field that pushes along the
    velocity with some hundred N s/m could change that. (Explicit 5 ms steps diverge at an
    activation of 0.6.)
    """
    half = 0.5 * h
    velocities = x[..., 2:4]
    # Terms that depend on the posture are taken half a step ahead. The error is a tenth of that at
    # the start of the step, for one more addition.
    angles = x[..., 0:2] + half * velocities
    lag = x[..., 4:10] - u
    # The filter ȧ = (u − a)/τ is solved exactly: its time constant may be shorter than the step.
    strength = arm.maximum_force * (u + lag * xp.exp(-half / arm.activation_time))
    length, velocity = muscle_length(arm, angles), muscle_velocity(arm, angles, velocities)
    pull, slope = force_curves(xp, length, velocity)
    tension = strength * pull
    # The faster a muscle lengthens, the harder it pulls. With v = −r ω / L0, its torque r T falls
    # by r² (dT/dv) / L0 a unit of ω. This damping of the joint is stiff, so it is implicit.
    damping = strength * slope / arm.optimal_length
    r1, r2 = moment_arms(arm, angles)
    stop, stop_damping = joint_stop(xp, arm, angles, velocities)
    m11, m12, m22 = mass_matrix(xp, arm, angles)
    c1, c2 = coriolis(xp, arm, angles, velocities)
    d11, d12, d22 = field_damping(xp, arm, angles)
    b11, b12, b22 = arm.friction[0] + d11, arm.friction[1] + d12, arm.friction[2] + d22
    k = curl_coupling(xp, arm, angles)
    w1, w2 = velocities[..., 0], velocities[..., 1]

    t1 = (r1 * tension).sum(-1) + stop[..., 0] - c1 - b11 * w1 - b12 * w2 + k * w2
    t2 = (r2 * tension).sum(-1) + stop[..., 1] - c2 - b12 * w1 - b22 * w2 - k * w1
    s11 = m11 + half * ((damping * r1 * r1).sum(-1) + stop_damping[..., 0] + b11)
    shared = m12 + half * ((damping * r1 * r2).sum(-1) + b12)
    s12, s21 = shared - half * k, shared + half * k
    s22 = m22 + half * ((damping * r2 * r2).sum(-1) + stop_damping[..., 1] + b22)
    if contact is not None:
        links = link_vectors(xp, arm, angles)
        x1, y1, x2, y2 = links
        vx, vy = hand_velocity(links, w1, w2)
        fx, fy, _ = hand_force(contact, x1 + x2, y1 + y2, vx, vy)
        t1, t2 = t1 + (x1 + x2) * fy - (y1 + y2) * fx, t2 + x2 * fy - y2 * fx  # Jᵀ F
        # the hand's speed along the wall's normal for a unit of each angular velocity
        n1 = contact[..., 3] * (x1 + x2) - contact[..., 2] * (y1 + y2)
        n2 = contact[..., 3] * x2 - contact[..., 2] * y2
        # the wall's spring is implicit, too: it is taken at the mean of old and new angles
        resistance = half * (contact[..., 6] + half * contact[..., 5])
        s11, s22 = s11 + resistance * n1 * n1, s22 + resistance * n2 * n2
        s12, s21 = s12 + resistance * n1 * n2, s21 + resistance * n1 * n2
    # The 2 × 2 system by Cramer's rule. Its determinant is positive, since the symmetric part of
    # the matrix is positive definite.
    scale = h / (s11 * s22 - s12 * s21)
    gain1, gain2 = scale * (s22 * t1 - s12 * t2), scale * (s11 * t2 - s21 * t1)  # h a
    angle1, angle2 = x[..., 0] + h * w1 + half * gain1, x[..., 1] + h * w2 + half * gain2
    motion = xp.stack([angle1, angle2, w1 + gain1, w2 + gain2], -1)
    return xp.concatenate([motion, u + lag * xp.exp(-h / arm.activation_time)], -1)


def sense(xp: Primitives, arm: Any, x: Array) -> Array:
    """Return the sensory signal s = [l, l̇, T] of a body state, without noise, (..., 18).

    The state x is (..., 10); l [L0], l̇ [L0/s] and T [F0] are (..., 6) each (HT09, V.A.2).
    """
    angles = x[..., 0:2]
    length, velocity = muscle_length(arm, angles), muscle_velocity(arm, angles, x[..., 2:4])
    tension = x[..., 4:10] * force_curves(xp, length, velocity)[0]
    return xp.concatenate([length, velocity, tension], -1)


def hand(xp: Primitives, arm: Any, x: Array) -> tuple[Array, Array, Array, Array]:
    """Return the position x, y [m] and the velocity [m/s] of the hand, four arrays (...).

    The body state x is (..., 10). The shoulder is the origin.
    """
    links = link_vectors(xp, arm, x[..., 0:2])
    x1, y1, x2, y2 = links
    return x1 + x2, y1 + y2, *hand_velocity(links, x[..., 2], x[..., 3])


def kinetic_energy(xp: Primitives, arm: Any, x: Array) -> Array:
    """Return the kinetic energy ½ ωᵀ M ω [J] of a body state x, (..., 10), as an array (...)."""
    m11, m12, m22 = mass_matrix(xp, arm, x[..., 0:2])
    w1, w2 = x[..., 2], x[..., 3]
    return 0.5 * (m11 * w1 * w1 + 2 * m12 * w1 * w2 + m22 * w2 * w2)
