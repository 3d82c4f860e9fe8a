"""Configuration of the documentation site; ``make docs`` builds it."""

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Any
from unittest import mock

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))
os.environ["COLUMNS"] = "100"  # of the command line's help

import arm_env  # noqa: E402

project = "rnn-motor-control"
author = "the rnn-motor-control developers"
version = release = arm_env.__version__
copyright = f"2026, {author}"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
nb_execution_mode = "off"  # tests run the code
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
suppress_warnings = ["myst.header"]

html_theme = "furo"
html_title = "rnn-motor-control"
html_static_path = ["_static"]
html_extra_path: list[str] = []

COMMANDS = {
    "train": ("reach", "circle", "follow"),
    "evaluate": (),
    "attractors": (),
    "figure": (),
    "animate": (),
    "demo": (),
}


def write_command_line(app: Any) -> None:
    """Write the page of the command line from the help of its parser."""
    lines = [
        "# Command line",
        "",
        "Each section shows the help of one command. `python -m rnn_controller COMMAND --help` "
        "prints the same.",
        "",
    ]
    for command, tasks in COMMANDS.items():
        for words in [(command, task) for task in tasks] or [(command,)]:
            lines += [f"## {' '.join(words)}", "", "```text", help_of(words), "```", ""]
    page = DOCS / "reference" / "command-line.md"
    text = "\n".join(lines)
    if not page.exists() or page.read_text() != text:
        page.write_text(text)


def help_of(words: tuple[str, ...]) -> str:
    """Return the help of a command, without colours."""
    from rnn_controller.commands import parsed

    printed = io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["rnn_controller", *words, "--help"]),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        parsed()
    return printed.getvalue().rstrip()


def setup(app: Any) -> None:
    """Make Sphinx write the page before it reads any."""
    app.connect("builder-inited", write_command_line)
