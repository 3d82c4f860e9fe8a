"""Emitted functions: compiled code calls them, and each module that does has one copy."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from arm_env.codegen.instructions import FLOAT, WHOLE, Number

ELEMENT = 8  # bytes; NumPy aligns elements, not vectors of them
Given = Mapping[str, Any]
"""Pointers to arrays, lengths and numbers, by name.

The lengths of an array ``x`` are ``x 0``, ``x 1``.
"""


def signature(arguments: Sequence[str]) -> inspect.Signature:
    """Return the signature of a function of these arguments."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(argument, kind) for argument in arguments])


def callee(
    label: str,
    arguments: Sequence[str],
    emit: Callable[[Any, Given], Any],
    *,
    whole: Sequence[str] = (),
    result: Any = types.void,
    lengths: bool = True,
    linkage: str = "internal",
) -> Any:
    """Return a function for compiled code whose instructions ``emit`` adds to a builder.

    Its ``label`` is the name of the function and a digest of its instructions. The arguments
    ``whole`` are whole numbers; others are arrays, tuples of arrays, or float64. Without
    ``lengths`` it does not receive the lengths of its arrays.
    """
    made = WHOLE if result is types.int64 else None

    def function_in(module: Any, passed: Given) -> Any:
        return defined(module, label, passed, emit, made, linkage)

    return _for_compiled_code(label, arguments, function_in, whole, result, lengths)


def linked(
    label: str,
    arguments: Sequence[str],
    link: Callable[[], None],
    *,
    whole: Sequence[str] = (),
    lengths: bool = True,
) -> Any:
    """Return a function for compiled code that is compiled elsewhere, once; code calls its address.

    ``link`` makes the address known by the ``label``. It is called before code that calls the
    function is compiled. ``link_callees`` does the same before that code is loaded.
    """

    def function_in(module: Any, passed: Given) -> Any:
        link()
        return declared(module, label, passed)

    function = _for_compiled_code(label, arguments, function_in, whole, types.void, lengths)
    function.link = link
    return function


def link_callees(function: Any) -> None:
    """Link the functions that the code of a Python function calls, directly or through others."""
    seen: set[Any] = set()

    def visit(function: Any) -> None:
        if function in seen:
            return
        seen.add(function)
        for name in function.__code__.co_names:
            called = function.__globals__.get(name)
            for callee in (called, *getattr(called, "callees", ())):
                if hasattr(callee, "link"):
                    callee.link()
            if hasattr(called, "py_func"):
                visit(called.py_func)

    visit(function)


def _for_compiled_code(
    label: str,
    arguments: Sequence[str],
    function_in: Callable[[Any, Given], Any],
    whole: Sequence[str],
    result: Any,
    lengths: bool,
) -> Any:
    """Return a function by which compiled code calls that of its module."""

    def typed(typing_context: Any, *given: Any) -> Any:
        def generate(context: Any, builder: Any, of_type: Any, values: Any) -> Any:
            passed: dict[str, Any] = {}
            for argument, kind, value in zip(arguments, of_type.args, values, strict=True):
                passed |= _parts(context, builder, argument, kind, value, lengths)
            value = builder.call(function_in(builder.module, passed), list(passed.values()))
            return value if result is types.int64 else context.get_dummy_value()

        taken = [
            kind
            if isinstance(kind, types.Array | types.BaseTuple)
            else types.int64
            if argument in whole
            else types.float64
            for argument, kind in zip(arguments, given, strict=True)
        ]
        return result(*taken), generate

    typed.__name__ = label.partition(".")[0]
    typed.__signature__ = signature(["typing_context", *arguments])  # type: ignore[attr-defined]
    function: Any = intrinsic(typed)
    function.__signature__, function.fingerprint = signature(arguments), label
    return function


def _parts(
    context: Any, builder: Any, name: str, kind: Any, value: Any, lengths: bool
) -> dict[str, Any]:
    """Return the values that the emitted function gets of an argument, by name."""
    if isinstance(kind, types.BaseTuple):
        parts: dict[str, Any] = {}
        members: Any = kind
        for i, member in enumerate(members):
            part = builder.extract_value(value, i)
            parts |= _parts(context, builder, f"{name}[{i}]", member, part, lengths)
        return parts
    if not isinstance(kind, types.Array):
        return {name: value}
    if kind.layout != "C":
        raise TypingError(f"{name} must lie in memory row after row, which {kind} does not")
    array = context.make_array(kind)(context, builder, value)
    parts = {name: array.data}
    if lengths:
        for axis, length in enumerate(cgutils.unpack_tuple(builder, array.shape)):
            parts[f"{name} {axis}"] = length
    return parts


def defined(
    module: Any,
    label: str,
    passed: Given,
    emit: Callable[[Any, Given], Any],
    result: Any = None,
    linkage: str = "internal",
) -> Any:
    """Return the emitted function in a module; it is emitted if it is not there yet."""
    function = declared(module, label, passed, result)
    if function.blocks:
        return function
    function.linkage = linkage
    function.attributes.add("noinline")
    let_widest_registers(function)
    builder = ir.IRBuilder(function.append_basic_block())
    value = emit(builder, dict(zip(passed, function.args, strict=True)))
    builder.ret_void() if value is None else builder.ret(value)
    return function


def declared(module: Any, label: str, passed: Given, result: Any = None) -> Any:
    """Return the function of that label in a module; it may be defined elsewhere."""
    of_type = ir.FunctionType(result or ir.VoidType(), [value.type for value in passed.values()])
    return cgutils.get_or_insert_function(module, of_type, label)


def let_widest_registers(function: Any) -> None:
    """Let a function use the processor's widest vectors; Intel's use half of theirs otherwise."""
    # not among the attributes that llvmlite knows by name
    set.add(function.attributes, '"prefer-vector-width"="512"')


def address(builder: Any, array: Any, index: Any) -> Any:
    """Return the address of an element."""
    index = index if isinstance(index, ir.Value) else WHOLE(index)
    return builder.gep(array, [index])


def vector_address(builder: Any, array: Any, index: Any, lanes: int) -> Any:
    """Return the address of a vector of lanes that begins with an element."""
    vector = ir.VectorType(FLOAT, lanes).as_pointer()
    return builder.bitcast(address(builder, array, index), vector)


def element(builder: Any, array: Any, index: Any) -> Number:
    """Return an element of an array."""
    return Number(builder, builder.load(address(builder, array, index)))
