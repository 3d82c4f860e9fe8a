"""The folders and file names of the results."""

from pathlib import Path

RESULTS = Path(__file__).with_name("results")
STORED = RESULTS / "runs"
STUDIES = RESULTS / "studies"
RECORD = "run.json"  # of a training
RESULT = "result.json"  # of a job that is done: its row of the table
MEASURED_SEED = (
    1_000_000  # of the movements that controllers are measured on, not those of training
)
