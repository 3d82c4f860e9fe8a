"""The command that exports a controller for other programs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from arm_env.checked import Checked
from rnn_controller.checkpoint import load_checkpoint
from rnn_controller.commands.measuring import short_name
from rnn_controller.options import value
from rnn_controller.outputs import output_file

SUFFIXES = (".onnx", ".json")


@dataclass(frozen=True)
class Export(Checked):
    """Write a controller for other programs, as an ONNX graph of one step or as JSON.

    The suffix of --output says the format: .onnx, which onnxruntime and others run, or .json with
    all weights, equations and names.

    Examples:
      python -m rnn_controller export reach --output runs/reach.onnx
      python -m rnn_controller export runs/reach-0 --output runs/reach-0.json
    """

    controller: tyro.conf.Positional[Annotated[str, value("CONTROLLER")]]
    """A shipped controller (reach, circle, follow, reach-paper, circle-paper), a checkpoint file,
    or the folder of a training run.
    """
    output: Annotated[Path | None, value("FILE", default="runs/CONTROLLER.onnx")] = None
    """File to write. Its name ends in .onnx or .json."""
    single_precision: bool = False
    """Let the ONNX graph compute with float32, which is less exact, instead of float64."""

    def run(self) -> None:
        """Export, and print where the file is.

        Raises ValueError for another suffix, and for single precision in JSON.
        """
        from rnn_controller.export import to_json, to_onnx
        from rnn_controller.export.onnx_file import check_onnx

        path = self.output or Path("runs") / f"{short_name(self.controller)}.onnx"
        output_file(path, SUFFIXES, "a controller")
        if path.suffix.lower() == ".json":
            if self.single_precision:
                raise ValueError("single_precision is for .onnx files; a .json file has all digits")
            written = to_json(load_checkpoint(self.controller), path)
        else:
            check_onnx(path)
            written = to_onnx(
                load_checkpoint(self.controller), path, single_precision=self.single_precision
            )
        print(f"controller: {written}")
