"""Centre-out reaches, and the neural activity during them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnn_controller.analysis.neural import principal_components, rotational_planes
from rnn_controller.experiments.reaches import Reaches, reaches

ANALYSED = (0.0, 0.4)  # [s] after the jump: the window of jPCA
COMPONENTS = 6  # principal components in which a rotation is fitted


@dataclass(frozen=True)
class CentreOut:
    """Centre-out reaches in D directions, with neural activity seen in planes.

    Averages are over the repeats. N neurons, T + 1 instants.

    Attributes:
        reaches: The reaches, with paths and speeds of the hand.
        rates: (D, T + 1, N) activity of the neurons.
        order: (N,) the neurons in the order of the time of their largest activity.
        explained: (N,) share of the variance over directions and time that each principal component
            explains.
        pca: (D, T + 1, 2) activity in the plane of the first two principal components.
        jpca: (D, T + 1, 2) activity in the plane of the fastest rotation.
        rotation_r2: Share of the change of the first six components that a rotation explains.
        frequency: Frequency of the rotation in the plane of jPCA [Hz].
    """

    reaches: Reaches
    rates: np.ndarray
    order: np.ndarray
    explained: np.ndarray
    pca: np.ndarray
    jpca: np.ndarray
    rotation_r2: float
    frequency: float

    @property
    def hand(self) -> np.ndarray:
        """Hand positions [m], (D, R, T + 1, 2)."""
        return self.reaches.hand

    @property
    def speed(self) -> np.ndarray:
        """Hand speeds [m/s], (D, R, T + 1)."""
        return self.reaches.speed

    @property
    def time(self) -> np.ndarray:
        """Time since the jump [s], (T + 1,)."""
        return self.reaches.time


def centre_out(controller: Any = "reach", **options: Any) -> CentreOut:
    """Return centre-out reaches of a controller, and its neural activity during them.

    The options are those of ``reaches``, such as ``perturbation={"curl": 15}``. Principal
    components and rotations (jPCA, Churchland et al. 2012) are those of the activity about its mean
    over the directions. Raises ValueError for a controller without neurons.
    """
    found = reaches(controller, **options)
    rates = found.activity.mean(1)  # (D, T + 1, N)
    if not rates.shape[-1]:
        raise ValueError(
            "centre_out shows the activity of neurons, and this controller returns no state (N,): "
            "use reaches for the paths alone"
        )
    explained, components = principal_components(rates)
    varying = (rates - rates.mean(0)) @ components.T  # (D, T + 1, N)
    window = (found.time >= ANALYSED[0]) & (found.time <= ANALYSED[1])
    plane, r2, speed = rotational_planes(varying[:, window, :COMPONENTS], found.time[1])
    return CentreOut(
        found,
        rates,
        np.argsort(rates.mean(0).argmax(0), kind="stable"),
        explained,
        varying[..., :2],
        varying[..., : plane.shape[1]] @ plane.T,
        r2,
        speed / (2 * np.pi),
    )
