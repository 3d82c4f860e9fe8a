"""Trainings of a few seconds, which a sweep in a test runs in processes of their own."""

import os
import sys
import time

import numpy as np


def nap(folder, task, seed, settings):
    """Leave the number of this process, sleep, and leave a line that says that all was done."""
    (folder / "pid").write_text(str(os.getpid()))
    time.sleep(settings["seconds"])
    with (folder.parent / "ends.txt").open("a") as file:
        file.write(f"{seed}\n")
    return {"mean_value": float(seed)}


def odd_seeds_fail(folder, task, seed, settings):
    """Fail for odd seeds as long as there is no file called mended."""
    with (folder.parent / "begins.txt").open("a") as file:
        file.write(f"{seed}\n")
    if seed % 2 and not (folder.parent / "mended").exists():
        raise RuntimeError(f"seed {seed} is odd\nand more")
    return {"mean_value": float(seed)}


def leaves(folder, task, seed, settings):
    """End the process, as a script would."""
    sys.exit("bad data")


def wanders(folder, task, seed, settings):
    """Write a file, change the working directory, and return a number of NumPy."""
    (folder / "weights.bin").write_bytes(b"w")
    os.chdir("/")
    return {"mean_value": np.float32(1.5)}
