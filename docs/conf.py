"""Configuration of the documentation site; ``make docs`` builds it."""

import contextlib
import dataclasses
import inspect
import io
import os
import re
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
exclude_patterns = ["_build", "_extra"]
# Notebooks run when they change. NOTEBOOKS=off make docs shows them without figures.
nb_execution_mode = os.environ.get("NOTEBOOKS", "cache")
nb_execution_timeout = 900  # [s] of a cell
nb_execution_raise_on_error = True
nb_execution_in_temp = True  # they write files
nb_output_stderr = "remove"  # progress bars
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
autodoc_default_options = {"members": True, "exclude-members": "earlier_names"}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 110
suppress_warnings = ["myst.header"]

html_theme = "furo"
html_title = "rnn-motor-control"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_extra"]  # the live page

# Where the project is published; GitHub tells its own workflows.
PLACEHOLDER = "OWNER/rnn-motor-control"  # github.com/OWNER/rnn-motor-control
REPOSITORY = os.environ.get("GITHUB_REPOSITORY", PLACEHOLDER)

(DOCS / "_extra").mkdir(exist_ok=True)
COMMANDS = {
    "train": ("reach", "circle", "follow"),
    "evaluate": (),
    "record": (),
    "attractors": (),
    "figure": (),
    "animate": (),
    "demo": (),
    "live": (),
    "export": (),
    "list": (),
}


def name_repository(app: Any, page: str, source: list[str]) -> None:
    """Put the address of the project into the notebooks' links and installations."""
    if page.startswith("notebooks/"):
        source[0] = source[0].replace(PLACEHOLDER, REPOSITORY)


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


BEFORE_NAPOLEON: dict[str, list[str]] = {}
"""Docstrings of attributes: napoleon takes the words before a colon there for a type."""


def keep_attribute(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Keep the docstring of an attribute from napoleon."""
    if what in ("attribute", "property"):
        BEFORE_NAPOLEON[name] = list(lines)


def convert_markdown(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Turn the headings, tables, equations and `code` of a docstring into reStructuredText."""
    lines[:] = BEFORE_NAPOLEON.pop(name, lines)
    converted: list[str] = []
    row = 0  # of a table
    block = False  # of indented lines after a colon
    for line in lines:
        indented = line.startswith(" ")
        if block and line and not indented:
            converted.append("")
            block = False
        if indented and re.match(r"[^\s:.*-].*[^:]:$", converted[-1] if converted else ""):
            converted[-1] += ":"
            converted.append("")
            block = True
        if not block:
            line = re.sub(r"(?<![`:])`([^`\n]+)`(?![`_])", r"``\1``", line)
        if line.startswith("|"):
            row += 1
            if row != 2:  # the second row only underlines the first
                cells = [cell.strip() for cell in re.split(r"(?<!\\)\|(?=\s|$)", line[1:])[:-1]]
                table = [] if row > 1 else ["", ".. list-table::", "   :header-rows: 1", ""]
                table.append(f"   * - {cells[0]}")
                converted += [*table, *(f"     - {cell}" for cell in cells[1:])]
            continue
        if row:
            converted.append("")
            row = 0
        if not block:  # |x| would be a substitution
            parts = re.split(r"(``.*?``)", line)
            line = "".join(part if part[:2] == "``" else part.replace("|", "\\|") for part in parts)
        if heading := re.match(r"#+ (.*)", line):
            converted += ["", f".. rubric:: {heading[1]}", ""]
        else:
            converted.append(line)
    lines[:] = converted


def shorten_signature(
    app: Any, what: str, name: str, thing: Any, options: Any, signature: Any, returned: Any
) -> tuple[str, Any] | None:
    """Return the signature of a dataclass without types, which stand beside its fields.

    Protocols, and results with many fields, are shown without a signature.
    """
    if getattr(thing, "_is_protocol", False):
        return "", returned
    if what != "class" or not dataclasses.is_dataclass(thing) or not signature:
        return None
    shown = [
        p.name if p.default is p.empty else f"{p.name}={p.default!r}"
        for p in inspect.signature(thing).parameters.values()
    ]
    if len(shown) > 8 and not any("=" in parameter for parameter in shown):
        return "", returned
    return f"({', '.join(shown)})", returned


def export_live_page(app: Any) -> None:
    """Write the live page, which the site embeds."""
    from rnn_controller.checkpoint import TRAINED, load_checkpoint
    from rnn_controller.live.export import export
    from rnn_controller.live.files import page_files

    names = ("reach", "circle", "follow")
    shown = {name: load_checkpoint(TRAINED / f"{name}.safetensors") for name in names}
    folder = DOCS / "_extra" / "live"
    folder.mkdir(parents=True, exist_ok=True)
    export(page_files(shown), folder)


def setup(app: Any) -> None:
    """Make Sphinx write what is generated, and convert docstrings in Markdown."""
    app.connect("builder-inited", write_command_line)
    app.connect("builder-inited", export_live_page)
    app.connect("source-read", name_repository)
    app.connect("autodoc-process-docstring", keep_attribute, priority=400)
    app.connect("autodoc-process-docstring", convert_markdown, priority=600)  # napoleon has 500
    app.connect("autodoc-process-signature", shorten_signature)
