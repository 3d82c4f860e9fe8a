"""The fits behind the tuning figure, on data whose answers are known."""

import numpy as np
import pytest
import torch

from arm_env import Arm
from rnn_controller import NetworkConfig, RecurrentController, load_checkpoint
from rnn_controller.analysis.neural import analyse, linear_fit, rotational_fit


def test_linear_fit_finds_a_plane_and_its_r2():
    rng = np.random.default_rng(0)
    places = rng.standard_normal((4000, 2))
    plane = 3 + places @ [2.0, -1.0]
    noise = rng.standard_normal(4000)
    slopes, r2 = linear_fit(places, np.column_stack([plane, plane + noise, noise, np.ones(4000)]))
    np.testing.assert_allclose(slopes[:, 0], [2.0, -1.0], atol=1e-12)
    assert r2 == pytest.approx([1.0, 5 / 6, 0.0, 0.0], abs=0.02)


def test_rotational_fit_tells_a_rotation_from_a_decay():
    points = np.random.default_rng(0).standard_normal((300, 4))
    turning = np.array([[0, 1, 0, 2], [-1, 0, 3, 0], [0, -3, 0, 1], [-2, 0, -1, 0]])
    assert rotational_fit(points, points @ turning.T) == pytest.approx(1, abs=1e-12)
    assert rotational_fit(points, -points) == pytest.approx(0, abs=0.05)


def test_tuning_of_the_shipped_controller():
    found = analyse(load_checkpoint("reach").network)
    neurons = found.place_r2.size
    assert (found.direction_r2 <= 1 + 1e-12).all() and (found.direction_r2 >= -1e-9).all()
    assert found.explained.sum() == pytest.approx(1) and len(found.explained) == neurons
    reached = found.hands[:, -1] - found.hands[:, 0]
    directions = np.column_stack([np.cos(found.directions), np.sin(found.directions)])
    assert ((reached * directions).sum(1) > 0.06).all()  # the reaches go where they should
    assert np.median(found.direction_r2[found.modulation > 0.1 * found.modulation.max()]) > 0.6


def test_only_reaching_networks_have_it():
    circle = RecurrentController(NetworkConfig(4), 4, torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="reaching network"):
        analyse(circle, Arm())
