"""The commands of ``python -m rnn_controller``: train, evaluate, record, draw, export and others.

A command checks its options and every place that it will write to before its work begins.
"""

import os
import sys
from collections.abc import Sequence
from inspect import cleandoc
from typing import Annotated, Any, Union

import tyro

from rnn_controller.checkpoint import CheckpointError
from rnn_controller.commands.demo import Demo
from rnn_controller.commands.drawing import Animate, Figure, FigureName, SceneName, trained
from rnn_controller.commands.exporting import Export
from rnn_controller.commands.listing import List
from rnn_controller.commands.live import Live
from rnn_controller.commands.measuring import (
    Attractors,
    Evaluate,
    environment_of,
    measure,
    short_name,
    table,
)
from rnn_controller.commands.planning import Draw
from rnn_controller.commands.recording import Record
from rnn_controller.commands.training import (
    EARLIER_OPTIONS,
    Run,
    Train,
    going_on,
    train_command,
)
from rnn_controller.options import OPTIONS, OptionError, with_present_options
from rnn_controller.training.trainer import TrainingError

__all__ = [
    "Animate",
    "Attractors",
    "Demo",
    "Draw",
    "Evaluate",
    "Export",
    "Figure",
    "FigureName",
    "List",
    "Live",
    "Record",
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
    "record": Record,
    "figure": Figure,
    "animate": Animate,
    "draw": Draw,
    "attractors": Attractors,
    "demo": Demo,
    "live": Live,
    "export": Export,
    "list": List,
}
DESCRIPTION = """\
Train, measure and draw recurrent network controllers of a model of the human arm
(Huh & Todorov, 2009).

Examples:
  python -m rnn_controller demo
  python -m rnn_controller evaluate reach

Each command has its own --help."""


def parsed(arguments: Sequence[str] | None = None) -> Any:
    """Return the command that the arguments give, by default those of the process.

    Without any argument, print help.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if arguments[0] == "train":
        arguments = with_present_options(arguments, EARLIER_OPTIONS)
    asked, task = [*arguments, ""][:2]
    described = [
        Annotated[
            Any,
            tyro.conf.subcommand(
                name, description=description(command, in_full=name == asked), constructor=command
            ),
        ]
        for name, command in {**COMMANDS, "train": train_command(task)}.items()
    ]
    commands: Any = Union[tuple(described)]  # noqa: UP007
    with OPTIONS:
        return tyro.cli(
            commands, prog="python -m rnn_controller", description=DESCRIPTION, args=arguments
        )


def description(command: Any, in_full: bool) -> str:
    """Return the text on a command: all of it, or the first line for the list of commands."""
    text = cleandoc(command.__doc__)
    return text if in_full else text.splitlines()[0]


def main() -> None:
    """Run a command. Report a user's mistake, or that the command was stopped, in one line.

    Raises SystemExit with status 1 after an error, 2 if the options can't be read, 130 after
    Ctrl-C, 143 if the command was terminated, and 141 if the reader of its output has ended.
    """
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
        raise SystemExit(141) from None  # the reader of the pipe has ended, as in "| head"
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
