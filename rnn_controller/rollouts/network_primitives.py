"""The functions that a network's equations may compute with, as torch computes them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

NETWORKS_MAY_HOLD = (
    "A network's equations may hold numbers, + - * / ** and abs of vectors, parts such as "
    "v[..., 0:5], and product, concatenate, relu, tanh, sigmoid, exp and sqrt of xp "
    "(docs/equations.md)"
)


class NetworkPrimitives(NamedTuple):
    """The functions that a network's equations may call, given to them as ``xp``.

    The equations may also use + − · / of vectors and numbers, and slices [..., a:b] of vectors.

    Attributes:
        product: Product of a matrix and a vector, product(matrix, vector).
        concatenate: Vectors joined into one, concatenate(vector, …).
        relu: max(x, 0) of each component.
        tanh: Hyperbolic tangent of each component.
        sigmoid: 1 / (1 + exp(−x)) of each component.
        exp: Exponential function of each component.
        sqrt: Square root of each component.
    """

    product: Any
    concatenate: Any
    relu: Any
    tanh: Any
    sigmoid: Any
    exp: Any
    sqrt: Any


def _concatenated(*vectors: Tensor) -> Tensor:
    # torch.cat does not broadcast: a weight (n,) has no batch axis, an observation (B, n) has
    batch = torch.broadcast_shapes(*(vector.shape[:-1] for vector in vectors))
    return torch.cat([vector.expand(*batch, vector.shape[-1]) for vector in vectors], -1)


def _also_of_numbers(function: Callable[[Tensor], Tensor]) -> Callable[[Any], Tensor]:
    number: Any = {"dtype": torch.float64, "device": "cpu"}
    return lambda x: function(x if isinstance(x, Tensor) else torch.tensor(x, **number))


TENSORS = NetworkPrimitives(  # for vectors (B, n)
    lambda matrix, vector: vector @ matrix.T,
    _concatenated,
    *map(_also_of_numbers, (torch.relu, torch.tanh, torch.sigmoid, torch.exp, torch.sqrt)),
)
