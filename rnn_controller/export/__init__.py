"""Trained networks for other programs: one step as an ONNX graph, or all numbers as JSON."""

from rnn_controller.export.json_file import to_json
from rnn_controller.export.onnx_file import to_onnx

__all__ = ["to_json", "to_onnx"]
