"""A network's recorded equations as JavaScript, with the bits of the compiled code."""

from typing import Any

from arm_env.codegen.javascript import JavaScript
from arm_env.codegen.tracing import Symbol
from rnn_controller.rollouts.statements import FUNCTIONS, Statement, Traced

HELPERS = """
// M v; a matrix is { rows, columns, data }
function product(matrix, v) {
  const out = new Float64Array(matrix.rows);
  for (let i = 0; i < matrix.rows; i++) {
    let sum = 0;
    const start = i * matrix.columns;
    for (let j = 0; j < matrix.columns; j++) sum = fma(matrix.data[start + j], v[j], sum);
    out[i] = sum;
  }
  return out;
}

function concatenate(parts) {
  const out = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let start = 0;
  for (const part of parts) {
    out.set(part, start);
    start += part.length;
  }
  return out;
}
"""


def network_function(name: str, traced: Traced) -> str:
    """Return a function of weights, constants, signal and state that returns [u, next state].

    Weights are { rows, columns, data }, constants are numbers, or weights as well.
    """
    lines = [line for s in traced.statements for line in _statement(s)]
    lines += [f"return [{traced.excitations}, {traced.state}];"]
    return "\n".join([f"function {name}(w, c, signal, state) {{", *lines, "}"]) + "\n"


def _statement(s: Statement) -> list[str]:
    match s.operation:
        case "product":
            expression = f"product({s.operands[0]}, {s.operands[1]})"
        case "concatenate":
            expression = f"concatenate([{', '.join(s.operands)}])"
        case "spread":
            expression = f"{s.operands[0]}.data"
        case "slice":
            source, start, stop = s.operands
            end = "" if stop is None else f", {stop}"
            expression = f"{source}.subarray({start or 0}{end})"
        case "repeat":
            expression = f"new Float64Array({s.operands[1]}.length).fill({s.operands[0]}[0])"
        case _:
            return _each(s)
    return [f"const {s.name} = {expression};"]


def _each(s: Statement) -> list[str]:
    expression: Symbol
    expression, like = s.operands
    if s.operation in FUNCTIONS:
        expression = FUNCTIONS[s.operation][0](expression)
    code = JavaScript(lambda array, index: f"{array}[{index}]")
    value: Any = code.numbers_of([expression])[0]
    return [
        f"const {s.name} = new Float64Array({like}.length);",
        f"for (let i = 0; i < {s.name}.length; i++) {{",
        *code.lines,
        f"{s.name}[i] = {value.text};",
        "}",
    ]
