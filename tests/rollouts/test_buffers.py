"""Arrays that are used again, and only when nobody holds them."""

import numpy as np
import torch

from rnn_controller.rollouts import buffers
from rnn_controller.rollouts.buffers import Buffers


def test_an_array_that_nobody_holds_comes_back():
    kept = Buffers()
    first = kept.array(3, 4)
    place = first.ctypes.data
    del first
    assert kept.array(3, 4).ctypes.data == place


def test_what_is_held_is_not_given_away():
    kept = Buffers()
    holders = [
        kept.array(3, 4),
        kept.array(3, 4)[1:],
        torch.from_numpy(kept.array(3, 4)),
        torch.from_numpy(kept.array(3, 4))[:, 1],
    ]
    places = {np.asarray(holder).ctypes.data // 96 for holder in holders}
    another = kept.array(3, 4)
    assert len(places) == 4
    for holder in holders:
        assert not np.shares_memory(np.asarray(holder), another)


def test_other_shapes_are_other_arrays():
    kept = Buffers()
    kept.array(3, 4)
    assert kept.array(4, 3).shape == (4, 3)


def test_no_more_is_kept_than_the_limit(monkeypatch):
    monkeypatch.setattr(buffers, "MOST", 1000)
    kept = Buffers()
    for size in (60, 61, 62, 63):
        kept.array(size)
    assert [array.size for array in kept._kept] == [62, 63]
    assert kept.array(500).size == 500 and not kept._kept
