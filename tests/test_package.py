"""The wheel holds all it needs: built, installed in an empty environment, used from another folder."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

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
    for name in ("arm_env/py.typed", "rnn_controller/py.typed", "rnn_controller/trained/reach.safetensors"):
        assert (site / name).is_file(), name
    assert not (site / "tests").exists()
