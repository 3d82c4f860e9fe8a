"""The command line ``python -m rnn_controller``: its start, and its end when it is stopped.

The commands are in ``rnn_controller.commands``, whose imports take seconds. Ctrl-C may come during
these imports, too.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
STATUSES = {128 + number for number in SIGNALS}
MOMENT = 0.05  # [s]


def leave(number: int, frame: FrameType | None) -> None:
    """End the process at once.

    While modules are imported there is nothing to save, and some would swallow an exception.
    """
    with contextlib.suppress(OSError):  # without a stderr
        os.write(2, f"{SIGNALS[signal.Signals(number)]}\n".encode())
    os._exit(128 + number)


def stop(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, which ends the work, so that it is saved or tidied away.

    The same signal again has no effect on that. While LLVM calls Python, an exception would be
    lost and might crash the process, so the signal is raised again a moment later.
    """
    if is_called_by_llvm(frame):
        threading.Timer(MOMENT, signal.raise_signal, (number,)).start()
        return
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt(SIGNALS[signal.Signals(number)])


def is_called_by_llvm(frame: FrameType | None) -> bool:
    """Return whether a frame, or one that called it, is a function that LLVM calls."""
    while frame is not None:
        name = frame.f_code.co_name
        if name.startswith("_raw_") and frame.f_globals.get("__name__", "").startswith("llvmlite"):
            return True
        frame = frame.f_back
    return False


def react(handler: Callable[[int, FrameType | None], None]) -> None:
    """Set the handler of all signals but the ignored ones, as Ctrl-C in a background job."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def prepare_streams() -> None:
    """Let stdout and stderr take any text.

    Where there are none, streams to nowhere replace them.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # pythonw, a service, or ``2>&-``
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack Greek


if __name__ == "__main__":
    react(leave)
    prepare_streams()
    from rnn_controller import commands

    react(stop)
    try:
        commands.main()
    except SystemExit as end:
        if end.code not in STATUSES:
            raise
        os._exit(end.code)  # Python itself may end by the signal, or wait for threads
    finally:
        react(leave)  # what is left has nothing to save
