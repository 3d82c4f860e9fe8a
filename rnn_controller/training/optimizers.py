"""Optimisers of a flat weight vector: the paper's conjugate gradient, Adam and SOAP.

All share one form: ``step(function, w)`` takes a function w ↦ (value, gradient) and returns the
next w; ``state`` is a dictionary of tensors that a checkpoint can hold, so that a resumed run goes
on as if it had never stopped. ``layout`` names its tensors and their shapes for n weights.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rnn_controller.training.line_search import Function, line_search

# weights whose second moment SOAP holds as one matrix: it costs their number cubed
MOST_TOGETHER = 1000


class ConjugateGradient:
    """Nonlinear conjugate gradient, Polak–Ribière with restarts (the paper's method)."""

    layout: ClassVar[dict[str, str]] = {
        "value": "",
        "gradient": "n",
        "direction": "n",
        "length": "",
    }

    def __init__(self) -> None:
        self.state: dict[str, Tensor] = {}

    def step(self, function: Function, w: Tensor) -> tuple[Tensor, float]:
        """Return the next w (n,), and the objective at the present one."""
        # The last line search has evaluated this point already.
        if not self.state:
            value, gradient = function(w)
            direction = -gradient
            length = 1.0 / max(1.0, float(gradient.norm()))
        else:
            value, gradient = float(self.state["value"]), self.state["gradient"]
            direction = self.state["direction"]
            length = float(self.state["length"])
        # After a change of the function the conjugate direction may lead upwards.
        if float(gradient @ direction) >= 0:
            direction = -gradient
        length, new_value, new_gradient = line_search(
            function, w, value, gradient, direction, length, 0.1
        )
        w = w + length * direction
        beta = float(new_gradient @ (new_gradient - gradient)) / max(
            float(gradient @ gradient), 1e-300
        )
        # A negative β, or a line search that found nothing, restarts along the gradient (PR+).
        next_direction = -new_gradient + max(beta, 0.0) * direction if length > 0 else -new_gradient
        # First try: the same first-order decrease as the step just made (Nocedal & Wright, eq.
        # 3.60).
        decrease = float(gradient @ direction) * length
        slope = float(new_gradient @ next_direction)
        guess = min(decrease / slope, 10 * length) if slope < 0 and length > 0 else 1e-3
        self.state = {
            "value": w.new_tensor(new_value),
            "gradient": new_gradient,
            "direction": next_direction,
            "length": w.new_tensor(guess),
        }
        return w, value


class Adam:
    """Adam (Kingma & Ba 2015) with the gradient clipped to norm 1.

    ``learning_rate`` may be changed between steps.
    """

    layout: ClassVar[dict[str, str]] = {"mean": "n", "square": "n", "count": ""}

    def __init__(self, learning_rate: float = 0.01) -> None:
        self.learning_rate = learning_rate
        self.state: dict[str, Tensor] = {}

    def step(self, function: Function, w: Tensor) -> tuple[Tensor, float]:
        """Return the next w (n,), and the objective at the present one."""
        value, gradient = function(w)
        if not self.state:
            zero = torch.zeros_like(w)
            self.state = {"mean": zero, "square": zero, "count": w.new_zeros(())}
        # A batch with a few bad trials must not outweigh all others in the moments.
        gradient = gradient / max(1.0, float(gradient.norm()))
        count = self.state["count"] + 1
        mean = 0.9 * self.state["mean"] + 0.1 * gradient
        square = 0.999 * self.state["square"] + 0.001 * gradient * gradient
        self.state = {"mean": mean, "square": square, "count": count}
        unbiased = (square / (1 - 0.999**count)).sqrt() + 1e-8
        return w - self.learning_rate * mean / (1 - 0.9**count) / unbiased, value


class Soap(Adam):
    """Adam along the principal axes of the gradient (SOAP, Vyas et al. 2025), in blocks of weights.

    Adam scales each weight by itself; this scales each eigenvector of the second moment of a
    block's gradient, so that weights which matter only together (six muscles sense two joints) are
    no obstacle. ``blocks`` (b, k) holds the indices of the weights of each block, filled up with n;
    without it all n weights are one. An iteration costs a few products with k × k matrices a block,
    and every hundredth their eigendecompositions.
    """

    layout: ClassVar[dict[str, str]] = {
        "mean": "n",
        "square": "bk",
        "moment": "bkk",
        "axes": "bkk",
        "count": "",
    }
    refresh = 100  # iterations between two eigendecompositions

    def __init__(self, learning_rate: float = 0.01, blocks: Tensor | None = None) -> None:
        super().__init__(learning_rate)
        self.blocks = blocks

    def step(self, function: Function, w: Tensor) -> tuple[Tensor, float]:
        """Return the next w (n,), and the objective at the present one."""
        value, gradient = function(w)
        blocks = torch.arange(len(w), device=w.device)[None] if self.blocks is None else self.blocks
        if not self.state:
            zero, (number, size) = torch.zeros_like(w), blocks.shape
            # a row each
            axes = torch.eye(size, dtype=w.dtype, device=w.device).repeat(number, 1, 1)
            moment = torch.zeros_like(axes)
            count = w.new_zeros(())
            self.state = {
                "mean": zero,
                "square": moment[:, 0],
                "moment": moment,
                "axes": axes,
                "count": count,
            }
        gradient = gradient / max(1.0, float(gradient.norm()))
        count = self.state["count"] + 1
        axes = self.state["axes"]
        mean = 0.9 * self.state["mean"] + 0.1 * gradient
        # index n, which fills up short blocks, is a weight of no gradient
        g = torch.cat([gradient, gradient.new_zeros(1)])[blocks]  # (b, k)
        moment = torch.baddbmm(
            self.state["moment"], g[:, :, None], g[:, None], beta=0.999, alpha=0.001
        )
        # The eigenvalues are the second moments along the new axes: no old ones have to be turned.
        if bool(torch.isfinite(gradient).all()) and int(count) % self.refresh == 0:
            square, vectors = torch.linalg.eigh(moment)
            square = square.clamp_min(0)
            axes = vectors.mT.contiguous()
        else:
            square = 0.999 * self.state["square"] + 0.001 * (axes @ g[..., None])[..., 0] ** 2
        self.state = {
            "mean": mean,
            "square": square,
            "moment": moment,
            "axes": axes,
            "count": count,
        }
        unbiased = (square / (1 - 0.999**count)).sqrt() + 1e-8
        m = torch.cat([mean, mean.new_zeros(1)])[blocks, None] / (1 - 0.9**count)  # (b, k, 1)
        # into the axes, divided by the deviation along each, and back
        change = axes.mT @ (axes @ m / unbiased[..., None])
        step = torch.cat([torch.zeros_like(w), w.new_zeros(1)]).index_put((blocks,), change[..., 0])
        return w - self.learning_rate * step[: len(w)], value


def blocks_of(receivers: Sequence[Tensor], number: int) -> Tensor | None:
    """Return SOAP's blocks (b, k) of a vector (n,) of n = ``number`` weights.

    All weights together are one block (None) while that is cheap. Otherwise each row holds the
    indices of the incoming weights of one unit, which ``receivers`` lists. Short rows are filled up
    with n.
    """
    if number <= MOST_TOGETHER:
        return None
    return pad_sequence(list(receivers), batch_first=True, padding_value=number)


OPTIMIZERS: dict[str, Any] = {"conjugate-gradient": ConjugateGradient, "adam": Adam, "soap": Soap}
