"""The environments of the following task, which is ``arm_env.tasks.follow``."""

from typing import Any

import gymnasium as gym
import numpy as np

from arm_env.envs.env import ArmEnv
from arm_env.envs.vector_env import ArmVectorEnv
from arm_env.tasks.follow import Follow


class FollowArmEnv(ArmEnv, gym.Env[np.ndarray, np.ndarray]):
    """Follow a moving target with a two-link, six-muscle arm.

    ## Description
    The arm, its muscles and its noise are those of `ReachArm-v0`. The target moves along a smooth
    random path, a sum of sinusoids up to a frequency `band`, and the hand should move with it.

    ## Action space
    `Box(0, max_excitation, (6,), float32)`, as in `ReachArm-v0`.

    ## Observation space
    `Box(low, high, (22,), float32)`, `observation_names` by index. The first 18 signals are those
    of `ReachArm-v0`.

    | index | signal | unit |
    |---|---|---|
    | 18, 19 | command: target x, y from the shoulder | m |
    | 20, 21 | command: velocity of the target x, y | m/s |

    ## Reward
    `−c Δt` with the instantaneous cost of eq. 7 (Huh & Todorov 2009) for a moving point,
    `c = (1 − e)(1 + (α/2) v_d²/v0²) + (α/2) e |v − v_d|²/v0² + (γ/2) |u|²`,
    `e = exp(−d²/2d0²)`, d the distance of hand and target, v_d the target's velocity, for the state
    that the step ends in and the command that was in force. With a target at rest it is the reward
    of `ReachArm-v0` under the same weights. By default α = 2, γ = 0.05, d0 = 0.04 m, v0 = 0.3 m/s.

    ## Start of an episode
    The hand is on the target and moves with it, activations zero. A path is a centre and, for each
    coordinate, four sinusoids at `band`/4, `band`/2, 3 `band`/4 and `band`, with normal amplitudes
    that fall as 1/frequency. The root mean square of its distance from the centre is drawn
    uniformly in 4 to 12 cm. A path is drawn anew, with its centre, until all of it has shoulder
    angles in [0°, 110°] and elbow angles in [30°, 140°].

    ## End of an episode
    Never terminates. Truncates after `max_episode_steps` (800 by default: 8 s, one period of the
    slowest sinusoid; then the target would jump to another path).

    ## Arguments
    Those of `ReachArm-v0` (a command is four numbers, paths last 8 s or a period of the slowest
    sinusoid, the weights' default is
    `Follow.weights`), and

    | name | default | meaning |
    |---|---|---|
    | `band` | 0.5 | the highest frequency of the target's movement [Hz], 0.1 to 5 |
    | `extent` | (0.04, 0.12) | range of a path's root mean square distance from its centre [m] |

    ## Info
    As in `ReachArm-v0`; `command` is all four numbers.

    ## Version history
    - v0: not released yet.
    """

    def __init__(
        self,
        render_mode: str | None = None,
        band: float = 0.5,
        extent: tuple[float, float] = (0.04, 0.12),
        **arguments: Any,
    ):
        super().__init__(Follow(band=band, extent=extent), render_mode, **arguments)


class FollowArmVectorEnv(ArmVectorEnv, gym.vector.VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """Many ``FollowArmEnv`` at once."""

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        band: float = 0.5,
        extent: tuple[float, float] = (0.04, 0.12),
        **arguments: Any,
    ):
        super().__init__(Follow(band=band, extent=extent), num_envs, max_episode_steps, **arguments)
