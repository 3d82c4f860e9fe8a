"""The wheel holds all it needs: it is installed in an empty environment and used elsewhere."""

import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parent.parent
USE = """
import gymnasium as gym, arm_env, rnn_controller
assert {site!r} in arm_env.__file__ and {site!r} in rnn_controller.__file__, arm_env.__file__
controller = rnn_controller.load("reach")
env = gym.make("ReachArm-v0")
observation, _ = env.reset(seed=0)
action, state = controller.predict(observation)
print(env.step(action)[1])
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT)
    run(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", next(folder.glob("*.whl")))
    # The dependencies come from here: a plain path in a .pth file brings them in, but not this
    # checkout, whose editable install is itself a .pth file.
    site = next((folder / "venv" / "lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def run(*command: object, **keywords) -> str:
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, **keywords)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_wheel_works_from_another_folder(environment):
    python = environment / "venv" / "bin" / "python"
    reward = run(python, "-c", USE.format(site=str(environment)), cwd=environment)
    assert float(reward) <= 0


def test_the_wheel_is_typed_and_ships_the_controller(environment):
    site = next((environment / "venv" / "lib").glob("python*/site-packages"))
    for name in (
        "arm_env/py.typed",
        "rnn_controller/py.typed",
        "rnn_controller/trained/reach.safetensors",
        "rnn_controller/live/page/index.html",
        "rnn_controller/live/page/main.js",
    ):
        assert (site / name).is_file(), name
    assert not (site / "tests").exists()


def test_lower_bounds_are_what_make_lowest_installs():
    """It says so of every dependency, none above the version that the tests pass with."""
    listed = run(sys.executable, ROOT / "tests" / "lowest.py").split()
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert [line.split("==")[0] for line in listed] == [d.split(">=")[0] for d in dependencies]
    pinned = dict(
        re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    )
    for name, version in (line.split("==") for line in listed):
        assert Version(version) <= Version(pinned[name]), name
    assert Version(dict(line.split("==") for line in listed)["tyro"]) >= Version(
        "0.9.5"
    )  # earlier ones read no command
