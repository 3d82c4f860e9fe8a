"""Every example runs from top to bottom."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
CASES = {
    "a_row_in_the_table.py": ([], "fraction_within_target=0."),
    "centre_out.py": (["--curl", "-15"], "peak speed 0."),
    "step_the_environment.py": ([], "the reward so far is -"),
    "watch_the_controller.py": (["--headless"], "cm away"),
    "train_your_own_module.py": (
        ["--iterations", "2", "--batch-size", "2"],
        "iteration    0  objective",
    ),
    "plug_in_a_controller.py": (["20"], "joint PD"),
    "train_with_ppo.py": (["--steps", "20480", "--output", "ppo"], "within the target"),
    "your_own_network.py": (["2"], "iteration   0: objective"),
    "your_own_orbit.py": ([], "off the stadium"),
}


def test_every_example_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_example_runs(name, tmp_path):
    arguments, expected = CASES[name]
    result = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert expected in result.stdout
