"""Where results lie, and what their files are called."""

from pathlib import Path

RESULTS = Path(__file__).with_name("results")
STORED = RESULTS / "runs"
RECORD = "run.json"
