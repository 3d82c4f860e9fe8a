"""Make the plans of figure 8 that come with the package: ``python -m rnn_controller.planning``."""

from pathlib import Path

from rnn_controller.checkpoint import load_checkpoint
from rnn_controller.planning.drawings import DRAWINGS
from rnn_controller.planning.planner import plan
from rnn_controller.planning.plans import SHIPPED

if __name__ == "__main__":
    checkpoint = load_checkpoint("circle")
    for name, (curve, lap, _) in DRAWINGS.items():
        made = plan(checkpoint, curve, lap)
        path = made.save(Path(str(SHIPPED)) / f"{name}.json")
        distances = f"{1000 * made.quiet_distance_m:.1f} mm without noise"
        print(f"{path}: {distances}, {1000 * made.noisy_distance_m:.1f} mm with it")
