"""The notebooks: what is committed, and whether they run.

``make notebooks`` (the mark "notebooks") runs all of them as they are. The other tests are quick.
"""

import ast
import importlib
import json
import re
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
EVERY = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
ADDRESS = re.compile(r"github(?:\.com)?/([\w-]+/rnn-motor-control)")
LARGEST = 40_000  # bytes
PUBLIC = {
    "arm_env": ("arm_env", "arm_env.sb3", "arm_env.codegen.primitives"),
    "rnn_controller": (
        *("rnn_controller", "rnn_controller.figures", "rnn_controller.training.trainer"),
        *("rnn_controller.analysis", "rnn_controller.experiments"),
    ),
}
"""Modules that a notebook may import from: those of the reference pages."""
SHORTER = (
    (r"\biterations=\d+", "iterations=2"),
    (r"\bvalidate_every=\d+", "validate_every=2"),
    (r"\bmovements=\d+", "movements=20"),
    (r"\bseconds=\d+", "seconds=0.2"),
)
"""Changes that make a notebook quick."""


def read(path):
    return nbformat.read(path, as_version=4)


def cells(path, kind):
    return [cell.source for cell in read(path).cells if cell.cell_type == kind]


def code(path):
    """The code cells as Python, without IPython's own syntax, and the files that they write."""
    transform = TransformerManager().transform_cell
    sources, files = [], {}
    for source in cells(path, "code"):
        written = re.match(r"%%writefile (\S+)\n", source)
        if written:
            files[written[1]] = source[written.end() :] + "\n"
        else:
            sources.append(transform(source.replace("%matplotlib inline\n", "")))
    return sources, files


def test_the_index_has_each():
    index = (FOLDER / "index.md").read_text()
    assert len(re.findall(r"\.ipynb", index)) == len(NOTEBOOKS) > 4
    for path in NOTEBOOKS:
        title = cells(path, "markdown")[0].splitlines()[0].removeprefix("# ")
        assert f"]({path.name})" in index and path.stem in index.split("{toctree}")[1]
        assert title.startswith(f"{path.stem[0]}. ")


@EVERY
def test_no_outputs_are_committed(path):
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.metadata
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
    assert path.stat().st_size < LARGEST
    assert json.loads(path.read_text())["nbformat_minor"] == notebook.nbformat_minor


@EVERY
def test_it_opens_in_colab_with_one_cell_of_installation(path):
    badge = cells(path, "markdown")[0]
    assert re.search(
        rf"colab\.research\.google\.com/github/\S+/docs/notebooks/{path.name}\)", badge
    )
    install, *others = cells(path, "code")
    assert "%pip install" in install and "find_spec" in install
    assert not any("pip install" in cell for cell in others)


def test_the_project_has_one_address():
    pages = [*NOTEBOOKS, FOLDER.parent / "conf.py"]
    assert len({found for page in pages for found in ADDRESS.findall(page.read_text())}) == 1


@EVERY
def test_the_code_compiles_and_imports_public_names_only(path):
    sources, files = code(path)
    for source in (*sources, *files.values()):
        tree = ast.parse(source)
        for node in ast.walk(tree):
            names = [alias.name for alias in getattr(node, "names", [])]
            if isinstance(node, ast.Import):
                modules = names
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module]
                module = importlib.import_module(node.module) if node.module != "egg" else None
                for name in names:
                    assert (
                        module is None
                        or name in getattr(module, "__all__", dir(module))
                        or (importlib.import_module(f"{node.module}.{name}"))
                    )
                    assert not name.startswith("_")
            else:
                continue
            for module in modules:
                root = module.split(".")[0]
                assert module in PUBLIC.get(root, (module,)), module


@EVERY
def test_links_lead_somewhere(path):
    for text in cells(path, "markdown"):
        for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", text):
            assert (FOLDER / link).exists(), link


@pytest.mark.parametrize("number", "12")
def test_it_runs_with_small_numbers(number, tmp_path, monkeypatch):
    """In this process, without a kernel; the cells share a namespace."""
    (path,) = FOLDER.glob(f"{number}-*.ipynb")
    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    sources, _ = code(path)
    source = "\n".join(sources)
    for long, short in SHORTER:
        source = re.sub(long, short, source)
    with matplotlib.rc_context():
        exec(compile(source, path.name, "exec"), {"__name__": "__main__"})
    plt.close("all")


@pytest.mark.notebooks
@EVERY
def test_it_runs_from_top_to_bottom(path, tmp_path):
    """As it is committed, in a kernel of its own. It draws figures and one animation at least."""
    nbclient = pytest.importorskip("nbclient")
    resources = {"metadata": {"path": str(tmp_path)}}
    done = nbclient.NotebookClient(read(path), timeout=900, resources=resources).execute()
    outputs = [output.get("data", {}) for cell in done.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in data for data in outputs) >= 3
    film = [
        data
        for data in outputs
        if "image/gif" in data
        or "<video" in str(data)
        or ("Animation" in data.get("text/html", ""))
    ]
    assert film
