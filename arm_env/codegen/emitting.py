"""Functions of traced equations: compiled once each, for one arm, arms in lanes, or rows of arms.

Numba takes half a minute to understand a function of thousands of operations, and LLVM half a
second to compile it. So traced equations are emitted directly as LLVM's instructions. Compiled code
calls them by their address.
"""

import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from numba import types

from arm_env.codegen import elementary
from arm_env.codegen.callees import Given, callee, linked, signature
from arm_env.codegen.compiling import Kernels, compile_source
from arm_env.codegen.forms import FORMS, Form, Results, Rows
from arm_env.codegen.symbols import UNIFORM, ordered
from arm_env.codegen.tracing import function_source


def emitted(name: str, arguments: Sequence[str], results: Results) -> dict[str, Any]:
    """Return functions for compiled code that fill the arrays ``results`` from their arguments.

    There is one for each of the ``FORMS``, by name. An array may be both argument and result. Each
    is compiled once, where it is needed first; its ``kernel`` is for callers outside compiled code.
    """
    source, every = function_source(name, arguments, results), [*arguments, *results]
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return {
            name + ending: _interpreted(source, form, [*form.leading, *every])
            for ending, form in FORMS.items()
        }
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    symbols = ordered([symbol for group in results.values() for symbol in group])
    scalars = [symbol.args[0] for symbol in symbols if symbol.op == "scalar"]
    functions: dict[str, Any] = {}
    for ending, form in FORMS.items():
        rows = form is Rows
        key, given = name + ending, [*form.leading, *every]
        label, call = f"{key}.{digest}", f"{key}({', '.join(given)})"
        defining = callee(
            label,
            given,
            functools.partial(_emit, form, results, functions.get(f"{name}_lanes")),
            whole=form.leading,
            lengths=rows,
            linkage="linkonce_odr",  # as Numba's own
        )
        if rows:
            defining.callees = [functions[f"{name}_lanes"]]
        kernels = compile_source(
            key, f"def {call}:\n    define_{call}\n", **{f"define_{key}": defining}
        )
        kernel = getattr(kernels, key)
        kinds = tuple(
            types.int64
            if argument in form.leading
            else types.float64
            if argument in scalars
            else types.Array(types.float64, 1 + (rows and argument not in UNIFORM), "C")
            for argument in given
        )
        functions[key] = linked(
            label,
            given,
            functools.partial(_link, label, kernel, kinds),
            whole=form.leading,
            lengths=rows,
        )
        functions[key].kernel = kernel
    return functions


def _emit(form: type[Form], results: Results, lanes: Any, builder: Any, given: Given) -> None:
    if form is Rows:
        lanes.link()
    form(builder, given).emit(results, lanes and lanes.fingerprint)


@functools.cache
def _link(label: str, kernel: Any, kinds: tuple[Any, ...]) -> None:
    """Make the address of a kernel's emitted function known by its label."""
    kernel.compile(kinds)
    library = kernel.overloads[kinds].library
    llvmlite.binding.add_symbol(label, library.get_pointer_to_function(label))


def _interpreted(source: str, form: type[Form], arguments: Sequence[str]) -> Any:
    """Return the function for a process in which nothing is compiled."""
    scope = dict(elementary.CALLED, sqrt=np.sqrt, inf=np.inf, nan=np.nan)
    before = set(scope) | {"__builtins__"}
    exec(source, scope)
    (one,) = (value for key, value in scope.items() if key not in before)

    def function(*given: Any) -> None:
        names = zip(arguments, given, strict=True)
        uniform = [n in UNIFORM or not np.ndim(a) for n, a in names if n not in form.leading]
        for part in form.parts(given, uniform):
            one(*part)

    function.__signature__ = signature(arguments)  # type: ignore[attr-defined]
    return function


def kernels(functions: Mapping[str, Any]) -> Kernels:
    """Return emitted functions for callers outside compiled code."""
    return Kernels(
        {key: getattr(function, "kernel", function) for key, function in functions.items()}
    )
