"""Figures of the experiments, and the command that draws them."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from rnn_controller import commands, experiments, figures

QUIET = {"progress": False}


@pytest.mark.parametrize(
    ("draw", "made", "titles"),
    [
        ("centre_out", lambda: experiments.centre_out("reach", directions=3), "abcde"),
        (
            "adaptation",
            lambda: experiments.adapt(
                "reach", baseline=1, field=1, after=0, batch_size=2, directions=2, **QUIET
            ),
            "abc",
        ),
        ("push", lambda: experiments.pushing("reach", directions=2, seconds=0.3, **QUIET), "ab"),
        ("following", lambda: experiments.following(bands=(2.0,), arms=2, **QUIET), "abcd"),
    ],
    ids=["centre_out", "adaptation", "push", "following"],
)
def test_a_figure_has_its_panels_and_its_controller_s_name_apart(tmp_path, draw, made, titles):
    figure = getattr(figures, f"figure_{draw}")(made(), name="reach")
    assert figures.save(figure, tmp_path / "figure.png").is_file()
    found = {axes.get_title(loc="left")[:4] for axes in figure.axes}
    assert {f"{letter}   " for letter in titles} <= found
    FigureCanvasAgg(figure).draw()
    (name,) = (text for text in figure.texts if text.get_text() == "controller: reach")
    box = name.get_window_extent()
    others = [t for axes in figure.axes for t in axes.findobj(Text) if t.get_text()]
    assert not [t for t in others if t.get_visible() and t.get_window_extent().overlaps(box)]


def test_the_command_passes_the_field_the_seed_and_the_noise(monkeypatch):
    seen = []
    monkeypatch.setattr(experiments, "centre_out", lambda _, **given: seen.append(given))
    monkeypatch.setattr(figures, "figure_centre_out", lambda *_, name: name)
    assert commands.Figure("centre-out", curl=15.0, seed=3, noise=0.1).drawn() == "reach"
    assert seen == [{"seed": 3, "noise": 0.1, "perturbation": {"curl": 15.0}}]


def test_the_command_refuses_what_has_no_meaning():
    with pytest.raises(ValueError, match="--curl is for the figures centre-out"):
        commands.Figure("7", curl=3.0).drawn()
    with pytest.raises(ValueError, match="measured without noise"):
        commands.Figure("adaptation", noise=0.1).drawn()
    with pytest.raises(ValueError, match="a controller for reach"):
        commands.Figure("push", "circle").drawn()
