"""The commands of ``python -m rnn_controller``: train, evaluate, draw, demonstrate, show live.

A command checks its options and every place that it will write to before its work begins.
"""

import os
import sys
from typing import Any

import tyro

from rnn_controller.checkpoint import CheckpointError
from rnn_controller.commands.demo import Demo
from rnn_controller.commands.drawing import Animate, Figure, FigureName, SceneName, trained
from rnn_controller.commands.live import Live
from rnn_controller.commands.measuring import (
    Attractors,
    Evaluate,
    environment_of,
    measure,
    short_name,
    table,
)
from rnn_controller.commands.training import EARLIER_OPTIONS, Run, Train, going_on
from rnn_controller.options import OPTIONS, OptionError, with_present_options
from rnn_controller.training.trainer import TrainingError

__all__ = [
    "Animate",
    "Attractors",
    "Demo",
    "Evaluate",
    "Figure",
    "FigureName",
    "Live",
    "Run",
    "SceneName",
    "Train",
    "environment_of",
    "going_on",
    "main",
    "measure",
    "short_name",
    "table",
    "trained",
]

COMMANDS: dict[str, Any] = {
    "train": Train,
    "evaluate": Evaluate,
    "figure": Figure,
    "animate": Animate,
    "attractors": Attractors,
    "demo": Demo,
    "live": Live,
}


def parsed() -> Any:
    """Return the command that ``sys.argv`` gives; without any, print help."""
    arguments = sys.argv[1:] or ["--help"]
    if arguments[0] == "train":
        arguments = with_present_options(arguments, EARLIER_OPTIONS)
    with OPTIONS:
        return tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="python -m rnn_controller",
            description=(
                "The recurrent controller of Huh & Todorov (2009): train it, measure it, draw it."
            ),
            args=arguments,
        )


def main() -> None:
    """Run a command; what a user got wrong, and that it was stopped, is said in one line."""
    try:
        try:
            parsed().run()
        finally:
            print(end="", flush=True)  # here, where a full disk can still be reported
    except KeyboardInterrupt as stop:
        reason = str(stop) or "interrupted"
        print("; ".join([reason, *getattr(stop, "__notes__", [])]), file=sys.stderr)
        # as shells have it: 128 + signal
        raise SystemExit(143 if reason == "terminated" else 130) from None
    except BrokenPipeError:
        drop_output()
        raise SystemExit(141) from None  # nobody reads on, as in "| head"
    except (
        OptionError,
        CheckpointError,
        TrainingError,
        OSError,
        ValueError,
        ImportError,
        MemoryError,
    ) as error:
        drop_output()
        raise SystemExit(
            f"error: {' '.join(str(error).splitlines()) or type(error).__name__}"
        ) from None


def drop_output() -> None:
    """Give up what can't be written to stdout, or Python would try again as it ends."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
