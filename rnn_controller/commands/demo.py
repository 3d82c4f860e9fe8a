"""The command that trains, measures and draws in one go."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from arm_env.files import write_whole
from rnn_controller.checkpoint import load_checkpoint
from rnn_controller.commands.measuring import environment_of, measure, short_name, table
from rnn_controller.commands.training import going_on
from rnn_controller.options import show, value
from rnn_controller.outputs import output_file, output_folder
from rnn_controller.policy import controller_of
from rnn_controller.training.trainer import TrainConfig, train


@dataclass(frozen=True)
class Demo:
    """Train a reaching controller in some minutes, then measure, draw and animate it.

    Writes checkpoint.safetensors, measures.json, figure6.png and reach.gif.

    If the folder holds a training that was stopped, the demo goes on with it.

    Examples:
      python -m rnn_controller demo
      python -m rnn_controller demo --iterations 100 --output runs/quick-demo
    """

    output: Annotated[Path, value("FOLDER")] = Path("runs/demo")
    """Folder for all results. A finished training there is used again."""
    iterations: Annotated[
        int | None, value(default="those of the recipe short, about three minutes on two cores")
    ] = None
    """Number of training iterations."""

    def run(self) -> None:
        """Train, evaluate, draw, and print a table with the paths."""
        from rnn_controller import figures

        config = TrainConfig(recipe="short", iterations=self.iterations)
        folder = output_folder(self.output)
        numbers, chart, film = (
            output_file(folder / name, (Path(name).suffix,), "a result")
            for name in ("measures.json", "figure6.png", "reach.gif")
        )
        path = folder / "checkpoint.safetensors"
        with going_on(path, "the same command goes on from here"):
            train(config, folder, resume=path.exists())
            checkpoint = load_checkpoint(path)
            measures = measure(checkpoint, 1000, 1_000_000, 0.2)
            controller = controller_of(checkpoint)
            environment = environment_of(checkpoint)
            paths = {
                "checkpoint": path,
                "measures": write_whole(numbers, json.dumps(measures.as_dict(), indent=2) + "\n"),
                "figure 6": figures.save(
                    figures.figure_6(controller, name=short_name(str(folder)), **environment), chart
                ),
                "animation": figures.animate(controller, film, **environment),
            }
        print(table(measures))
        print("\n".join(f"{name:36s} {path}" for name, path in paths.items()))


show(Demo)
