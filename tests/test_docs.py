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
GENERATED = DOCS / "reference" / "command-line.md"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts and p != GENERATED)
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


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder of a reader who has saved all blocks that begin with a file's name."""
    saved = {
        file: block
        for page in PAGES
        for block in blocks(page, "python")
        for file in re.findall(r"\A# (\w+\.py)\n", block)
    }
    for file, block in saved.items():
        (tmp_path / file).write_text(block)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with mock.patch.dict(TASKS), mock.patch.dict(ENVIRONMENTS), mock.patch.dict(gymnasium.registry):
        yield tmp_path
    for file in saved:
        sys.modules.pop(Path(file).stem, None)


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=name)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, folder):
    """In one namespace, as a reader types it in, with small numbers."""
    matplotlib.use("agg")
    source = "\n".join(blocks(page, "python"))
    for long, short in SHORTER:
        source = re.sub(long, short, source)
    exec(compile(source, name(page), "exec"), {"__name__": "__main__"})


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
def test_a_command_is_one_that_the_parser_takes(command, folder, monkeypatch):
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
        if target == GENERATED:
            continue  # ``make docs`` writes it
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), (link, anchor)
