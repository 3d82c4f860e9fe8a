"""Check that the oldest versions that pyproject.toml allows still work.

``make lowest`` runs this, pytest does not.

Without an argument it prints them as requirements, ``name==version``; torch is the one of
constraints.txt, since an old one takes gigabytes to download. With ``smoke`` it uses every
dependency once.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def bounds() -> dict[str, str]:
    """The lower bound of every dependency."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return dict(re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement).groups() for requirement in wanted)


def pinned(name: str) -> str:
    """The version in constraints.txt."""
    return re.search(rf"^{name}==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[1]


def requirements() -> list[str]:
    return [
        f"{name}=={pinned(name) if name == 'torch' else version}"
        for name, version in bounds().items()
    ]


def smoke() -> None:
    """Import, make, step, draw, evaluate, train two iterations, and ask every command for help."""
    import tempfile

    import gymnasium as gym

    import arm_env
    from rnn_controller import TrainConfig, load, train

    for env_id in ("ReachArm-v0", "CircleArm-v0"):
        env = gym.make(env_id, render_mode="rgb_array")
        env.reset(seed=1)
        env.step(env.action_space.sample())
        assert env.render().ndim == 3
        assert (
            gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json())).spec == env.spec
        )
    assert arm_env.evaluate(load("reach"), movements=20).fraction_within_target > 0.8
    kinds = ("train", "evaluate", "record", "demo", "figure", "animate", "attractors")
    kinds += ("live", "export", "list")
    commands = [["--help"], ["train", "reach", "--help"], *([kind, "--help"] for kind in kinds)]
    with tempfile.TemporaryDirectory() as folder:
        train(TrainConfig(iterations=2, batch_size=8), folder, progress=False)
        commands.append(["evaluate", folder, "--movements", "3", "--curl", "5"])
        commands.append(["figure", "5", "--output", f"{folder}/figure.png"])
        for command in commands:
            subprocess.run(
                [sys.executable, "-m", "rnn_controller", *command],
                check=True,
                stdout=subprocess.DEVNULL,
            )


if __name__ == "__main__":
    if sys.argv[1:] == ["smoke"]:
        smoke()
        print("the oldest versions work:", ", ".join(requirements()))
    else:
        print("\n".join(requirements()))
