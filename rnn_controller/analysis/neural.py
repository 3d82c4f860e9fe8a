"""Tuning of the neurons to position and direction, and the trajectory of the population.

The introduction of Huh & Todorov (2009) asks for these analyses; preferred directions are those of
Georgopoulos et al. (1982). All is without noise, for the recurrent network on the reaching task.
"""

from dataclasses import dataclass

import numpy as np
import torch

from arm_env.dynamics.layout import MUSCLE_COUNT, SENSORY_SIZE
from arm_env.dynamics.parameters import Arm
from arm_env.envs.simulation import substeps_of
from arm_env.tasks.reach import Reach
from arm_env.tasks.workspace import hand_position
from rnn_controller.networks.recurrent import RecurrentController
from rnn_controller.rollouts import pontryagin

DIRECTIONS = 16
LENGTH = 0.10  # [m] of the centre-out reaches
HOLD = 1.5  # [s] on the centre
MOVE = 1.0  # [s] after the jump
EARLY = (0.05, 0.30)  # [s] after the jump: the window in which a movement's activity is averaged


@dataclass(frozen=True)
class Tuning:
    """The tuning of N neurons, measured at P places and in D directions of reaching.

    Attributes:
        places: (P, 2) [m] targets on which the hand was held.
        held: (P, N) activity at these places.
        place_gradient: (N, 2) [1/m] slope of the plane fitted to the activity.
        place_r2: (N,) share of the activity's variance that the plane explains.
        directions: (D,) [rad] directions of the centre-out reaches.
        early: (D, N) mean activity in the early window.
        preferred: (N,) [rad] preferred direction: peak of the cosine fitted to it.
        modulation: (N,) amplitude of the cosine.
        direction_r2: (N,) share of the variance that the cosine explains.
        time: (T,) [s] after the jump.
        courses: (D, T, N) activity in the centre-out reaches.
        hands: (D, T, 2) [m] hand positions in these reaches.
        components: (3, N) principal components of the courses about the mean over directions.
        explained: (N,) share of variance of each principal component.
        rotation_r2: Share of the first six components' rate of change that a rotation explains
            (jPCA).
    """

    places: np.ndarray
    held: np.ndarray
    place_gradient: np.ndarray
    place_r2: np.ndarray
    directions: np.ndarray
    early: np.ndarray
    preferred: np.ndarray
    modulation: np.ndarray
    direction_r2: np.ndarray
    time: np.ndarray
    courses: np.ndarray
    hands: np.ndarray
    components: np.ndarray
    explained: np.ndarray
    rotation_r2: float


def linear_fit(regressors: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit values (P, N) by regressors (P, k) and a constant, by least squares.

    Returns slopes (k, N) and R² (N,), which is 0 of constant values.
    """
    design = np.column_stack([np.ones(len(regressors)), regressors])
    coefficients = np.linalg.lstsq(design, values, rcond=None)[0]
    left = ((values - design @ coefficients) ** 2).sum(0)
    total = ((values - values.mean(0)) ** 2).sum(0)
    varies = total > 1e-20
    return coefficients[1:], np.where(varies, 1 - left / np.where(varies, total, 1), 0.0)


def principal_components(courses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the principal components of activity (D, T, N) about its mean over the directions.

    Returns the share of the variance that each explains, (N,), and the components, (N, N), a row
    each; there are fewer rows if D T is less than N.
    """
    varying = courses - courses.mean(0)
    _, sizes, components = np.linalg.svd(
        varying.reshape(-1, varying.shape[-1]), full_matrices=False
    )
    variances = sizes**2
    total = variances.sum() or 1.0  # silent neurons vary not at all
    return variances / total, components


def flow(courses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points between the instants of courses (D, T, k), and the change over each.

    Both are (D (T − 1), k).
    """
    middle = (courses[:, 1:] + courses[:, :-1]) / 2
    k = courses.shape[-1]
    return middle.reshape(-1, k), np.diff(courses, axis=1).reshape(-1, k)


def rotational_planes(courses: np.ndarray, period: float) -> tuple[np.ndarray, float, float]:
    """Return the plane of the fastest rotation in courses (D, T, k) that are ``period`` [s] apart.

    Returns two orthogonal unit vectors (2, k), R² of the rotation in all k dimensions, as
    ``rotational_fit`` has it, and the angular speed in the plane [rad/s] (jPCA, Churchland et al.
    2012).
    """
    points, change = flow(courses)
    turning, r2 = skew_fit(points, change)
    speeds, vectors = np.linalg.eig(turning)
    fastest = vectors[:, speeds.imag.argmax()]
    plane, _ = np.linalg.qr(np.stack([fastest.real, fastest.imag], -1))
    return plane.T, r2, float(speeds.imag.max() / period)


def rotational_fit(points: np.ndarray, change: np.ndarray) -> float:
    """Return the share R² of a flow that a rotation explains (jPCA).

    The fit is that of ``skew_fit``, of change (n, k) by points (n, k). R² is 0 without any change,
    as of neurons that are all silent.
    """
    return skew_fit(points, change)[1]


def skew_fit(points: np.ndarray, change: np.ndarray) -> tuple[np.ndarray, float]:
    """Fit change (n, k) = points (n, k) Mᵀ with a skew-symmetric M (k, k), by least squares.

    Returns M and R².
    """
    k = points.shape[1]
    pairs = [(i, j) for i in range(k) for j in range(i)]
    design = np.zeros((change.size, len(pairs)))
    for column, (i, j) in enumerate(pairs):
        moved = np.zeros_like(change)
        moved[:, i] = points[:, j]
        moved[:, j] = -points[:, i]
        design[:, column] = moved.ravel()
    found = np.linalg.lstsq(design, change.ravel(), rcond=None)[0]
    turning = np.zeros((k, k))
    for value, (i, j) in zip(found, pairs, strict=True):
        turning[i, j], turning[j, i] = value, -value
    total = (change**2).sum()
    left = ((change.ravel() - design @ found) ** 2).sum()
    return turning, float(1 - left / total) if total else 0.0


def play(
    network: RecurrentController, arm: Arm, start: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate a hold at ``start`` and a jump to ``targets``, (B, 2) [m] each, without noise.

    Returns body (B, T + 1, 10) and neural states (B, T + 1, N) from the jump on.
    """
    period = network.config.control_period
    hold = round(HOLD / period)
    move = round(MOVE / period)
    commands = np.repeat(np.stack([start, targets], 1), [hold, move], axis=1)
    body = Reach().attractor_state(np.random.default_rng(0), arm, start)
    silence = torch.zeros(
        len(start), hold + move, SENSORY_SIZE + 2 + MUSCLE_COUNT, dtype=torch.float64
    )
    with torch.no_grad():
        x, _, y = pontryagin.rollout(
            network, arm, torch.from_numpy(body), network.initial_state(len(start)),
            torch.from_numpy(commands), silence, substeps_of(period),
        )  # fmt: skip
    return x[:, hold:].numpy(), y[:, hold:].numpy()


def analyse(
    network: RecurrentController, arm: Arm | None = None, centre: tuple[float, float] = (0.0, 0.38)
) -> Tuning:
    """Return the tuning of a reaching network's neurons, for reaches from ``centre`` [m].

    Raises ValueError for a network of another task, or a centre too near the workspace's edge.
    """
    if network.command_size != Reach().command_size:
        raise ValueError(
            "tuning is that of a reaching network, with commands of 2 numbers, "
            f"not {network.command_size}"
        )
    arm = arm or Arm()
    shoulder, elbow = (np.linspace(*limits, 9) for limits in (Reach.shoulder, Reach.elbow))
    directions = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    targets = np.array(centre) + LENGTH * np.column_stack([np.cos(directions), np.sin(directions)])
    Reach().check_commands(arm, np.vstack([centre, targets]))
    places = hand_position(arm, np.stack(np.meshgrid(shoulder, elbow), -1).reshape(-1, 2))
    held = play(network, arm, places, places)[1][:, -1]
    gradient, place_r2 = linear_fit(places, held)

    body, courses = play(network, arm, np.tile(centre, (DIRECTIONS, 1)), targets)
    time = np.arange(courses.shape[1]) * network.config.control_period
    early = courses[:, (time >= EARLY[0]) & (time <= EARLY[1])].mean(1)
    cosine, direction_r2 = linear_fit(
        np.column_stack([np.cos(directions), np.sin(directions)]), early
    )

    explained, components = principal_components(courses)
    first = (courses - courses.mean(0))[:, time <= 0.4] @ components[:6].T
    return Tuning(
        places, held, gradient.T, place_r2, directions, early,
        np.arctan2(cosine[1], cosine[0]), np.hypot(*cosine), direction_r2,
        time, courses, hand_position(arm, body[..., :2]), components[:3], explained,
        rotational_fit(*flow(first)),
    )  # fmt: skip
