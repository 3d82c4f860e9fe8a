"""From the record of a network's equations to source code: the step, and its adjoint."""

from arm_env.codegen.lanes import LANES
from arm_env.codegen.tracing import Symbol, assignments, gradient, ordered
from rnn_controller.rollouts.statements import FUNCTIONS, Statement, Traced, element

INPUTS = ("w", "c", "signal", "state")
COTANGENTS = ("g_u", "g_following", "work", "g_signal", "g_state", "gw", "block")


def network_source(traced: Traced) -> str:
    """Return the source of ``network_scratch``, ``network_step`` and ``network_vjp``.

    ``network_scratch`` gives the length of ``work``, the array that the others work in.
    ``network_step`` fills the excitations ``u`` and the state ``following``. ``network_vjp`` takes
    their cotangents, fills those of signal and state, and adds those of the weights to
    ``gw[block]``.
    """
    # All arrays are parts of ``work``, so that a step allocates nothing. The second half is for the
    # cotangents.
    sizes, arrays, forward, total = _arrays(traced.statements)
    copies = [*_copied("u", traced.excitations), *_copied("following", traced.state)]
    step = ["widest_registers()", *sizes, *arrays, *forward, *copies]
    cotangents = [line for s in traced.statements for line in _cotangent_array(s, total)]
    started = [
        "g_signal[:] = 0.0",
        "g_state[:] = 0.0",
        f"work[{total} : 2 * ({total})] = 0.0",
        *_copied(f"g_{traced.excitations}", "g_u", assign="+="),
        *_copied(f"g_{traced.state}", "g_following", assign="+="),
    ]
    backward = [line for s in reversed(traced.statements) for line in _adjoint(s)]
    # The adjoint begins with the forward lines: a rollout keeps signals and states of all periods,
    # not every array, so the arrays of a period are computed again.
    vjp = ["widest_registers()", *sizes, *arrays, *forward, *cotangents, *started, *backward]
    return "\n".join(
        [
            _function("network_scratch", INPUTS, [*sizes, f"return 2 * ({total})"]),
            _function("network_step", (*INPUTS, "work", "u", "following"), step),
            _function("network_vjp", (*INPUTS, *COTANGENTS), vjp),
        ]
    )


def _function(name: str, arguments: tuple[str, ...], lines: list[str]) -> str:
    return (
        "\n".join([f"def {name}({', '.join(arguments)}):", *(f"    {line}" for line in lines)])
        + "\n"
    )


def _leaves(expression: Symbol) -> list[Symbol]:
    return [symbol for symbol in ordered([expression]) if symbol.op == "load"]


def _size_of(statement: Statement) -> str:
    """The length of a statement's array, as source, from those of the arrays it takes."""
    # Lengths count numbers, of which a component takes LANES, one for each arm.
    if statement.operation == "product":
        return f"{LANES} * {statement.operands[0]}.shape[0]"
    if statement.operation == "spread":
        return f"{LANES} * len({statement.operands[0]})"
    if statement.operation == "concatenate":
        return " + ".join(f"n_{part}" for part in statement.operands)
    if statement.operation == "slice":
        source, start, stop = statement.operands
        end = f"n_{source}" if stop is None else f"{LANES * stop}"
        return f"{end} - {LANES * (start or 0)}"
    return f"n_{statement.operands[1]}"


def _arrays(statements: list[Statement]) -> tuple[list[str], list[str], list[str], str]:
    """Lines that compute sizes, cut arrays from ``work`` and fill them; and the length of all."""
    # Sizes are read from the weights at run time, not printed as numbers: so networks of one kind
    # share their compiled code, whatever their size.
    sizes = ["n_signal = len(signal)", "n_state = len(state)"]
    arrays = []
    forward = []
    ends = ["0"]
    for s in statements:
        sizes.append(f"n_{s.name} = {_size_of(s)}")
        if s.operation == "slice":  # a view, which takes no room of its own
            forward.append(f"{s.name} = {_part(s, s.operands[0])}")
            continue
        sizes.append(f"end_{s.name} = {ends[-1]} + n_{s.name}")
        ends.append(f"end_{s.name}")
        arrays.append(f"{s.name} = work[{ends[-2]} : {ends[-1]}]")
        if s.operation == "product":
            forward += [
                f"{s.name}[:] = 0.0",
                f"add_product({s.operands[0]}, {s.operands[1]}, {s.name})",
            ]
        elif s.operation == "spread":
            forward.append(f"spread({s.operands[0]}, {s.name})")
        elif s.operation == "repeat":
            forward += [
                f"for i in range(len({s.name})):",
                f"    {s.name}[i] = {s.operands[0]}[i % {LANES}]",
            ]
        elif s.operation == "concatenate":
            for part, start in _parts(s):
                forward += _copied(s.name, part, start)
        else:
            function = FUNCTIONS.get(s.operation, (lambda x: x, None))[0]
            forward += _loop(s.name, function(s.operands[0]), "=")
    return sizes, arrays, forward, ends[-1]


def _part(sliced: Statement, array: str) -> str:
    """The part of an array that a slice means."""
    start = LANES * (sliced.operands[1] or 0)
    return f"{array}[{start} : {start} + n_{sliced.name}]"


def _parts(concatenated: Statement) -> list[tuple[str, str]]:
    """The arrays that were put together, and where each of them begins."""
    lengths = [f"n_{part}" for part in concatenated.operands]
    starts = [" + ".join(lengths[:i]) or "0" for i in range(len(lengths))]
    return list(zip(concatenated.operands, starts, strict=True))


# Loops, since an assignment between arrays takes Numba three seconds: it prepares an error's words.
def _copied(array: str, part: str, start: str = "0", assign: str = "=") -> list[str]:
    return [f"for i in range(len({part})):", f"    {array}[{start} + i] {assign} {part}[i]"]


def _cotangent_array(s: Statement, total: str) -> list[str]:
    if s.operation == "slice":
        return [f"g_{s.name} = {_part(s, f'g_{s.operands[0]}')}"]
    return [f"g_{s.name} = work[{total} + end_{s.name} - n_{s.name} : {total} + end_{s.name}]"]


def _adjoint(s: Statement) -> list[str]:
    """Lines that hand the cotangent of a statement's array on to what it was computed from."""
    if s.operation == "slice":
        return []  # it is a part of its source's
    if s.operation == "product":
        matrix, vector = s.operands
        lines = [f"add_transposed_product({matrix}, g_{s.name}, g_{vector})"]
        if matrix.startswith("w"):  # constants, c[i], get no gradient
            lines.append(f"add_outer(g_{s.name}, {vector}, g{matrix}[block])")
        return lines
    if s.operation == "concatenate":
        return [
            line
            for part, start in _parts(s)
            for line in (
                f"for i in range(n_{part}):",
                f"    g_{part}[i] += g_{s.name}[{start} + i]",
            )
        ]
    if s.operation == "spread":
        numbers = s.operands[0]
        return [f"add_sums(g_{s.name}, g{numbers}[block])"] if numbers.startswith("w") else []
    if s.operation == "repeat":
        return [
            f"for i in range(len(g_{s.name})):",
            f"    g_{s.operands[0]}[i % {LANES}] += g_{s.name}[i]",
        ]
    expression = s.operands[0]
    received = element(f"g_{s.name}")
    if s.operation in FUNCTIONS:
        received = received * FUNCTIONS[s.operation][1](element(s.name))
    leaves = _leaves(expression)
    parts = gradient([expression], [received], leaves)
    # A loop for each leaf: of loops that write more than one array the compiler makes no vector
    # instructions.
    return [
        line
        for leaf, part in zip(leaves, parts, strict=True)
        for line in _loop(f"g_{leaf.args[0]}", part, "+=")
    ]


def _loop(array: str, value: Symbol, assign: str) -> list[str]:
    before, within, names = assignments({array: [value]}, lambda name, index: f"{name}[{index}]")
    inner = [*within, f"{array}[i] {assign} {names[id(value)]}"]
    return [*before, f"for i in range(len({array})):", *(f"    {line}" for line in inner)]
