"""README and docs are right: code runs, commands are known, the tests they name exist."""

import ast
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import arm_env

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
MODULES = r"python -m ((?:rnn_controller|benchmarks)\b[^`#\n]*)"
COMMANDS = sorted({command.strip() for command in re.findall(MODULES, README)})
SHORTER = {
    "train": ["--iterations", "1", "--output", "run"],
    "evaluate": ["--movements", "3"],
    "attractors": ["--commands", "2", "--starts", "2", "--output", "found"],
    "demo": ["--iterations", "1"],
    "live": ["--export", "page"],
}
"""What makes a command short; figures and animations are drawn as they are."""


def run(*command, cwd):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_the_readme_s_code_runs_alone(block, tmp_path):
    assert "cm from the target" in run("-c", block, cwd=tmp_path)


def test_the_documentation_s_ppo_is_the_example_s():
    example = (ROOT / "examples" / "train_with_ppo.py").read_text()
    page = (ROOT / "docs" / "how-to" / "reinforcement-learning.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    block = next(block for block in blocks if "PPO" in block)
    assert block[block.index("class Curriculum") :] in example


def test_help_of_an_environment_is_its_specification(tmp_path):
    names = (
        "arm_env.envs.env.ReachArmEnv",
        "arm_env.ReachArmEnv",
        "arm_env.envs.env.CircleArmEnv",
    )
    shown = run("-c", f"import arm_env; [help(e) for e in ({', '.join(names)})]", cwd=tmp_path)
    assert shown.count("## Observation Space") == len(names)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("rnn_controller ")])
def test_every_command_of_the_readme_runs(command, tmp_path):
    module, subcommand, *rest = shlex.split(command.replace("…", "").replace("CONTROLLER", "reach"))
    assert run("-m", module, subcommand, *rest, *SHORTER.get(subcommand, []), cwd=tmp_path)


@pytest.mark.parametrize(
    "command", sorted({c.split()[0] for c in COMMANDS if c.startswith("benchmarks")})
)
def test_every_benchmark_of_the_readme_says_what_it_does(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [command, "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module(command, run_name="__main__")
    assert not end.value.code and "usage" in capsys.readouterr().out


def test_every_target_of_make_in_the_readme_is_one(tmp_path):
    targets = set(re.findall(r"^(\w+):.*?(?:##|$)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^make (\w+)|`make (\w+)`", README, re.MULTILINE))
    assert named and {a or b for a, b in named} <= targets


def test_every_link_of_the_readme_and_docs_leads_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), (page.name, link)


def test_every_test_that_docs_name_is_there():
    named = re.findall(
        r"`(test_\w+\.py)(?:::(test_\w+))?`", (ROOT / "docs" / "reliability.md").read_text()
    )
    assert len(named) > 20
    for file, function in named:
        (path,) = (ROOT / "tests").rglob(file)
        tree = ast.parse(path.read_text())
        assert not function or function in {
            n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)
        }, function


def test_the_citation_has_the_version_of_the_package():
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {arm_env.__version__}\n" in citation
