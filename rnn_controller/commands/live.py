"""The command that shows controllers in a web browser."""

import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from arm_env.checked import Checked, within
from rnn_controller.checkpoint import Checkpoint, load_checkpoint
from rnn_controller.commands.listing import shipped
from rnn_controller.commands.measuring import short_name
from rnn_controller.options import value
from rnn_controller.outputs import output_folder

HIGHEST_PORT = 65_535


@dataclass(frozen=True)
class Live(Checked):
    """Open a page in the browser on which a controller moves the arm while you drag the target.

    The page is served to this machine only, until Ctrl-C. With --export it is written into a folder
    instead, and nothing is served.

    Examples:
      python -m rnn_controller live
      python -m rnn_controller live reach follow --plan runs/star.json --export runs/live
    """

    controllers: Annotated[
        tyro.conf.Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="[CONTROLLER ...]",
            help_behavior_hint="(default: all that come with the package)",
        ),
    ] = ()
    """Names of shipped controllers, checkpoints, or folders of runs."""
    plan: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]],
        tyro.conf.arg(
            metavar="FILE",
            help_behavior_hint="(default: the shipped plans for the controllers)",
        ),
    ] = ()
    """File of a plan that draw wrote. The option may be repeated. The shipped plans stay."""
    export: Annotated[Path | None, value("FOLDER", default="none; the page is served")] = None
    """Folder to write the page into, as static files for any web server."""
    port: Annotated[int, value("PORT")] = within(8000, 0, HIGHEST_PORT)
    """Port of the server; 0 takes any free one."""
    browser: bool = True
    """Open the page in a browser."""

    def run(self) -> None:
        """Export the page, or serve it until Ctrl-C."""
        from rnn_controller.live.export import export
        from rnn_controller.live.files import page_files
        from rnn_controller.live.server import Server

        folder = self.export and output_folder(self.export)
        shown = chosen(self.controllers or shipped())
        files = page_files(shown, self.plan, public=folder is not None)
        if folder:
            export(files, folder)
            print(f"{folder / 'index.html'}: the page; let any web server send this folder")
            return
        with Server(files, self.port) as server:
            opened = self.browser and webbrowser.open(server.url)
            hint = "" if opened else "; open this address in a browser"
            print(f"{server.url} (Ctrl-C ends it{hint})", flush=True)
            server.serve_forever()


def chosen(names: tuple[str, ...] | list[str]) -> dict[str, Checkpoint]:
    """Return the controllers by the names that the page shows.

    Raises ValueError if two of them have one name.
    """
    found: dict[str, Checkpoint] = {}
    for name in names:
        short = short_name(name)
        if short in found:
            raise ValueError(f"two controllers are called {short!r}: give one of them another name")
        found[short] = load_checkpoint(name)
    return found
