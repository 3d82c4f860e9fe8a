"""The types that users see: mypy knows README's code as right and what is wrong as wrong."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def blocks(page):
    text = (ROOT / page).read_text()
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


PPO = next(b for b in blocks("docs/how-to/reinforcement-learning.md") if "model.learn" in b)
RIGHT = """
import arm_env
from rnn_controller import NetworkConfig, TrainConfig, load

config = TrainConfig(network={"neurons": 12}, cost={"alpha": 1}, perturbation={"curl": 10})
config = TrainConfig(network=NetworkConfig(neurons=12))
print(config.network.control_period + 1.0, config.cost.alpha + 1.0, config.perturbation.curl + 1.0)
reached: float = arm_env.evaluate(load("reach")).fraction_within_target
drawn: float = arm_env.evaluate(load("circle"), "CircleArm-v0", orbit="ellipse").fraction_converged
name: str = "ReachArm-v0"
print(arm_env.evaluate(arm_env.Still(), name).as_dict())
"""
WRONG = {
    "arm_env.evaluate(arm_env.Still()).fraction_converged": "attr-defined",
    "arm_env.evaluate(arm_env.Still(), 'CircleArm-v0').fraction_within_target": "attr-defined",
    "TrainConfig(network=12)": "arg-type",
    "TrainConfig().cost.alfa": "attr-defined",
}


def test_the_types_of_the_readme_s_code_and_of_mappings(tmp_path):
    """One run: reading torch's types is most of it."""
    (tmp_path / "first.py").write_text("\n".join(blocks("README.md")))
    (tmp_path / "second.py").write_text(PPO)
    (tmp_path / "right.py").write_text(RIGHT)
    lines = ["import arm_env", "from rnn_controller import TrainConfig", *WRONG]
    (tmp_path / "wrong.py").write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml",
         "--no-error-summary", "--cache-dir", ROOT / ".mypy_cache", *sorted(tmp_path.glob("*.py"))],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    found = [line for line in done.stdout.splitlines() if "error:" in line]
    assert len(found) == len(WRONG), done.stdout + done.stderr
    for line, (number, code) in zip(found, enumerate(WRONG.values(), 3), strict=True):
        assert f"wrong.py:{number}: " in line and f"[{code}]" in line, done.stdout
