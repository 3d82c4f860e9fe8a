"""The documentation site: its code runs, its commands are known, its links lead somewhere."""

import re
import shlex
import sys
from pathlib import Path
from unittest import mock

import gymnasium
import matplotlib
import pytest

from arm_env.tasks.registry import ENVIRONMENTS, TASKS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
BLOCK = re.compile(r"^```(?:\{[\w-]+\} )?(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHORTER = (
    (r"\biterations ?= ?\d+", "iterations=2"),
    (r"\bmovements=\d+", "movements=20"),
    (r"\b\d+(_000)+\b", "2_048"),
)
"""What makes code short: numbers of iterations, movements and steps."""


def blocks(page, language):
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


def name(page):
    return str(page.relative_to(DOCS))


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=name)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    """In one namespace, as a reader types it in, with small numbers.

    A block that begins with the name of a file is also a module of that name.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    matplotlib.use("agg")
    before = set(sys.modules)
    source = "\n".join(blocks(page, "python"))
    for long, short in SHORTER:
        source = re.sub(long, short, source)
    for block in blocks(page, "python"):
        for file in re.findall(r"^# (\w+\.py)\n", block):
            Path(file).write_text(block)
    with mock.patch.dict(TASKS), mock.patch.dict(ENVIRONMENTS), mock.patch.dict(gymnasium.registry):
        exec(compile(source, name(page), "exec"), {"__name__": "__main__"})
    for module in set(sys.modules) - before:
        if (tmp_path / f"{module}.py").exists():
            del sys.modules[module]


COMMANDS = sorted(
    {
        line.partition("#")[0].strip()
        for page in (ROOT / "README.md", *PAGES)
        for text in [page.read_text()]
        for line in re.findall(r"python -m rnn_controller [^`\n]*", text)
        if "COMMAND" not in line
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one_that_the_parser_takes(command, monkeypatch):
    from rnn_controller.commands import parsed

    words = shlex.split(command)[3:]
    monkeypatch.setattr(sys, "argv", ["rnn_controller", *words])
    try:
        parsed()
    except SystemExit as end:
        assert end.code in (0, None) and "--help" in words


def anchors(page):
    """The anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link, _, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)(#([^)\s]+))?", text):
        target = (page.parent / link).resolve() if link else page
        if target.name == "command-line.md":
            continue  # made by ``make docs``
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), (link, anchor)
