"""One step of a controller as an ONNX graph."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from arm_env.extras import needed
from arm_env.files import write_whole
from rnn_controller.export.exported import Exported
from rnn_controller.outputs import output_file
from rnn_controller.rollouts.network_onnx import Graph

OPSET = 17
"""Version of ONNX's operators, of 2022, which older runtimes know, too."""
FORMAT = 8
"""Version of the file's format, of the same year."""
SUFFIX = ".onnx"


def check_onnx(path: Path | str) -> Path:
    """Return the path, if an ONNX file can be written there.

    Raises ValueError or OSError for another place, and ImportError without the package onnx.
    """
    path = output_file(path, (SUFFIX,), "an ONNX model")
    needed("onnx", "export", "an .onnx file")
    return path


def to_onnx(controller: Any, path: Path | str, single_precision: bool = False) -> Path:
    """Write one step of a controller as an ONNX graph; return the path.

    ``controller`` is a name such as "reach", a path, a ``Checkpoint``, or what ``load`` gave. The
    graph takes ``observation`` (batch, 3 M + K), as the environment gives it, and ``state``
    (batch, N), which is zero at the start of an episode. It gives ``action`` (batch, M), within its
    limits, and ``next_state`` (batch, N). A network without memory has no state. All are float64,
    or float32 in ``single_precision``. The file's metadata has names, units, task and control
    period. Raises ValueError for another suffix or controller, and ImportError without the package
    onnx.

    >>> to_onnx("reach", "reach.onnx")
    """
    path = check_onnx(path)
    exported = Exported.of(controller)
    return write_whole(path, model_of(exported, single_precision).SerializeToString())


def model_of(exported: Exported, single_precision: bool = False) -> Any:
    """Return the ONNX model of a controller's step, checked by the package onnx."""
    onnx = needed("onnx", "export", "an .onnx file")
    helper = onnx.helper
    kind = np.float32 if single_precision else np.float64
    graph = Graph(exported.traced, exported.sizes, exported.values, exported.names)
    highest = float(exported.policy.max_excitation)
    # not Clip, which onnxruntime 1.32 merges with Relu wrongly: it then takes no float64
    above = graph.add("Max", graph.excitations, graph.constant("number 0.0", 0.0))
    graph.add("Min", above, graph.constant(f"number {highest!r}", highest), name="action")
    memory = exported.sizes["state"]
    if memory:
        graph.add("Identity", graph.state, name="next_state")
    else:
        graph.constant("state", np.zeros((1, 0)))  # for equations that have it anyway

    def array(name: str, size: int, meaning: str) -> Any:
        element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        return helper.make_tensor_value_info(name, element, ["batch", size], doc_string=meaning)

    told = exported.description()
    signals, muscles = (
        ", ".join(part["name"] for part in told[name]) for name in ("observation", "action")
    )
    inputs = [array("observation", exported.sizes["signal"], signals)]
    outputs = [array("action", exported.body.muscle_count, f"excitations of {muscles}")]
    if memory:
        inputs.append(array("state", memory, "neural state, zero at the start of an episode"))
        outputs.append(array("next_state", memory, "neural state for the next step"))
    used = {name for node in graph.nodes for name in node.inputs}
    tensors = [
        onnx.numpy_helper.from_array(
            np.ascontiguousarray(value if value.dtype == np.int64 else value.astype(kind)), name
        )
        for name, value in graph.constants.items()
        if name in used
    ]
    nodes = [
        helper.make_node(node.operator, node.inputs, [node.output], **node.attributes)
        for node in graph.nodes
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "controller", inputs, outputs, tensors),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=FORMAT,
        producer_name=told.pop("producer"),
        producer_version=told.pop("version"),
    )
    helper.set_model_props(model, {name: _text(value) for name, value in told.items()})
    onnx.checker.check_model(model, full_check=True)
    return model


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
