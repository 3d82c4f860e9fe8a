"""Processes that share the trials of every batch, as ``torchrun`` starts them.

Each process has the whole state of the training and takes the same steps. It simulates only its
part of a batch. The results of the parts, some numbers and a gradient each, are exchanged by
torch.distributed (gloo), and all processes sum them in the same order. So a run does not depend on
the number of its processes. Only the first process reads and writes files.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rnn_controller.training.run_folder import TrainingError

OF_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
LANES = 16  # trials that the compiled code simulates together
LEAST = 2 * LANES  # trials in a part; the network and the task are traced for each part
MOST_PARTS = 64


class TeamError(TrainingError):
    """An error that ends a training because another of its processes has ended."""


@dataclass(frozen=True)
class Team:
    """The processes of a training.

    Attributes:
        rank: Number of this process, from 0.
        size: Number of processes.
    """

    rank: int
    size: int

    @property
    def is_first(self) -> bool:
        """Whether this process reads and writes the files."""
        return self.rank == 0

    def share(self, number: int) -> slice:
        """Return which of a number of parts are those of this process."""
        return slice(self.rank * number // self.size, (self.rank + 1) * number // self.size)

    def gathered(self, rows: Tensor, number: int) -> Tensor:
        """Return the rows (number, n) of all processes from those of this one, (share, n).

        Raises TeamError if a process has ended.
        """
        import torch.distributed as dist

        most = -(-number // self.size)
        padded = rows.new_zeros((most, rows.shape[1]))
        padded[: len(rows)] = rows
        each = [torch.empty_like(padded) for _ in range(self.size)]
        with _ending():
            dist.all_gather(each, padded)
        parts = [Team(i, self.size).share(number) for i in range(self.size)]
        return torch.cat(
            [table[: part.stop - part.start] for table, part in zip(each, parts, strict=True)]
        )

    def from_first(self, value: Any) -> Any:
        """Return the value that the first process gives, as a copy in the others.

        Raises TeamError if a process has ended.
        """
        import torch.distributed as dist

        given = [value]
        with _ending():
            dist.broadcast_object_list(given, src=0)
        return given[0]


def part_size(trials: int) -> int:
    """Return the number of trials in a part of a batch, whatever the number of processes is.

    It is a multiple of ``LANES``.
    """
    return max(LEAST, LANES * -(-trials // (LANES * MOST_PARTS)))


def fingerprint(vector: Tensor) -> float:
    """Return a number that differs between vectors (n,) of other bits."""
    digest = hashlib.sha256(vector.detach().contiguous().numpy().tobytes()).digest()
    return float(int.from_bytes(digest[:6], "big"))  # a float64 holds 53 bits


def started_by_torchrun() -> bool:
    """Return whether this process is one of those that ``torchrun`` started."""
    return all(name in os.environ for name in OF_TORCHRUN)


@contextmanager
def joined(shared: bool) -> Iterator[Team | None]:
    """Join the processes that ``torchrun`` started, as a context, or none if it is not ``shared``.

    Raises ValueError if there are none.
    """
    if not shared:
        yield None
        return
    if not started_by_torchrun():
        raise ValueError(
            "only processes that torchrun started can share a training: "
            "torchrun --nproc-per-node 2 -m rnn_controller train reach"
        )
    import torch.distributed as dist

    begun = not dist.is_initialized()
    if begun:
        dist.init_process_group("gloo")
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        if begun:
            dist.destroy_process_group()


@contextmanager
def _ending() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # which gloo raises if a connection is closed
        raise TeamError(
            "another process of this training has ended: begin torchrun again with --resume"
        ) from error
