"""The command draw: the files that it writes, and those that it refuses."""

import sys

import pytest

from rnn_controller import Plan, commands
from rnn_controller.planning.optimising import Search

SQUARE = "x,y\n-0.1,0.4\n0.1,0.4\n0.1,0.5\n-0.1,0.5\n"


@pytest.fixture
def draw(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder on a file of this text; returns its error and output."""
    monkeypatch.chdir(tmp_path)

    def draw(text, *arguments):
        (tmp_path / "square.csv").write_text(text)
        given = ["rnn_controller", "draw", "square.csv", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", given)
        status = 0
        try:
            commands.main()
        except SystemExit as end:
            status = end.code or 0
        return status, capsys.readouterr().out

    return draw


def test_draw_writes_a_figure_and_a_plan(draw, tmp_path):
    status, out = draw(SQUARE, "circle", "--iterations", 2, "--noise", 0)
    assert status == 0
    assert (tmp_path / "runs" / "square.png").read_bytes().startswith(b"\x89PNG")
    plan = Plan.load(tmp_path / "runs" / "square.json")
    # 60 cm at 0.25 m/s
    assert plan.task == "circle" and plan.lap == pytest.approx(2.4)
    assert f"{1000 * plan.quiet_distance_m:.1f} mm without noise, lap 2.4 s" in out
    assert "figure: runs/square.png" in out and "plan: runs/square.json" in out


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("", (), "square.csv holds no points"),
        ("x,y\n0.1,0.4\n0.2,here\n", (), "square.csv, line 3: a point is two numbers"),
        ("x,y\n0.1,0.4,0.3\n0,0.4,1\n", (), "square.csv, line 2: a point is two numbers"),
        ("-0.1,0.4\n0.1,0.4\n3,0.5\n", (), "square.csv: 33% of the curve is outside the workspace"),
        ("-10,40\n10,40\n10,50\n", (), "if these are in centimetres, divide by 100"),
        ("0,0.4x\n0.1,0.4\n0,0.5\n0.1,0.3", (), "square.csv, line 1: a point is two numbers"),
        ("x,y\n0.1,0.4\nnan,0.5\n", (), "square.csv, line 3: a point is two numbers"),
        (SQUARE, ("--output", "x.txt"), "written as .png, .pdf, .svg, .gif or .mp4"),
        (SQUARE, ("--lap", 0.5), "faster than a drawing may be"),
        (SQUARE, ("--output", "x.txt"), "x.txt"),
        (SQUARE, ("nobody",), "nobody"),
    ],
)
def test_draw_refuses_in_one_sentence(draw, tmp_path, monkeypatch, text, arguments, message):
    def run(self, *_):
        raise AssertionError("a search has begun")

    monkeypatch.setattr(Search, "run", run)
    status, out = draw(text, *arguments)
    assert str(status).startswith("error: ") and message in status and not out
    assert "\n" not in status.strip()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["square.csv"]
