"""Model-predictive control: plans from a model of arm and cost, in every control period."""

from dataclasses import dataclass, replace

import numpy as np

from arm_env.codegen.primitives import NUMPY
from arm_env.control.arm_problem import ArmProblem
from arm_env.control.controllers import checked_observation
from arm_env.control.ilqr import Damping, follow, improve
from arm_env.control.joint_sense import JointSense
from arm_env.dynamics.equations import force_curves, muscle_length, muscle_velocity
from arm_env.dynamics.layout import ACTIVATIONS, ANGLES, MUSCLE_COUNT, SENSORY_SIZE, VELOCITIES
from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.dynamics.plant import control_steps
from arm_env.envs.simulation import noise_deviation, substeps_of
from arm_env.tasks.task import Task
from arm_env.tasks.workspace import hand_position

WIDENING = 1.5  # [-] from one radius of the planned target to the next
LARGEST_DAMPING = 1e-2  # [s] an iteration that needs more is given up
# [-] excitation of the first plan; from an excitation of 0 there is no slope to follow
TONIC = 0.02
RECENT = 0.2  # [-] gain of the average that notices when a command changes
LEAST_GAIN = 0.04  # [-] of the command's mean, for changes too small to notice
LEAST_PULL = 0.05  # [-] the tension of a muscle that could pull less does not tell its activation


@dataclass(frozen=True)
class Belief:
    """The memory of the controller for B arms, with plans of T control periods.

    Attributes:
        body: State expected when it next senses, (B, 10).
        command: Mean of the sensed command since it last changed, (B, K).
        recent: Mean of the latest few sensed commands, (B, K).
        samples: Number of samples since the start, and since the command changed, (B, 2).
        plan: Planned excitations, (B, T, 6), the first for when it next senses.
    """

    body: np.ndarray
    command: np.ndarray
    recent: np.ndarray
    samples: np.ndarray
    plan: np.ndarray


@dataclass(frozen=True)
class Tuning:
    """Numbers of ``RecedingHorizon`` that were tuned by hand; its docstring explains their use.

    Attributes:
        gains: Gains of the estimate's angles, velocities and activations towards the sensed ones,
            for one control period [-].
        surprise: Number of standard deviations of its recent mean by which a command must be off to
            count as changed [-].
        width: Radius of the planned target over the remaining distance [-].
        patience: Time without excitation at the start of an episode with noise [s].
    """

    gains: tuple[float, float, float] = (0.02, 0.3, 0.1)
    surprise: float = 3.5
    width: float = 0.5
    patience: float = 0.1


class RecedingHorizon:
    """Model-predictive control: a few warm-started iterations of ``solve`` every control period.

    It plans from an estimate of the body's state: the prediction of its own model under the
    excitations that it issued, corrected by fixed gains towards the angles, velocities and
    activations that the sensed lengths, velocities and tensions show. Noise is proportional to a
    signal, so lengths get a small weight, and the velocities of a slow arm a large one. The command
    is averaged since it last changed. It counts as changed when the mean of its latest few values
    is several standard deviations off. With noise the controller excites no muscle at the start of
    an episode, until it has sensed its state a few times.

    The true cost has no slope far from the target. So the controller plans with a target as wide as
    half the remaining distance, and with the true one when that is smaller. ``tuning`` holds these
    numbers.

    ``noise`` is that of the environment, ``control_period`` and ``horizon`` are in s, and
    ``iterations`` is the number of iterations per control period. Raises ValueError for a horizon
    of 0, fewer than one iteration, or a noise below 0.
    """

    def __init__(
        self,
        task: Task,
        arm: Arm | None = None,
        weights: CostWeights | None = None,
        noise: float = 0.2,
        control_period: float = 0.01,  # [s]
        horizon: float = 0.5,  # [s]
        iterations: int = 2,
        tuning: Tuning | None = None,
    ):
        if not (horizon > 0 and iterations >= 1 and noise >= 0):
            raise ValueError(
                f"a plan needs a horizon above 0 s, an iteration and a noise of 0 or above, "
                f"not {horizon}, {iterations}, {noise}"
            )
        self.task, self.arm = task, arm or Arm()
        self.control_period = control_period
        self.iterations = iterations
        self.tuning = tuning or Tuning()
        self.length = max(1, round(horizon / control_period))
        true = weights or task.weights
        none = np.zeros(task.command_size)
        self._radii = true.target_radius * WIDENING ** np.arange(9)
        self._problems = [
            ArmProblem(task, none, self.arm, replace(true, target_radius=float(r)), control_period)
            for r in self._radii
        ]
        self._patience = round(self.tuning.patience / control_period) if noise else 0
        self._deviation = noise_deviation(noise, control_period)
        self._threshold = self.tuning.surprise * self._deviation * (RECENT / (2 - RECENT)) ** 0.5
        self._substeps, self._p = substeps_of(control_period), self.arm.flat()
        self._numbers, self._joints = self.arm.arrays(), JointSense(self.arm)

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        """Return excitations (B, 6) for observations (B, 18 + K), and the next ``Belief``.

        One observation (18 + K,) gives (6,). Raises ValueError for another shape, and for an
        observation that is not finite.
        """
        size = SENSORY_SIZE + self.task.command_size
        sensed = np.atleast_2d(checked_observation(observation, size))
        begins = np.zeros(len(sensed), dtype=bool)
        if episode_start is not None:
            begins = np.reshape(episode_start, -1)
        belief = self._first(sensed)
        if state is not None:
            belief = _rows(np.asarray(begins, dtype=bool), belief, state)
        belief = self._corrected(belief, sensed)
        plan = belief.plan.copy()
        body = belief.body.copy()
        action = np.zeros((len(sensed), MUSCLE_COUNT), dtype=np.float32)
        for i in np.flatnonzero(belief.samples[:, 0] > self._patience):
            plan[i] = self._planned(body[i], belief.command[i], plan[i])
            action[i] = plan[i, 0]
        step = self.control_period / self._substeps
        control_steps(
            self._p, step, self._substeps, action.astype(float), np.zeros(action.shape), body
        )
        memory = replace(belief, body=body, plan=np.concatenate([plan[:, 1:], plan[:, -1:]], 1))
        return (action if np.ndim(observation) > 1 else action[0]), memory

    def _first(self, sensed: np.ndarray) -> Belief:
        angles = self._joints.angles(sensed[:, :6])
        velocities = self._joints.velocities(sensed[:, 6:12], angles)
        body = np.concatenate([angles, velocities, np.zeros((len(sensed), MUSCLE_COUNT))], -1)
        command = sensed[:, SENSORY_SIZE:]
        plan = np.full((len(sensed), self.length, MUSCLE_COUNT), TONIC)
        return Belief(body, command, command, np.zeros((len(sensed), 2)), plan)

    def _corrected(self, old: Belief, sensed: np.ndarray) -> Belief:
        """The belief after sensing (B, 18 + K)."""
        samples = old.samples + 1
        body = old.body.copy()
        angles = self._joints.angles(sensed[:, :6])
        gains = self.tuning.gains
        gain = np.maximum(1 / samples[:, :1], gains[0])
        body[:, ANGLES] += gain * (angles - body[:, ANGLES])
        velocities = self._joints.velocities(sensed[:, 6:12], body[:, ANGLES])
        body[:, VELOCITIES] += gains[1] * (velocities - body[:, VELOCITIES])
        length = muscle_length(self._numbers, body[:, ANGLES])
        velocity = muscle_velocity(self._numbers, body[:, ANGLES], body[:, VELOCITIES])
        pull = force_curves(NUMPY, length, velocity)[0]
        seen = np.minimum(
            np.maximum(sensed[:, 12:18], 0) / np.maximum(pull, LEAST_PULL), self.arm.max_excitation
        )
        body[:, ACTIVATIONS] += gains[2] * (pull > LEAST_PULL) * (seen - body[:, ACTIVATIONS])
        command = sensed[:, SENSORY_SIZE:]
        recent = old.recent + RECENT * (command - old.recent)
        if not self._deviation:
            recent = command
        changed = (np.abs(recent - old.command) > self._threshold * np.abs(old.command)).any(-1)
        samples[changed, 1] = 2 / RECENT - 1  # as many as the recent mean is worth
        gain = np.maximum(1 / samples[:, 1:], LEAST_GAIN)
        mean = np.where(changed[:, None], recent, old.command + gain * (command - old.command))
        return Belief(body, mean, np.where(changed[:, None], mean, recent), samples, old.plan)

    def _planned(self, body: np.ndarray, command: np.ndarray, plan: np.ndarray) -> np.ndarray:
        """A plan (T, 6) for one arm."""
        x, y = hand_position(self.arm, body[ANGLES])
        distance = float(self.task.error(NUMPY, command, x, y)[0]) ** 0.5
        wide_enough = int(np.searchsorted(self._radii, self.tuning.width * distance))
        problem = self._problems[min(wide_enough, len(self._problems) - 1)]
        problem.command = command
        best = follow(problem, body, plan)
        damping = Damping(most=LARGEST_DAMPING)
        for _ in range(self.iterations):
            better = improve(problem, problem.expand(*best[:2], exact=False), best, damping)
            if better is None:
                break
            best = better
        return best[1]


def _rows(chosen: np.ndarray, new: Belief, old: Belief) -> Belief:
    """The new belief's rows where chosen, else the old one's."""
    pairs = zip(vars(new).values(), vars(old).values(), strict=True)
    return Belief(*(np.where(chosen.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in pairs))
