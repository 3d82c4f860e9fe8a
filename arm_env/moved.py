"""Access to modules by the names that they had before they were moved or renamed."""

from collections.abc import Mapping
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import Any


class Moved(MetaPathFinder, Loader):
    """A finder of a package's modules by their earlier names, each as the module that it is now.

    ``names`` maps earlier names to present ones, relative to the package; either may be dotted.
    """

    def __init__(self, package: str, names: Mapping[str, str]):
        self._names = {f"{package}.{old}": f"{package}.{new}" for old, new in names.items()}
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the import specification of an earlier name, or None for any other name."""
        return ModuleSpec(name, self) if name in self._names else None

    def get_code(self, name: str) -> Any:
        """Return the code of the module under its new name, for ``python -m``."""
        spec = find_spec(self._names[name])
        return spec.loader.get_code(spec.name) if spec and spec.loader else None  # type: ignore[attr-defined]

    def create_module(self, spec: ModuleSpec) -> Any:
        """Return the module under its new name."""
        module = import_module(self._names[spec.name])
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: Any) -> None:
        """Restore the module's own specification, which the import system has just replaced.

        The module itself has run already.
        """
        module.__spec__ = self._specs[module.__spec__.name]
