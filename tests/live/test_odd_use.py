"""The live page under odd addresses, controllers and gestures."""

import math

import pytest
import torch
from pages import serving, settle, wait_for

from arm_env import Arm
from arm_env.tasks.registry import TASKS
from rnn_controller.checkpoint import Checkpoint
from rnn_controller.live.files import page_files
from rnn_controller.live.server import Server
from rnn_controller.networks.modules import ModuleConfig, build


def test_controllers_of_other_periods_keep_one_time(opened):
    generator = torch.Generator().manual_seed(0)
    controllers = {}
    for name, period in (("slow", 0.02), ("fast", 0.005)):
        config = ModuleConfig(kind="gru", control_period=period)
        network = build(config, TASKS["reach"], Arm(), generator)
        controllers[name] = Checkpoint(network=network, task="reach", arm=Arm())
    with serving(Server(page_files(controllers))) as server:
        for name, rival in (("slow", "fast"), ("fast", "slow")):
            page = opened(server.url, hash=f"#controller={name}&compare={rival}")
            settle(page, 0.5)
            times = page.evaluate("[live.time, live.app.rival.time]")
            assert times[0] == pytest.approx(times[1], abs=0.021)
            page.close()


def test_a_second_finger_does_not_disturb_the_first(opened):
    page = opened(hash="#task=draw&noise=0")
    gestures = """() => {
        const canvas = document.querySelector("#arm"), box = canvas.getBoundingClientRect();
        canvas.setPointerCapture = () => {};
        const send = (type, pointerId, [x, y]) => canvas.dispatchEvent(new PointerEvent(
            type, { pointerId, button: 0, clientX: box.x + x, clientY: box.y + y }));
        const [first, hand] = [live.screen([0.2, 0.55]), live.screen(live.hand)];
        send("pointerdown", 1, first);
        send("pointerdown", 2, hand);
        send("pointermove", 2, [hand[0] + 40, hand[1]]);
        send("pointerup", 2, hand);
        const drawn = live.app.sketch.length;
        send("pointerup", 1, first);
        return [drawn, live.app.sketch, live.app.simulation.force];
    }"""
    assert page.evaluate(gestures) == [1, None, [0, 0]]


@pytest.mark.parametrize(
    "hash",
    ["#task=nothing&controller=x&noise=abc&mass=-5&neurons=a,999,-1&circle=1,2&curve=1,2,3",
     "#%E0%A4%A", "#task=circle&circle=9,9,9,9", "#task=draw&curve=0,0,0,0,0",
     "#task=reach&target=1e308,-1e308", "#task=draw&curve=4,1e300,1,1,1&centre=1e300,1",
     "#task=plan&plan=__proto__&controller=reach&pace=9&target=0,9&centre=1,1&compare=reach",
     "#noise=1e300&mass=-4&strength=-9&load=1e9&curl=1e99&delay=1e9&neurons=,&target=,"],
)  # fmt: skip
@pytest.mark.parametrize("typed", [False, True])
def test_an_odd_address_does_no_harm(opened, hash, typed):
    page = opened(hash="" if typed else hash)
    if typed:  # while the page is open
        page.evaluate("hash => { location.hash = hash; }", hash)
        wait_for(page, "!live.app.scripted")
    settle(page, 0.5)
    assert all(map(math.isfinite, page.evaluate("live.hand")))
    assert all(abs(place) < 1 for place in page.evaluate("live.target"))
    settings = page.evaluate("live.app.settings")
    assert 0 <= settings["noise"] <= 1
    assert 0.2 <= settings["strength"] <= 2
    assert settings["neurons"] == []
