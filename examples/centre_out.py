"""Centre-out reaches without and with a curl field, and the figure of each; ``--curl 15``."""

import sys

from rnn_controller.experiments import centre_out
from rnn_controller.figures import figure_centre_out, save

curl = float(sys.argv[sys.argv.index("--curl") + 1]) if "--curl" in sys.argv else 15.0
for field in (0.0, curl):
    found = centre_out("reach", perturbation={"curl": field})
    for direction, deviation in zip(
        found.reaches.directions, found.reaches.peak_lateral[:, 0], strict=True
    ):
        print(f"curl {field:4.0f}: {direction:4.2f} rad, {1000 * deviation:6.1f} mm to the left")
    print(f"peak speed {found.speed.max():.2f} m/s")
    print(save(figure_centre_out(found, name="reach"), f"centre-out-{field:g}.png"))
