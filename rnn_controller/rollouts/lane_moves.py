"""Moves of arrays between movements and lanes.

These functions are compiled as a part of ``rnn_controller.rollouts.closed_loop``, whose docstring
explains lanes and blocks. ``members`` are the indices of a block's movements.
"""

from arm_env.codegen.lanes import LANES


def to_lanes(values, members, lengths, begin, end, later, first, lanes):
    """Put values[b, t + later] into lanes[t − begin], for the periods t from begin on.

    They become the components from ``first`` on. Where a movement has ended, and in lanes without
    one, they are zero.
    """
    for lane in range(LANES):
        b = members[min(lane, len(members) - 1)]
        length = lengths[b] if lane < len(members) else 0
        for t in range(begin, end):
            goes_on = t < length
            for i in range(values.shape[2]):
                value = values[b, t + later, i] if goes_on else 0.0
                lanes[t - begin, LANES * (first + i) + lane] = value


def from_lanes(lanes, members, lengths, begin, end, later, steps, values):
    """Take values[b, t + later] from the lanes, which hold ``steps`` entries for each period."""
    for lane in range(len(members)):
        b = members[lane]
        for t in range(begin + later, min(end, lengths[b]) + later):
            for i in range(values.shape[2]):
                values[b, t, i] = lanes[t * steps, LANES * i + lane]


def clear(members, lengths, later, values):
    """Set values[b, t + later] to zero after the movements' ends."""
    for b in members:
        for t in range(lengths[b] + later, values.shape[1]):
            for i in range(values.shape[2]):
                values[b, t, i] = 0.0
