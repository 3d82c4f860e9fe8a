"""The environments of the paper's two tasks, each with its specification as its docstring.

``arm_env.envs.base`` has the code that they share.
"""

from typing import Any

import gymnasium as gym
import numpy as np

from arm_env.envs.base import ArmEnv, action_space, frame_rate  # noqa: F401  for old imports
from arm_env.envs.settings import as_orbit
from arm_env.tasks.reach import Reach


class ReachArmEnv(ArmEnv, gym.Env[np.ndarray, np.ndarray]):
    """Reach with a two-link, six-muscle arm to commanded targets (Huh & Todorov 2009, V.B.1).

    ## Description
    A human arm moves in a horizontal plane, without gravity. It has two links, friction, soft
    joint stops, and three antagonistic pairs of muscles whose moment arms change with the posture
    (Nijhof & Kouwenhoven 2000). A command is a target for the hand. The environment holds the
    command for a time and then jumps to another one.

    Signals are noisy: each element of the sensory signal, of the command and of the excitation is
    multiplied by (1 + ω), where ω is white Gaussian noise. No muscle is ever fully off: the least
    excitation is the `tone` of the arm, 0.002. A `perturbation` changes the body, adds a force
    field or a load at the hand, or delays the sensory signals. The spaces stay those of the
    unperturbed `arm`, so a controller cannot read the perturbation from them.

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
    `Box(low, high, (20,), float32)`. The attribute `observation_names` holds the names.

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

    L0 is the optimal fibre length of the muscle, F0 its maximum isometric force. A muscle that
    shortens has a negative velocity. The shoulder is the origin of all positions.

    The bounds are those of the default arm. They contain every state that actions can lead to, and
    the noise up to ten of its default standard deviations. A signal beyond a bound is clipped.
    Under a sensory delay, the first 18 signals are those of that time ago, or of the start of the
    episode, with noise that is drawn now. The command is the present one.

    ## Rewards
    The reward of a step is `−c Δt`, where Δt is the control period and c the instantaneous cost of
    eq. 6 (Huh & Todorov 2009):

    `c = 1 − e + (α/2) |v|²/v0² e + (γ/2) |u|²`, with `e = exp(−d²/2d0²)`.

    d is the distance of the hand from the target, v the velocity of the hand, and u the action. The
    cost is that of the state in which the step ends, under the command in force during the step. By
    default α = 0.3, γ = 5, d0 = 0.04 m and v0 = 0.3 m/s.

    The value of an episode is `V = Σ c Δt`, so its undiscounted return is −V. The `mean_value` that
    `arm_env.evaluate` returns is the mean of V over the movements, i.e. minus their mean return.

    ## Starting State
    The hand rests on the first command, and all activations are 0. Targets are drawn uniformly in
    space over the hand positions with a shoulder angle in [0°, 110°] and an elbow angle in
    [30°, 140°].

    ## Episode End
    Truncation: the episode has lasted `max_episode_steps` (200 by default: 2 s, with one jump at
    1 s). There is no termination.

    ## Arguments
    | name             | default         | meaning                                                |
    |------------------|-----------------|--------------------------------------------------------|
    | `render_mode`    | `None`          | `None`, `"rgb_array"` or `"human"`                     |
    | `arm`            | `Arm()`         | parameters of the body, an `arm_env.Arm`               |
    | `weights`        | `CostWeights()` | α, γ, d0 and v0 of the cost, an `arm_env.CostWeights`  |
    | `noise`          | `0.2`           | standard deviation of ω at a 5 ms step, 0 (off) to 10  |
    | `control_period` | `0.01`          | Δt [s], 0.0001 to 0.1                                  |
    | `schedule`       | `None`          | the commands; see below                                |
    | `perturbation`   | `None`          | changes of the arm, an `arm_env.Perturbation`          |
    | `muscle_info`    | `False`         | whether `info` has the signals of the muscles, below   |

    - `render_mode`: `"human"` opens a window. While the left mouse button is down in it, the target
      is at the pointer, within the workspace. Then it stays until the schedule's next jump.
    - `arm`: its `tone` and `max_excitation` bound the excitations. `Arm.macaque()` has the muscles
      of a macaque.
    - `noise`: the standard deviation is scaled by √(5 ms / Δt), so that a value means the same at
      any control period.
    - `control_period`: the physics takes steps of at most 5 ms within a control period.
    - `schedule`: `None` for random jumps every 1 s; an array (n, 2) of targets, held for 1 s each;
      a function from time [s] to a target; or an `arm_env.Schedule`, which sets the hold time.
    - `perturbation`: factors on `mass` and `strength`, a `curl` field [N s/m] and a `load` [kg] at
      the hand, and a sensory `delay` [s], which is a multiple of Δt.

    `arm`, `weights` and `perturbation` may also be mappings of the fields that differ, e.g.
    `{"curl": 15}`, and `schedule` a mapping with a `kind`: `{"kind": "random-jumps", "hold": 2}`.
    They have this form in `env.spec`, which can be written as JSON.

    Each argument is also an attribute. A new value of `noise`, `weights`, `schedule` or
    `perturbation` acts from the next reset: `env.unwrapped.noise = 0.0`, or
    `env.set_wrapper_attr("noise", 0.0)`. `muscle_info` acts from the next step. `arm` and
    `control_period` can be read but not set.

    `reset(options=...)` takes `posture` (shoulder and elbow angle [rad]; the arm starts there at
    rest), and either `targets` (n, 2) or a `schedule`. They hold for this one episode.

    ## Info
    All entries are free of noise and of the sensory delay.

    | key             | shape | unit             | meaning                                        |
    |-----------------|-------|------------------|------------------------------------------------|
    | `hand`          | (2,)  | m                | position of the hand                           |
    | `command`       | (2,)  | m                | the command in force during the step           |
    | `target`        | (2,)  | m                | its first two numbers, the target              |
    | `distance`      | ()    | m                | distance of the hand from the target           |
    | `cost_distance` | ()    | 1/s              | first term of c, `1 − e`                       |
    | `cost_velocity` | ()    | 1/s              | second term of c                               |
    | `cost_effort`   | ()    | 1/s              | third term of c                                |
    | `is_success`    | ()    | –                | whether the hand is within 4 cm of the target  |
    | `state`         | (10,) | rad, rad/s, –    | joint angles, their velocities, activations    |

    With `muscle_info=True` there are also the signals of the muscles, in the order of the actions:

    | key                 | shape | unit | meaning                          |
    |---------------------|-------|------|----------------------------------|
    | `muscle_length`     | (6,)  | L0   | fibre lengths                    |
    | `muscle_velocity`   | (6,)  | L0/s | fibre velocities                 |
    | `muscle_activation` | (6,)  | –    | activations, those in `state`    |
    | `muscle_tension`    | (6,)  | F0   | tensions                         |

    ## Version History
    - v0: not released yet. Until November 2026 the default muscles were those of a macaque, with
      constant moment arms and no tone (today `arm_env.Arm.macaque()`), and γ was 0.05.

    ## References
    - Huh & Todorov (2009), Real-time motor control using recurrent neural networks: the task, the
      cost and the noise.
    - Li & Todorov (2004), Iterative linear quadratic regulator design for nonlinear biological
      movement systems: the skeleton.
    - Nijhof & Kouwenhoven (2000), Simulation of multijoint arm movements: the muscles.
    - Brown, Cheng & Loeb (1999), Measured and modeled properties of mammalian skeletal muscle: the
      force curves.
    """

    def __init__(self, render_mode: str | None = None, **arguments: Any):
        super().__init__(Reach(), render_mode, **arguments)


class CircleArmEnv(ArmEnv, gym.Env[np.ndarray, np.ndarray]):
    """Draw circles with a two-link, six-muscle arm (Huh & Todorov 2009, V.B.2).

    ## Description
    The arm, its muscles and its noise are those of `ReachArm-v0`. A command is a limit cycle: a
    circle of given centre, radius, speed and direction. The hand should run along it, from wherever
    it is when the command begins.

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

    | index | name          | low      | high  | unit | meaning                                   |
    |-------|---------------|----------|-------|------|-------------------------------------------|
    | 0     | `length_SF`   | -0.2799  | 3.268 | L0   | fibre length of SF                        |
    | 1     | `length_SE`   | -0.368   | 3.628 | L0   | fibre length of SE                        |
    | 2     | `length_EF`   | -0.1631  | 3.191 | L0   | fibre length of EF                        |
    | 3     | `length_EE`   | -0.2232  | 2.835 | L0   | fibre length of EE                        |
    | 4     | `length_BF`   | -0.2768  | 3.577 | L0   | fibre length of BF                        |
    | 5     | `length_BE`   | -0.04063 | 3.576 | L0   | fibre length of BE                        |
    | 6     | `velocity_SF` | -44.78   | 44.78 | L0/s | fibre velocity of SF                      |
    | 7     | `velocity_SE` | -42.86   | 42.86 | L0/s | fibre velocity of SE                      |
    | 8     | `velocity_EF` | -85.26   | 85.26 | L0/s | fibre velocity of EF                      |
    | 9     | `velocity_EE` | -56.34   | 56.34 | L0/s | fibre velocity of EE                      |
    | 10    | `velocity_BF` | -119.6   | 119.6 | L0/s | fibre velocity of BF                      |
    | 11    | `velocity_BE` | -97.24   | 97.24 | L0/s | fibre velocity of BE                      |
    | 12    | `tension_SF`  | 0        | 5     | F0   | tension of SF                             |
    | 13    | `tension_SE`  | 0        | 5     | F0   | tension of SE                             |
    | 14    | `tension_EF`  | 0        | 5     | F0   | tension of EF                             |
    | 15    | `tension_EE`  | 0        | 5     | F0   | tension of EE                             |
    | 16    | `tension_BF`  | 0        | 5     | F0   | tension of BF                             |
    | 17    | `tension_BE`  | 0        | 5     | F0   | tension of BE                             |
    | 18    | `centre_x`    | -1.575   | 1.575 | m    | command: centre, to the right (x)         |
    | 19    | `centre_y`    | -1.575   | 1.575 | m    | command: centre, ahead (y)                |
    | 20    | `radius`      | 0        | 1.575 | m    | command: radius of the circle             |
    | 21    | `speed`       | -5       | 5     | m/s  | command: speed v_d, above 0 for clockwise |

    L0 is the optimal fibre length of the muscle, F0 its maximum isometric force. A muscle that
    shortens has a negative velocity.

    ## Rewards
    The reward of a step is `−c Δt`, where Δt is the control period and c the instantaneous cost of
    eq. 7 (Huh & Todorov 2009):

    `c = (1 − e)(1 + (α/2) v_d²/v0²) + (α/2) e |v − v_d n|²/v0² + (γ/2) |u|²`,
    with `e = exp(−d²/2d0²)`.

    d is the distance of the hand from the circle, n the clockwise tangent at the hand, v the
    velocity of the hand, and u the action. The cost is that of the state in which the step ends,
    under the command in force during the step. Within 0.1 mm of the centre, where there is no
    tangent, n fades to zero. With radius and speed 0 the reward is that of `ReachArm-v0` under the
    same weights. By default α = 2, γ = 0.05, d0 = 0.04 m and v0 = 0.3 m/s.

    The value of an episode is `V = Σ c Δt`, so its undiscounted return is −V. The `mean_value` that
    `arm_env.evaluate` returns is the mean of V over the movements, i.e. minus their mean return.

    ## Starting State
    The hand is on the first command's circle at a random phase and has the velocity commanded
    there. All activations are 0. A random command has a radius of 4 to 10 cm and a duration of one
    round of 0.8 to 2 s, both uniform; the speed, 0.13 to 0.79 m/s, follows. Both directions are
    equally likely. The centre is uniform over those whose whole circle has shoulder angles in
    [0°, 110°] and elbow angles in [30°, 140°].

    ## Episode End
    Truncation: the episode has lasted `max_episode_steps` (600 by default: 6 s, with one jump at
    3 s). There is no termination.

    ## Arguments
    | name             | default         | meaning                                                |
    |------------------|-----------------|--------------------------------------------------------|
    | `render_mode`    | `None`          | `None`, `"rgb_array"` or `"human"`                     |
    | `orbit`          | `Circle()`      | the shape, and the ranges of random commands           |
    | `arm`            | `Arm()`         | as in `ReachArm-v0`                                    |
    | `weights`        | `Orbit.weights` | α, γ, d0 and v0 of the cost, an `arm_env.CostWeights`  |
    | `noise`          | `0.2`           | as in `ReachArm-v0`                                    |
    | `control_period` | `0.01`          | as in `ReachArm-v0`                                    |
    | `schedule`       | `None`          | `None` for random jumps every 3 s, else as there       |
    | `perturbation`   | `None`          | as in `ReachArm-v0`                                    |
    | `muscle_info`    | `False`         | as in `ReachArm-v0`                                    |

    - `render_mode`: with `"human"`, the mouse moves the centre. The whole circle stays within the
      workspace.
    - `orbit`: `arm_env.Ellipse()`, `arm_env.RoundedPolygon()` or an `arm_env.Orbit` of your own. It
      may also be a name, `"ellipse"`, or a mapping, `{"kind": "ellipse", "aspect": 3}`.
    - `schedule`: a command is four numbers, so an array has the shape (n, 4).

    ## Info
    As in `ReachArm-v0`, with these differences: `command`, (4,), is all four numbers, `target` is
    the centre, and `distance` that of the hand from the circle. `is_success` says whether the hand
    is within 1.5 cm of the circle and its speed along it is within 25 % of the commanded one.

    ## Version History
    - v0: not released yet. Until November 2026 the default muscles were those of a macaque, as for
      `ReachArm-v0`.

    ## References
    - Huh & Todorov (2009), Real-time motor control using recurrent neural networks: the task, the
      cost and the noise. The sources of the arm are those of `ReachArm-v0`.
    """

    def __init__(self, render_mode: str | None = None, orbit: Any = None, **arguments: Any):
        super().__init__(as_orbit(orbit), render_mode, **arguments)
