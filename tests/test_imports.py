"""Imports run one way, and what is heavy or foreign stays out."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {
    "arm_env": (
        "arguments checked devices extras files moved",
        "codegen",
        "dynamics",
        "tasks",
        "cuda",
        "envs",
        "control",
        "recording",
        "evaluation",
        "comparison",
        "sb3_model",
        "sb3",
    ),
    "rnn_controller": (
        *("options outputs validation watching", "rollouts", "networks"),
        *("checkpoint_header", "checkpoint", "policy"),
        *("export training", "analysis", "experiments planning", "figures live", "commands"),
        "__main__",
    ),
}
"""Folders and files from the ground up: none imports one that comes later."""
PHYSICS = ("codegen", "dynamics", "tasks")


def modules(package):
    """Names of all modules of a package, with their files."""
    files = {
        path: path.relative_to(ROOT).with_suffix("").parts
        for path in (ROOT / package).rglob("*.py")
    }
    return {
        ".".join(parts[:-1] if parts[-1] == "__init__" else parts): path
        for path, parts in files.items()
    }


def imports(path, name):
    """Every name that a file imports, wherever the import stands.

    That is 'a.b' and, for 'from a import b', also 'a.b'.
    """
    found = set()
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = (
                package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            )
            source = ".".join([*parents, *([node.module] if node.module else [])])
            found |= {source, *(f"{source}.{alias.name}" for alias in node.names)}
    return found


def imported_packages(package):
    """(module, top-level package) of every import in a package."""
    return {
        (name, found.split(".")[0])
        for name, path in modules(package).items()
        for found in imports(path, name)
    }


def graph(package):
    """The modules of its own package that each module imports.

    The package's __init__ imports all, and is left out.
    """
    own = modules(package)
    return {
        name: {
            found for found in imports(path, name) if found in own and found not in (name, package)
        }
        for name, path in own.items()
        if name != package
    }


def reached(start, edges):
    """All modules that importing ``start`` leads to."""
    seen = set()
    pending = [start]
    while pending:
        new = edges[pending.pop()] - seen
        seen |= new
        pending += new
    return seen


def test_the_walk_sees_every_kind_of_import(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "import torch.nn\nfrom os import path as p\n"
        "def f():\n    from . import sibling\n    from .other import x\n"
    )
    expected = {
        "torch.nn",
        "os",
        "os.path",
        "package",
        "package.sibling",
        "package.other",
        "package.other.x",
    }
    assert imports(path, "package.module") == expected


def test_the_walk_finds_the_packages():
    assert {"arm_env", "arm_env.dynamics.equations", "arm_env.envs.env"} <= modules(
        "arm_env"
    ).keys()
    assert ("arm_env.envs.env", "gymnasium") in imported_packages("arm_env")
    assert "arm_env.envs.simulation" in graph("arm_env")["arm_env.envs.base"]


@pytest.mark.parametrize(
    "foreign", ["torch", "stable_baselines3", "rnn_controller", "matplotlib", "scipy"]
)
def test_arm_env_never_imports(foreign):
    # which nothing else imports
    adapter = {"arm_env.sb3", "arm_env.sb3_model"} if foreign == "stable_baselines3" else set()
    assert {name for name, package in imported_packages("arm_env") if package == foreign} == adapter


def test_nothing_imports_the_adapter():
    edges = graph("arm_env") | graph("rnn_controller")
    users = {
        name for name, targets in edges.items() if {"arm_env.sb3", "arm_env.sb3_model"} & targets
    }
    assert users == {"arm_env.sb3"}  # which imports the other one


@pytest.mark.parametrize(
    "foreign", ["stable_baselines3", "sb3_contrib", "benchmarks", "examples", "tests"]
)
def test_rnn_controller_never_imports(foreign):
    assert not {name for name, package in imported_packages("rnn_controller") if package == foreign}


def test_modules_import_modules_and_not_the_package_around_them():
    """``from arm_env import Arm`` inside arm_env would run all of it first."""
    for package in ("arm_env", "rnn_controller"):
        own = modules(package)
        for name, path in own.items():
            if name != package:
                tops = {
                    found for found in imports(path, name) if found.rpartition(".")[0] == package
                }
                assert tops <= own.keys(), (name, tops - own.keys())


@pytest.mark.parametrize("package", ["arm_env", "rnn_controller", "benchmarks"])
def test_imports_run_in_no_circle(package):
    TopologicalSorter(graph(package)).prepare()  # raises CycleError


def room(name):
    """The folder or file of a package that a module lies in."""
    return name.split(".")[1]


@pytest.mark.parametrize("package", ROOMS)
def test_no_import_leads_to_a_later_room(package):
    places = {name: place for place, names in enumerate(ROOMS[package]) for name in names.split()}
    assert {room(name) for name in graph(package)} == places.keys()
    upward = [
        (name, target)
        for name, targets in graph(package).items()
        for target in targets
        if places[room(target)] > places[room(name)]
    ]
    assert not upward


def test_physics_and_tasks_know_no_gymnasium():
    found = imported_packages("arm_env")
    users = {name for name, package in found if package == "gymnasium" and name != "arm_env"}
    assert not [name for name in users if room(name) in PHYSICS]


def test_tasks_are_known_to_no_physics_and_orbits_to_no_other_task():
    assert "arm_env.tasks.orbits" not in reached("arm_env.tasks.task", graph("arm_env"))


def test_equations_know_no_integrator_and_no_compiler():
    known = {"arm_env.dynamics", "arm_env.codegen", "arm_env.codegen.primitives"}
    assert reached("arm_env.dynamics.equations", graph("arm_env")) <= known


OF_THE_ARM = {
    *("STATE_SIZE", "SENSORY_SIZE", "MUSCLE_COUNT", "MUSCLES"),
    *("ANGLES", "VELOCITIES", "ACTIVATIONS"),
}
FOR_ANY_BODY = (
    *("arm_env.codegen", "arm_env.dynamics.plant", "arm_env.tasks.task", "arm_env.envs"),
    *("arm_env.evaluation", "rnn_controller.rollouts", "rnn_controller.networks"),
    *("rnn_controller.checkpoint", "rnn_controller.checkpoint_header", "rnn_controller.policy"),
    "rnn_controller.training",
)
"""Folders and files that ask a task's body for its sizes, and names."""


def test_what_serves_any_body_knows_no_size_of_the_arm():
    checked = 0
    for package in ("arm_env", "rnn_controller"):
        for name, path in modules(package).items():
            if any(name == place or name.startswith(f"{place}.") for place in FOR_ANY_BODY):
                taken = {found.rpartition(".")[2] for found in imports(path, name)}
                assert not taken & OF_THE_ARM, name
                checked += 1
    assert checked > 40


def loaded_after(code):
    """Which of the heavy modules a fresh interpreter has loaded after this code."""
    heavy = ("torch", "pygame", "stable_baselines3", "matplotlib", "moviepy", "rnn_controller")
    heavy += ("pandas", "xarray", "h5netcdf", "onnx", "numba.cuda", "arm_env.cuda")
    code += f"\nimport sys\nprint(*(name for name in {heavy} if name in sys.modules))"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


def test_importing_arm_env_and_stepping_loads_nothing_heavy():
    stepping = """
import gymnasium, arm_env
env = gymnasium.make('ReachArm-v0')
env.reset(seed=1)
env.step(env.action_space.high)
gymnasium.make_vec('ReachArm-v0', num_envs=2).reset(seed=1)
"""
    assert loaded_after(stepping) == []


def test_rendering_loads_pygame_only():
    drawing = (
        "import gymnasium, arm_env\nenv = gymnasium.make('ReachArm-v0', render_mode='rgb_array')\n"
    )
    assert loaded_after(drawing + "env.reset(seed=1)\nenv.render()").count("pygame") == 1
    assert loaded_after(drawing) == []


def test_only_the_command_line_knows_tyro():
    users = {name for name, package in imported_packages("rnn_controller") if package == "tyro"}
    rooms = {name.split(".")[1] for name in users}
    assert rooms == {"commands", "options"}


def test_the_trainer_the_checkpoint_and_the_policy_know_no_network_in_particular():
    edges = graph("rnn_controller")
    general = [name for name in edges if room(name) in ("training", "checkpoint", "policy")]
    users = {name for name in general if "rnn_controller.networks.recurrent" in edges[name]}
    assert users == {"rnn_controller.training.config"}  # which names the configurations
