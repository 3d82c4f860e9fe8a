"""Imports run one way, and what is heavy or foreign stays out."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHAIN = ("parameters", "equations", "plant", "tasks", "env")
"""Section 7 of the design: none of these may reach one to its right."""
RUN_ONLY_ABOVE = ("env", "vector_env", "controllers", "evaluation", "rendering")
"""Files that no physics and no task may reach."""
BELOW = ("parameters", "equations", "plant", "tasks", "orbits", "schedules", "simulation")


def modules(package):
    """Names of all modules of a package, with their files."""
    files = {path: path.relative_to(ROOT).with_suffix("").parts for path in (ROOT / package).rglob("*.py")}
    return {".".join(parts[:-1] if parts[-1] == "__init__" else parts): path for path, parts in files.items()}


def imports(path, name):
    """Every name that a file imports, wherever the import stands: 'a.b' and, for 'from a import b', also 'a.b'."""
    found = set()
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*parents, *([node.module] if node.module else [])])
            found |= {source, *(f"{source}.{alias.name}" for alias in node.names)}
    return found


def imported_packages(package):
    """(module, top-level package) of every import in a package."""
    return {(name, found.split(".")[0]) for name, path in modules(package).items() for found in imports(path, name)}


def graph(package):
    """Which of a package's own modules each imports; the package's __init__ imports all, and is left out."""
    own = modules(package)
    return {
        name: {found for found in imports(path, name) if found in own and found not in (name, package)}
        for name, path in own.items()
        if name != package
    }


def reached(start, edges):
    """All modules that importing ``start`` leads to."""
    seen, pending = set(), [start]
    while pending:
        new = edges[pending.pop()] - seen
        seen |= new
        pending += new
    return seen


def test_the_walk_sees_every_kind_of_import(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "import torch.nn\nfrom os import path as p\ndef f():\n    from . import sibling\n    from .other import x\n"
    )
    expected = {"torch.nn", "os", "os.path", "package", "package.sibling", "package.other", "package.other.x"}
    assert imports(path, "package.module") == expected


def test_the_walk_finds_the_packages():
    assert {"arm_env", "arm_env.equations", "arm_env.env"} <= modules("arm_env").keys()
    assert ("arm_env.env", "gymnasium") in imported_packages("arm_env")
    assert "arm_env.simulation" in graph("arm_env")["arm_env.env"]


@pytest.mark.parametrize("foreign", ["torch", "stable_baselines3", "rnn_controller", "matplotlib", "scipy"])
def test_arm_env_never_imports(foreign):
    adapter = {"arm_env.sb3"} if foreign == "stable_baselines3" else set()  # which nothing else imports
    assert {name for name, package in imported_packages("arm_env") if package == foreign} == adapter


def test_nothing_imports_the_adapter():
    edges = graph("arm_env") | graph("rnn_controller")
    assert not [name for name, targets in edges.items() if "arm_env.sb3" in targets]


@pytest.mark.parametrize("foreign", ["stable_baselines3", "sb3_contrib", "benchmarks", "examples", "tests"])
def test_rnn_controller_never_imports(foreign):
    assert not {name for name, package in imported_packages("rnn_controller") if package == foreign}


def test_modules_import_modules_and_not_the_package_around_them():
    """``from arm_env import Arm`` inside arm_env would run all of it first."""
    for package in ("arm_env", "rnn_controller"):
        own = modules(package)
        for name, path in own.items():
            if name != package:
                tops = {found for found in imports(path, name) if found.rpartition(".")[0] == package}
                assert tops <= own.keys(), (name, tops - own.keys())


@pytest.mark.parametrize("package", ["arm_env", "rnn_controller"])
def test_imports_run_in_no_circle(package):
    TopologicalSorter(graph(package)).prepare()  # raises CycleError


@pytest.mark.parametrize("place", range(len(CHAIN)), ids=CHAIN)
def test_imports_run_one_way(place):
    edges, later = graph("arm_env"), {f"arm_env.{name}" for name in CHAIN[place + 1 :]}
    assert not reached(f"arm_env.{CHAIN[place]}", edges) & later


@pytest.mark.parametrize("name", BELOW)
def test_physics_and_task_know_no_environment(name):
    assert not reached(f"arm_env.{name}", graph("arm_env")) & {f"arm_env.{above}" for above in RUN_ONLY_ABOVE}


@pytest.mark.parametrize("name", BELOW)
def test_physics_and_task_know_no_gymnasium(name):
    edges = graph("arm_env")
    for module in {f"arm_env.{name}", *reached(f"arm_env.{name}", edges)}:
        assert (module, "gymnasium") not in imported_packages("arm_env")


@pytest.mark.parametrize("name", ["parameters", "equations", "plant", "tasks"])
def test_orbits_are_one_kind_of_task_that_nothing_below_knows(name):
    assert "arm_env.orbits" not in reached(f"arm_env.{name}", graph("arm_env"))


def test_equations_know_no_integrator_and_no_compiler():
    assert reached("arm_env.equations", graph("arm_env")) <= {"arm_env.parameters"}


def loaded_after(code):
    """Which of the heavy modules a fresh interpreter has loaded after this code."""
    heavy = ("torch", "pygame", "stable_baselines3", "matplotlib", "moviepy", "rnn_controller")
    code += f"\nimport sys\nprint(*(name for name in {heavy} if name in sys.modules))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_importing_arm_env_and_stepping_loads_nothing_heavy():
    stepping = "import gymnasium, arm_env\nenv = gymnasium.make('ReachArm-v0')\nenv.reset(seed=1)\n"
    stepping += "env.step(env.action_space.high)\ngymnasium.make_vec('ReachArm-v0', num_envs=2).reset(seed=1)"
    assert loaded_after(stepping) == []


def test_rendering_loads_pygame_only():
    drawing = "import gymnasium, arm_env\nenv = gymnasium.make('ReachArm-v0', render_mode='rgb_array')\n"
    assert loaded_after(drawing + "env.reset(seed=1)\nenv.render()").count("pygame") == 1
    assert loaded_after(drawing) == []
