"""The live page as static files, which any web server can send."""

from collections.abc import Mapping
from pathlib import Path

from arm_env.files import write_whole


def export(files: Mapping[str, bytes], folder: Path) -> list[Path]:
    """Write the files into a folder, each whole or not at all; return their paths."""
    return [write_whole(folder / name, content) for name, content in files.items()]
