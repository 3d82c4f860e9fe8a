"""The layout of the arm's arrays, and of the costs of any body.

Code that serves every body asks its ``arm_env.dynamics.body.Body`` for the sizes instead.
"""

STATE_SIZE = 10
"""Body state x: two joint angles [rad], their velocities [rad/s], six muscle activations [-]."""
ANGLES = slice(0, 2)
VELOCITIES = slice(2, 4)
ACTIVATIONS = slice(4, 10)

SENSORY_SIZE = 18
"""Sensory signal s: muscle lengths [L0], velocities [L0/s] and tensions [maximum forces]."""
MUSCLE_COUNT = 6

COSTS = 7
"""Columns of ``costs``: three terms of the cost c [1/s], distance from the attractor [m], success
(1 on the attractor, else 0), and the position x, y of the hand [m]."""
TERMS = slice(0, 3)
DISTANCE = 3
SUCCESS = 4
HAND = slice(5, 7)

CONTACT_SIZE = 7
"""Columns of a contact of the hand: force x, y [N]; normal x, y of a wall [-], its offset from the
shoulder along the normal [m], its stiffness [N/m] and damping [N s/m]."""
FORCE = slice(0, 2)
WALL = slice(2, 7)
