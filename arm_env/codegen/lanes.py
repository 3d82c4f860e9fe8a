"""Generated functions for many arms at once, in lanes and on rows.

The compiler puts lanes into vector registers.

A lane form runs its straight-line code in an inner loop over ``LANES`` arms, from arrays that are
laid out as ``x[LANES i + lane]``. They are flat, since with more dimensions the compiler can't tell
that they do not overlap. What depends on parameters alone stands before the loop. Each lane
computes the bits that the scalar form computes.
"""

from collections.abc import Mapping, Sequence

from arm_env.codegen.tracing import Symbol, assignments, ordered

LANES = 16  # fewer are not vectorised
FEW = 5  # arms that are done sooner one by one


def lane_source(
    name: str, arguments: Sequence[str], results: Mapping[str, Sequence[Symbol]]
) -> str:
    """A function ``name_lanes`` that fills flat arrays for ``LANES`` arms.

    Its row arguments are flat arrays, too.
    """
    before, within, names = assignments(
        results, lambda array, index: f"{array}[{LANES * index} + lane]"
    )
    for result, symbols in results.items():
        within += [
            f"{result}[{LANES * i} + lane] = {names[id(symbol)]}"
            for i, symbol in enumerate(symbols)
        ]
    lines = (
        ["    widest_registers()"]
        + [f"    {line}" for line in before]
        + [f"    for lane in range({LANES}):"]
        + [f"        {line}" for line in within]
    )
    return "\n".join([f"def {name}_lanes({', '.join([*arguments, *results])}):", *lines]) + "\n"


def row_source(name: str, arguments: Sequence[str], results: Mapping[str, Sequence[Symbol]]) -> str:
    """A function ``name_rows`` over rows first … last − 1 of two-dimensional arrays.

    They may be the same array. It moves ``LANES`` rows at a time into lanes and back, and takes the
    last few, or a few in all, one by one.
    """
    sizes: dict[str, int] = {}
    for symbol in ordered([s for symbols in results.values() for s in symbols]):
        if symbol.op == "load" and not symbol.uniform:
            array, index = symbol.args
            sizes[array] = max(sizes.get(array, 0), index + 1)
    rows = [a for a in arguments if a in sizes]
    every = [*arguments, *results]
    one = ", ".join(f"{a}[row]" if a in rows or a in results else a for a in every)
    lanes = ", ".join(f"{a}_lanes" if a in rows or a in results else a for a in every)
    lengths = {**sizes, **{result: len(symbols) for result, symbols in results.items()}}
    lines = [
        f"def {name}_rows(first, last, {', '.join(every)}):",
        f"    if last - first >= {FEW}:",
        *(f"        {a}_lanes = empty({LANES * lengths[a]})" for a in [*rows, *results]),
        f"    while last - first >= {FEW}:",
        f"        number = min({LANES}, last - first)",
        f"        for lane in range({LANES}):",
        "            row = first + min(lane, number - 1)",
    ]
    for a in rows:
        lines += [
            f"            for i in range({sizes[a]}):",
            f"                {a}_lanes[{LANES} * i + lane] = {a}[row, i]",
        ]
    lines += [f"        {name}_lanes({lanes})", "        for lane in range(number):"]
    for a in results:
        lines += [
            f"            for i in range({lengths[a]}):",
            f"                {a}[first + lane, i] = {a}_lanes[{LANES} * i + lane]",
        ]
    lines += [
        "        first += number",
        "    for row in range(first, last):",
        f"        {name}({one})",
    ]
    return "\n".join(lines) + "\n"
