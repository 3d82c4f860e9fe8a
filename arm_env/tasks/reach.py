"""The reaching task of the paper (Huh & Todorov 2009, V.B.1)."""

from dataclasses import dataclass

import numpy as np

from arm_env.dynamics.parameters import CostWeights
from arm_env.tasks.measures import (
    LONG_ENOUGH,
    MIDDLING,
    SETTLED,
    TARGET_SIZE,
    Measures,
    ShownMeasure,
    closest_minimum_jerk,
    mean_or_nan,
    path_deviation,
    quantile_or_nan,
    settling_time,
    starts_toward,
)
from arm_env.tasks.recording import Recording
from arm_env.tasks.task import Task
from arm_env.tasks.workspace import hand_position, joint_angles, resting_state


@dataclass(frozen=True)
class ReachMeasures(Measures):
    """Measures of reaching, over the jump from the first to the second command of each episode.

    A measure over certain jumps is NaN (None in ``as_dict``) if there is no such jump.

    Attributes:
        fraction_within_target: Share of movements whose mean distance from the target over the last
            0.2 s is below 4 cm.
        median_endpoint_error_m: Median of that mean distance [m].
        p95_endpoint_error_m: 95th percentile of that mean distance [m].
        mean_value: Mean of V = Σ c Δt over the whole episode, i.e. minus the mean return.
        median_movement_time_s: Median time from the jump until the hand stays within 4 cm of the
            target [s]. The time of a movement that never does is infinite.
        median_peak_speed_m_s: Median of the largest hand speed after the jump [m/s].
        median_minimum_jerk_correlation: Median correlation of the speed with the minimum-jerk
            profile of the same onset and duration.
        fraction_toward_target: Share of jumps of 10 cm or more in which the hand sets out toward
            the target: it is within 45° of the target's direction when it is first 3 cm from its
            start.
        median_path_deviation: Median, over jumps of 10 cm or more, of the hand's largest distance
            from the straight line to the target, over the length of that line.
        p90_path_deviation: 90th percentile of the same.
        median_peak_speed_of_30_cm_m_s: Median of the largest hand speed in jumps of 25 to 35 cm
            [m/s].
        number_of_movements: Number of movements.
        seed: Seed of the evaluation.
        noise: Noise level of the evaluation, as for the environments.
    """

    fraction_within_target: float
    median_endpoint_error_m: float
    p95_endpoint_error_m: float
    mean_value: float
    median_movement_time_s: float
    median_peak_speed_m_s: float
    median_minimum_jerk_correlation: float
    fraction_toward_target: float
    median_path_deviation: float
    p90_path_deviation: float
    median_peak_speed_of_30_cm_m_s: float
    number_of_movements: int
    seed: int
    noise: float


@dataclass(frozen=True)
class Reach(Task):
    """Point attractors: the command is the target's position x, y from the shoulder [m].

    The fields ``shoulder`` and ``elbow`` are those of ``Task``.
    """

    name = "reach"
    env_id = "ReachArm-v0"
    summary = "Reach to points."
    entry_points = (
        "arm_env.envs.env:ReachArmEnv",
        "arm_env.envs.vector_env:ReachArmVectorEnv",
    )
    success_measure = ("fraction_within_target", "within the target")
    shown_measures = (
        ShownMeasure("fraction_within_target", "within target", "%", 100, 1),
        ShownMeasure("median_endpoint_error_m", "endpoint error", "cm", 100, 1),
        ShownMeasure("fraction_toward_target", "toward target", "%", 100, 1),
    )

    command_names = ("target_x", "target_y")
    command_units = {"target_x": "m", "target_y": "m"}
    tolerance = 0.04
    hold = 1.0
    weights = CostWeights()

    def error(self, xp, command, x, y):
        dx, dy = x - command[..., 0], y - command[..., 1]
        return dx * dx + dy * dy, 0.0, 0.0

    def sample_commands(self, rng, number, arm):
        return hand_position(arm, self.sample_angles(rng, number))

    def command_bounds(self, arm):
        reach = np.full(2, sum(arm.length))
        return -reach, reach

    def check_commands(self, arm, commands):
        joint_angles(arm, self.checked_shape(commands))

    def attractor_state(self, rng, arm, commands):
        return resting_state(arm, commands)

    def period(self, commands):
        return np.full(len(commands), 0.5)

    def measures(self, recording, start, period, *, seed, noise):
        return reach_measures(recording, start, period, seed=seed, noise=noise)


def reach_measures(
    recording: Recording, jump: int, period: float, *, seed: int, noise: float
) -> ReachMeasures:
    """Return the measures of the movements that begin ``jump`` periods into a recording.

    ``period`` is the control period [s].
    """
    path = recording.hand[jump:]
    speed = recording.speed[jump:]
    target = recording.commands[-1, :, :2]
    distance = np.linalg.norm(path - target, axis=-1)  # (T, B)
    error = distance[-round(SETTLED / period) :].mean(0)
    length = np.linalg.norm(target - path[0], axis=-1)  # (B,)
    long = length >= LONG_ENOUGH
    middling = (length >= MIDDLING[0]) & (length <= MIDDLING[1])
    deviation = path_deviation(path, path[0], target)[long]
    return ReachMeasures(
        fraction_within_target=float((error < TARGET_SIZE).mean()),
        median_endpoint_error_m=float(np.median(error)),
        p95_endpoint_error_m=float(np.quantile(error, 0.95)),
        mean_value=float(-recording.rewards.sum(0).mean()),
        median_movement_time_s=float(np.median(settling_time(distance, period))),
        median_peak_speed_m_s=float(np.median(speed.max(0))),
        median_minimum_jerk_correlation=float(np.median(closest_minimum_jerk(speed)[0])),
        fraction_toward_target=mean_or_nan(starts_toward(path, target)[long]),
        median_path_deviation=quantile_or_nan(deviation, 0.5),
        p90_path_deviation=quantile_or_nan(deviation, 0.9),
        median_peak_speed_of_30_cm_m_s=quantile_or_nan(speed.max(0)[middling], 0.5),
        number_of_movements=path.shape[1],
        seed=seed,
        noise=noise,
    )
