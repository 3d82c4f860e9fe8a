"""Modules under the names that they had before they were moved or renamed."""

from collections.abc import Mapping
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import Any


class Moved(MetaPathFinder, Loader):
    """Finds a package's modules by their earlier names, each as the module that it is now.

    ``names`` has present names by earlier ones, below the package; either may be dotted.
    """

    def __init__(self, package: str, names: Mapping[str, str]):
        self._names = {f"{package}.{old}": f"{package}.{new}" for old, new in names.items()}
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The spec of an earlier name, else None."""
        return ModuleSpec(name, self) if name in self._names else None

    def get_code(self, name: str) -> Any:
        """What ``python -m`` runs: the code of the module under its new name."""
        spec = find_spec(self._names[name])
        return spec.loader.get_code(spec.name) if spec and spec.loader else None  # type: ignore[attr-defined]

    def create_module(self, spec: ModuleSpec) -> Any:
        """The module under its new name."""
        module = import_module(self._names[spec.name])
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: Any) -> None:
        """It has run already; the import system has just replaced its spec."""
        module.__spec__ = self._specs[module.__spec__.name]
