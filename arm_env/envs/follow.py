"""The environments of the following task, ``arm_env.tasks.follow``."""

from typing import Any

import gymnasium as gym
import numpy as np

from arm_env.envs.base import ArmEnv
from arm_env.envs.vector_env import ArmVectorEnv
from arm_env.tasks.follow import Follow


class FollowArmEnv(ArmEnv, gym.Env[np.ndarray, np.ndarray]):
    """Follow a moving target with a two-link, six-muscle arm.

    ## Description
    The arm, its muscles and its noise are those of `ReachArm-v0`. The target moves along a smooth
    random path, a sum of sinusoids up to a frequency `band`. The hand should move with it.

    ## Action Space
    `Box(0, max_excitation, (6,), float32)`: the excitation of each muscle.

    | index | muscle                       | low | high | unit | action on the joints  |
    |-------|------------------------------|-----|------|------|-----------------------|
    | 0     | SF, shoulder flexor          | 0   | 1    | –    | flexes the shoulder   |
    | 1     | SE, shoulder extensor        | 0   | 1    | –    | extends the shoulder  |
    | 2     | EF, elbow flexor             | 0   | 1    | –    | flexes the elbow      |
    | 3     | EE, elbow extensor           | 0   | 1    | –    | extends the elbow     |
    | 4     | BF, biarticular flexor       | 0   | 1    | –    | flexes both joints    |
    | 5     | BE, biarticular extensor     | 0   | 1    | –    | extends both joints   |

    The high bound is `arm.max_excitation`, 1 by default. The environment clips an excitation
    outside the bounds. It raises ValueError, and its state stays as it was, if an action has
    another shape or holds a number that is NaN or infinite. An excitation below `arm.tone` acts on
    the muscle as the tone does. The reward charges the action, not the tone.

    ## Observation Space
    `Box(low, high, (22,), float32)`. The attribute `observation_names` holds the names. Bounds,
    noise and delay are as in `ReachArm-v0`.

    | index | name          | low      | high  | unit | meaning                           |
    |-------|---------------|----------|-------|------|-----------------------------------|
    | 0     | `length_SF`   | -0.2799  | 3.268 | L0   | fibre length of SF                |
    | 1     | `length_SE`   | -0.368   | 3.628 | L0   | fibre length of SE                |
    | 2     | `length_EF`   | -0.1631  | 3.191 | L0   | fibre length of EF                |
    | 3     | `length_EE`   | -0.2232  | 2.835 | L0   | fibre length of EE                |
    | 4     | `length_BF`   | -0.2768  | 3.577 | L0   | fibre length of BF                |
    | 5     | `length_BE`   | -0.04063 | 3.576 | L0   | fibre length of BE                |
    | 6     | `velocity_SF` | -44.78   | 44.78 | L0/s | fibre velocity of SF              |
    | 7     | `velocity_SE` | -42.86   | 42.86 | L0/s | fibre velocity of SE              |
    | 8     | `velocity_EF` | -85.26   | 85.26 | L0/s | fibre velocity of EF              |
    | 9     | `velocity_EE` | -56.34   | 56.34 | L0/s | fibre velocity of EE              |
    | 10    | `velocity_BF` | -119.6   | 119.6 | L0/s | fibre velocity of BF              |
    | 11    | `velocity_BE` | -97.24   | 97.24 | L0/s | fibre velocity of BE              |
    | 12    | `tension_SF`  | 0        | 5     | F0   | tension of SF                     |
    | 13    | `tension_SE`  | 0        | 5     | F0   | tension of SE                     |
    | 14    | `tension_EF`  | 0        | 5     | F0   | tension of EF                     |
    | 15    | `tension_EE`  | 0        | 5     | F0   | tension of EE                     |
    | 16    | `tension_BF`  | 0        | 5     | F0   | tension of BF                     |
    | 17    | `tension_BE`  | 0        | 5     | F0   | tension of BE                     |
    | 18    | `target_x`    | -1.575   | 1.575 | m    | command: target, to the right (x) |
    | 19    | `target_y`    | -1.575   | 1.575 | m    | command: target, ahead (y)        |
    | 20    | `velocity_x`  | -5       | 5     | m/s  | command: target velocity (x)      |
    | 21    | `velocity_y`  | -5       | 5     | m/s  | command: target velocity (y)      |

    L0 is the optimal fibre length of the muscle, F0 its maximum isometric force. A muscle that
    shortens has a negative velocity.

    ## Rewards
    The reward of a step is `−c Δt`, where Δt is the control period and c the instantaneous cost of
    eq. 7 (Huh & Todorov 2009) for a moving point:

    `c = (1 − e)(1 + (α/2) v_d²/v0²) + (α/2) e |v − v_d|²/v0² + (γ/2) |u|²`,
    with `e = exp(−d²/2d0²)`.

    d is the distance of the hand from the target, v_d the velocity of the target, v that of the
    hand, and u the action. The cost is that of the state in which the step ends, under the command
    in force during the step. With a target at rest the reward is that of `ReachArm-v0` under the
    same weights. By default α = 2, γ = 0.05, d0 = 0.04 m and v0 = 0.3 m/s.

    The value of an episode is `V = Σ c Δt`, so its undiscounted return is −V. The `mean_value` that
    `arm_env.evaluate` returns is the mean of V over the movements, i.e. minus their mean return.

    ## Starting State
    The hand is on the target and moves with it. All activations are 0. A path has a centre and, for
    each coordinate, four sinusoids at `band`/4, `band`/2, 3 `band`/4 and `band`. Their amplitudes
    are normal and fall as 1/frequency. The root mean square of the path's distance from its centre
    is drawn uniformly in `extent`. A path and its centre are drawn again until all of the path has
    shoulder angles in [0°, 110°] and elbow angles in [30°, 140°].

    ## Episode End
    Truncation: the episode has lasted `max_episode_steps` (800 by default: 8 s, one period of the
    slowest sinusoid; then the target would jump to another path). There is no termination.

    ## Arguments
    | name             | default          | meaning                                               |
    |------------------|------------------|-------------------------------------------------------|
    | `render_mode`    | `None`           | `None`, `"rgb_array"` or `"human"`                    |
    | `band`           | `0.5`            | highest frequency of the target [Hz], 0.1 to 5        |
    | `extent`         | `(0.04, 0.12)`   | range of a path's root mean square distance [m]       |
    | `arm`            | `Arm()`          | as in `ReachArm-v0`                                   |
    | `weights`        | `Follow.weights` | α, γ, d0 and v0 of the cost, an `arm_env.CostWeights` |
    | `noise`          | `0.2`            | as in `ReachArm-v0`                                   |
    | `control_period` | `0.01`           | as in `ReachArm-v0`                                   |
    | `schedule`       | `None`           | `None` for random paths, else as in `ReachArm-v0`     |
    | `perturbation`   | `None`           | as in `ReachArm-v0`                                   |
    | `muscle_info`    | `False`          | as in `ReachArm-v0`                                   |

    With `render_mode="human"`, the mouse holds the target, whose commanded velocity is then 0. It
    goes on along its path when you release the button.

    A random path lasts 8 s, or a period of the slowest sinusoid if that is longer. For `schedule`,
    a command is four numbers, so an array has the shape (n, 4).

    ## Info
    As in `ReachArm-v0`, but `command`, (4,), is all four numbers.

    ## Version History
    - v0: not released yet.

    ## References
    - Huh & Todorov (2009), Real-time motor control using recurrent neural networks: the cost and
      the noise. The sources of the arm are those of `ReachArm-v0`.
    - McRuer & Jex (1967), A review of quasi-linear pilot models: sums of sinusoids as targets.
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
    """B ``FollowArmEnv`` at once; ``ArmVectorEnv`` describes the arguments and shapes."""

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        band: float = 0.5,
        extent: tuple[float, float] = (0.04, 0.12),
        **arguments: Any,
    ):
        super().__init__(Follow(band=band, extent=extent), num_envs, max_episode_steps, **arguments)
