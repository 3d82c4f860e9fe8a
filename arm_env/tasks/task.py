"""The cost of eqs. 6 and 7 (Huh & Todorov 2009, HT09), and the base class of all tasks.

The functions work on arrays of any library, like ``arm_env.dynamics.equations``: environment,
trainer and analysis share them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from arm_env.arguments import same
from arm_env.checked import Checked, within
from arm_env.codegen.primitives import Array, Primitives
from arm_env.dynamics.body import ARM, Body
from arm_env.dynamics.parameters import CostWeights
from arm_env.tasks.measures import SETTLED, Measures, ShownMeasure
from arm_env.tasks.recording import Recording
from arm_env.tasks.variables import Labels
from arm_env.tasks.workspace import hand_position, nearest_angles

FASTEST = 2.0  # [m/s] no command is faster
HALVINGS = 10  # with which the border of the workspace is found: to a millimetre


def cost_terms(
    xp: Primitives, weights: Any, error: tuple[Array, ...], velocity: tuple[Array, Array], u: Array
) -> tuple[Array, Array, Array]:
    """Return the distance, velocity and effort terms of the instantaneous cost c [1/s], (...) each.

    Their sum is c of eq. 7 (HT09). With e = exp(−d²/2d0²) the terms are
        1 − e,   α/2 (e |v − v_d|² + (1 − e) |v_d|²) / v0²,   γ/2 |u|².
    ``error`` is (d² [m²], desired velocity x, y [m/s]) of the hand, ``velocity`` its velocity x, y
    [m/s], (...) each; u are the excitations [-], (..., M). With a desired velocity of 0 the sum is
    eq. 6. The velocity term's e has a radius of its own, ``brake_radius``, which differs from d0
    only while training narrows the target.
    """
    squared_distance, wish_x, wish_y = error
    near = xp.exp(-0.5 * squared_distance / (weights.target_radius * weights.target_radius))
    braking = xp.exp(-0.5 * squared_distance / (weights.brake_radius * weights.brake_radius))
    dx, dy = velocity[0] - wish_x, velocity[1] - wish_y
    speed = braking * (dx * dx + dy * dy) + (1 - braking) * (wish_x * wish_x + wish_y * wish_y)
    scale = 0.5 * weights.alpha / (weights.reference_speed * weights.reference_speed)
    return 1 - near, scale * speed, 0.5 * weights.gamma * (u * u).sum(-1)


@dataclass(frozen=True)
class Task(Checked):
    """A family of attractors, one for each command (K,), with its cost and its measures.

    A subclass says how far a hand is from the attractor (``error``), which commands there are and
    where their attractors lie. Positions and postures are drawn uniformly in space over the hand
    positions whose joint angles lie in ``shoulder`` × ``elbow``. ``arm`` is always the parameters
    of the task's body. Raises ValueError for a field outside its range.

    Attributes:
        shoulder: Range of the shoulder angle [rad].
        elbow: Range of the elbow angle [rad].
        name: Name of the task on the command line and in files.
        env_id: Id of the task's environment.
        summary: Description of the task, in a sentence.
        max_episode_steps: Number of steps of the registered environment's episodes.
        body: The body that moves.
        entry_points: The environment and the vector environment of the task, each a class or an
            address, module:Class; None for those that serve any task.
        argument_names: Arguments of its environment in addition to those of every environment.
        success_measure: The share of movements that succeed: its name among the measures, and in
            words.
        moving: Whether commands move along their courses, ``command_at``.
        shown_measures: Measures that tables of results show; the first two also where all tasks are
            compared.
        cyclic: Whether its attractors are cycles along ``track``; else they are points at
            ``command[:2]``.
        dimensions: Dimension of the set of its attractors, and of the movements between them (HT09,
            IV).
        analysed_commands: Default number of commands whose attractors are looked for.
        training: Settings of ``rnn_controller.TrainConfig`` that differ from its defaults, except
            the cost.
        command_names: Names of the K components of a command.
        command_units: Units of components of a command, by their names.
        tolerance: Distance within which a hand is on the attractor [m].
        hold: Default time for which an environment holds a command [s], a finite number. A task
            that holds a command for ever also defines ``measured``.
        weights: Default weights of the cost.
    """

    shoulder: tuple[float, float] = within(
        (0.0, float(np.deg2rad(110))), -np.pi, np.pi, ascending=True
    )
    elbow: tuple[float, float] = within(
        (float(np.deg2rad(30)), float(np.deg2rad(140))), 0, np.pi, ascending=True
    )

    name: ClassVar[str]
    env_id: ClassVar[str]
    summary: ClassVar[str]
    max_episode_steps: ClassVar[int] = 200
    body: ClassVar[Body] = ARM
    entry_points: ClassVar[tuple[Any, Any] | None] = None
    argument_names: ClassVar[tuple[str, ...]] = ()
    success_measure: ClassVar[tuple[str, str]]
    moving: ClassVar[bool] = False
    shown_measures: ClassVar[tuple[ShownMeasure, ...]] = ()
    cyclic: ClassVar[bool] = False
    dimensions: ClassVar[tuple[int, int]] = (2, 4)
    analysed_commands: ClassVar[int] = 200
    training: ClassVar[Mapping[str, Any]] = {}

    command_names: ClassVar[tuple[str, ...]]
    command_units: ClassVar[Mapping[str, str]] = {}
    tolerance: ClassVar[float]
    hold: ClassVar[float]
    weights: ClassVar[CostWeights]

    @property
    def command_size(self) -> int:
        """Number K of a command's components."""
        return len(self.command_names)

    @property
    def labels(self) -> Labels:
        """Names and units of a recording of the task."""
        return Labels(
            joints=self.body.joints,
            muscles=self.body.muscles,
            commands=tuple(self.command_names),
            command_units=tuple(self.command_units.get(name, "") for name in self.command_names),
            sensory_units=self.body.sensory_units,
        )

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments that make its environment that of this task; none for the registered task."""
        return {}

    def error(
        self, xp: Primitives, command: Array, x: Array, y: Array
    ) -> tuple[Array, Array, Array]:
        """Return the squared distance [m²] from the attractor, and the desired velocity x, y [m/s].

        The hand is at x, y [m], (...) each, under commands (..., K). The results are (...) each.
        """
        raise NotImplementedError

    def success(
        self, xp: Primitives, command: Array, x: Array, y: Array, vx: Array, vy: Array
    ) -> Array:
        """Return a value above 0 where the hand is on the attractor, (...), for ``is_success``.

        The hand is at x, y [m] with velocity vx, vy [m/s], (...) each, under commands (..., K).
        """
        squared_distance = self.error(xp, command, x, y)[0]
        return self.tolerance * self.tolerance - squared_distance

    def sample_commands(self, rng: np.random.Generator, number: int, arm: Any) -> np.ndarray:
        """Return random commands (number, K) whose attractors lie within the workspace."""
        raise NotImplementedError

    def sample_courses(self, rng: np.random.Generator, number: int, arm: Any) -> np.ndarray:
        """Return random courses (number, P), along which a command moves between two jumps.

        A command that stands still is its own course.
        """
        return self.sample_commands(rng, number, arm)

    def command_at(self, courses: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return the commands (..., K) of courses (..., P) at times (...) [s] since they began."""
        return courses

    def command_bounds(self, arm: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the lowest and the highest command, (K,) each."""
        raise NotImplementedError

    def check_commands(self, arm: Any, commands: np.ndarray) -> None:
        """Raise ValueError unless the arm can carry out the commands.

        They must be (n, K) and finite, and the hand must be able to be on every attractor.
        """
        raise NotImplementedError

    def attractor_state(
        self, rng: np.random.Generator, arm: Any, commands: np.ndarray
    ) -> np.ndarray:
        """Return body states (n, S) on the attractors of commands (n, K), without activation."""
        raise NotImplementedError

    def period(self, commands: np.ndarray) -> np.ndarray:
        """Return T of HT09, IV.C [s], (n,): the time on the attractor once it is reached.

        Commands are (n, K). Training holds each command for τ_c + T, τ_c being the time to
        converge.
        """
        raise NotImplementedError

    def outlines(self, commands: np.ndarray) -> np.ndarray:
        """Return points [m], (n, P, 2), of the attractors of commands (n, K)."""
        return commands[:, None, :2]

    def track(self, command: np.ndarray) -> np.ndarray | None:
        """Return the line [m], (P, 2), along which the hand runs under a command (K,).

        None if the hand rests on a point.
        """
        return None

    def grid(self, arm: Any, number: int) -> np.ndarray:
        """Return commands (number, K) spread evenly over those of the task."""
        columns = max(1, round((number / 2) ** 0.5))
        return self.places(arm, -(-number // columns), columns)[:number]

    def measured(self, hold: float) -> tuple[float, float]:
        """Return when the measured movement begins and ends [s], if commands hold for ``hold`` [s].

        Raises ValueError if that is too short for the measures.
        """
        if hold < SETTLED and not same(hold, SETTLED):
            raise ValueError(
                "the measures are those of a jump: they need a schedule whose commands hold for "
                f"{SETTLED} s or longer, not {hold} s"
            )
        return hold, 2 * hold

    def measures(
        self, recording: Recording, start: int, period: float, *, seed: int, noise: float
    ) -> Measures:
        """Return the measures of the movements in a recording.

        The movements begin ``start`` control periods, of ``period`` [s], into the recording.
        ``seed`` and ``noise`` are stored with the measures.
        """
        raise NotImplementedError

    def places(self, arm: Any, rows: int, columns: int) -> np.ndarray:
        """Return hand positions [m], (rows * columns, 2), spread evenly in space.

        They are evenly spaced in the shoulder angle and in the elbow's cosine.
        """
        shoulder = np.linspace(*self.shoulder, 2 * rows + 1)[1::2]
        nearest, farthest = np.cos(self.elbow)
        elbow = np.arccos(np.linspace(nearest, farthest, 2 * columns + 1)[1::2])
        return hand_position(
            arm, np.stack(np.meshgrid(shoulder, elbow, indexing="ij"), -1).reshape(-1, 2)
        )

    def cost(
        self, xp: Primitives, arm: Any, weights: Any, state: Array, u: Array, command: Array
    ) -> tuple[Array, Array, Array]:
        """Return the terms of the cost, eq. 7 (HT09), in 1/s, (...) each.

        States are (..., S), excitations u (..., M) and commands (..., K).
        """
        x, y, vx, vy = self.body.hand(xp, arm, state)
        return cost_terms(xp, weights, self.error(xp, command, x, y), (vx, vy), u)

    def sample_angles(self, rng: np.random.Generator, number: int) -> np.ndarray:
        """Return joint angles [rad], (number, 2), of hand positions drawn from the workspace.

        They are uniform in space: the area element of the hand is l1 l2 |sin θ2| dθ1 dθ2, so cos θ2
        is uniform. A task of another body overrides this method.
        """
        shoulder = rng.uniform(*self.shoulder, number)
        elbow = np.arccos(rng.uniform(np.cos(self.elbow[1]), np.cos(self.elbow[0]), number))
        return np.stack([shoulder, elbow], -1)

    def in_workspace(self, arm: Any, position: np.ndarray) -> np.ndarray:
        """Whether hand positions [m], (..., 2), lie in the workspace, (...) bool."""
        angles = nearest_angles(arm, position)
        low, high = np.stack([self.shoulder, self.elbow], -1)
        exact = (np.abs(hand_position(arm, angles) - position) < 1e-9).all(-1)
        return exact & ((angles >= low) & (angles <= high)).all(-1)

    def moved_to(self, arm: Any, command: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Return a command (K,) with its target or centre, ``command[:2]``, moved to a place [m].

        If the attractor would leave the workspace there, the place (2,) is moved toward the middle
        of the workspace until it does not. A command whose attractor does not fit in the middle
        stays as it is. A task of another body overrides this method; else its commands stay.
        """
        if self.body is not ARM:
            return command

        def at(share: float) -> np.ndarray:
            return np.concatenate([place + share * (middle - place), command[2:]])

        def fits(share: float) -> bool:
            return bool(self.in_workspace(arm, self.outlines(at(share)[None])).all())

        (middle,) = self.places(arm, 1, 1)
        if fits(0.0) or not fits(1.0):
            return at(0.0) if fits(0.0) else command
        outside, inside = 0.0, 1.0
        for _ in range(HALVINGS):
            half = (outside + inside) / 2
            outside, inside = (outside, half) if fits(half) else (half, inside)
        return at(inside)

    def checked_shape(self, commands: np.ndarray) -> np.ndarray:
        """Return the commands if they are finite and (n, K); raise ValueError otherwise."""
        if commands.ndim != 2 or commands.shape[1] != self.command_size:
            raise ValueError(
                f"a command has {self.command_size} components ({', '.join(self.command_names)}), "
                f"not shape {commands.shape[1:]}"
            )
        if not np.isfinite(commands).all():
            bad = commands[~np.isfinite(commands).all(1)][0].tolist()
            raise ValueError(
                f"a command must be finite, not {dict(zip(self.command_names, bad, strict=True))}"
            )
        return commands
