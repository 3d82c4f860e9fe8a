"""Docstrings of public names: plain first lines, shapes, errors, and fields that help() shows."""

import ast
import builtins
import dataclasses
import importlib
import inspect
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
QUESTIONS = {"What", "How", "Where", "Which", "Who", "Why"}
"""Words with which no docstring opens: a first line says what the thing is or does."""
INTERNAL = "arm_env.codegen"
"""Emits instructions; its arrays are those of its callers, so no shapes are named there."""
COMMANDS = "rnn_controller.commands"
"""Its classes are commands, whose fields are options that ``--help`` explains."""
ARRAY = re.compile(r"\b(ndarray|Array|ArrayLike|Tensor)\b")
LENGTH = r"(?:\.\.\.|[\w+·* ]+)"
SHAPE = re.compile(
    rf"\((?=[^()]*(?:\.\.\.|\b[A-Zn]\b|\b\d+\b))(?:{LENGTH}(?:, {LENGTH})+|{LENGTH},|\.\.\.)\)"
)
"""A tuple such as (B, 2), (n,), (..., 6), (T + 1, B, 2 J + M) or (...)."""
Definition = ast.FunctionDef | ast.ClassDef


class Public(NamedTuple):
    """A module, or a public class, function or method, with the docstring of its own."""

    name: str
    node: ast.Module | Definition
    doc: str | None

    @property
    def internal(self):
        return self.name.startswith(INTERNAL)


def modules(package):
    """Names of the public modules of a package, with their syntax trees."""
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts):
            yield ".".join(parts), ast.parse(path.read_text())


def public_names(package):
    """Every public name that a package defines."""
    pending = list(modules(package))
    while pending:
        name, node = pending.pop(0)
        yield Public(name, node, ast.get_docstring(node))
        if not isinstance(node, ast.FunctionDef):
            pending += [
                (f"{name}.{part.name}", part)
                for part in node.body
                if isinstance(part, Definition) and not part.name.startswith("_")
            ]


def annotations(function):
    """Texts of the types that a function takes and returns, those of other functions left out."""
    arguments = function.args
    nodes = [a.annotation for a in (*arguments.args, *arguments.kwonlyargs)]
    texts = [ast.unparse(node) for node in (*nodes, function.returns) if node]
    return [text for text in texts if not text.startswith("Callable")]


def raised(function):
    """Names of the errors that a function raises itself, those that it catches again left out."""
    caught = {
        id(node)
        for block in ast.walk(function)
        if isinstance(block, ast.Try) and block.handlers
        for part in block.body
        for node in ast.walk(part)
    }
    nodes = [node for node in ast.walk(function) if isinstance(node, ast.Raise)]
    calls = [node.exc for node in nodes if id(node) not in caught]
    names = {ast.unparse(call.func) for call in calls if isinstance(call, ast.Call)}
    errors = {name.rpartition(".")[2] for name in names}
    return {name for name in errors if name[0].isupper()} - {"NotImplementedError"}


def names_error(doc, name):
    """Whether a docstring names an error, or one from which it is derived."""
    error = getattr(builtins, name, None)
    bases = [base.__name__ for base in error.__mro__[:-3]] if inspect.isclass(error) else []
    return any(base in doc for base in {name, *bases})


def fields(cls):
    """Names of the public fields that a dataclass or named tuple declares."""
    kinds = " ".join(ast.unparse(node) for node in (*cls.decorator_list, *cls.bases))
    if "dataclass" not in kinds and "NamedTuple" not in kinds:
        return []
    declared = [node.target.id for node in cls.body if isinstance(node, ast.AnnAssign)]
    return [name for name in declared if not name.startswith("_")]


def opens_with_a_question(item):
    """A first line such as 'What a body is'."""
    return bool(item.doc) and item.doc.split()[0] in QUESTIONS


def has_no_plain_first_line(item):
    """A first line that is long, or that goes on in the next."""
    first = (item.doc or "").partition("\n")[0]
    return bool(item.doc) and not (first.endswith((".", ":")) and len(first) <= 100)


def has_arrays_without_shape(item):
    """A function of arrays that names no shape."""
    return (
        isinstance(item.node, ast.FunctionDef)
        and bool(item.doc)
        and not item.internal
        and any(ARRAY.search(text) for text in annotations(item.node))
        and not SHAPE.search(item.doc)
    )


def hides_an_error(item):
    """A function or class that raises an error which its docstring does not name."""
    if isinstance(item.node, ast.Module) or not item.doc or item.internal:
        return False
    functions = [item.node]
    if isinstance(item.node, ast.ClassDef):
        makers = ("__init__", "__post_init__")
        functions = [part for part in item.node.body if getattr(part, "name", "") in makers]
    errors = {name for function in functions for name in raised(function)}
    return not all(names_error(item.doc, name) for name in errors)


def hides_a_field(item):
    """A dataclass or named tuple with a field that help() does not explain."""
    return (
        isinstance(item.node, ast.ClassDef)
        and not item.internal
        and not item.name.startswith(COMMANDS)
        and not all(
            re.search(rf"^ +{name}: \S", item.doc or "", re.MULTILINE) for name in fields(item.node)
        )
    )


RULES = (
    opens_with_a_question,
    has_no_plain_first_line,
    has_arrays_without_shape,
    hides_an_error,
    hides_a_field,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("package", ["arm_env", "rnn_controller"])
def test_no_public_name_has_a_fault(package, rule):
    assert [item.name for item in public_names(package) if rule(item)] == []


@pytest.mark.parametrize("package", ["arm_env", "rnn_controller"])
def test_the_walk_finds_the_public_names(package):
    found = {item.name.rpartition(".")[2] for item in public_names(package)}
    package = importlib.import_module(package)
    described = {
        name
        for name in package.__all__
        if inspect.isclass(getattr(package, name)) or inspect.isfunction(getattr(package, name))
    }
    assert described and described <= found
    assert len(found) > 150


def test_every_exported_name_and_its_methods_are_documented():
    """An overriding method may inherit its docstring."""
    arm_env = importlib.import_module("arm_env")
    for name in arm_env.__all__:
        value = getattr(arm_env, name)
        if not inspect.isclass(value):
            continue
        for member in vars(value):
            found = inspect.getattr_static(value, member)
            described = isinstance(found, property | classmethod) or inspect.isroutine(found)
            if described and not member.startswith("_"):
                assert inspect.getdoc(getattr(value, member)), (name, member)


def test_help_shows_the_fields():
    arm_env = importlib.import_module("arm_env")
    for name in ("Arm", "CostWeights", "Perturbation", "Recording", "ReachMeasures"):
        shown = inspect.getdoc(getattr(arm_env, name))
        for field in dataclasses.fields(getattr(arm_env, name)):
            assert f"\n    {field.name}: " in shown, (name, field.name)


FAULTY = '''
@dataclass
class Table(Base):
    """How a table looks
    in a picture."""
    rows: int

    def draw(self, path: np.ndarray) -> None:
        """Draw a path [m]."""
        raise ValueError("no")
'''


def test_the_rules_find_their_faults():
    cls = ast.parse(FAULTY).body[0]
    method = cls.body[-1]
    items = [Public("x.Table", node, ast.get_docstring(node)) for node in (cls, method)]
    found = {rule.__name__ for rule in RULES for item in items if rule(item)}
    assert found == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize(
    "text, is_shape",
    [
        *(("(B, 2)", True), ("(n,)", True), ("(..., 6)", True), ("(...)", True)),
        *(("(T + 1, B, 2 J + M)", True), ("(3 M + K,)", True), ("(number, 4)", True)),
        *(("(LT04)", False), ("(HT09, V.A.1)", False), ("(a name, or a mapping)", False)),
        *(("(after a while)", False), ("()", False)),
    ],
)
def test_shapes_are_told_from_other_brackets(text, is_shape):
    assert bool(SHAPE.fullmatch(text)) == is_shape
