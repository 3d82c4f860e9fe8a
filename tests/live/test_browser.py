"""The live page in a real browser, driven as a person would."""

import http.server
import math
import re
import threading
import time
from functools import partial

import numpy as np
import pytest
import torch
from pages import distance, drag, serving, settle, shipped_files, slide, spot, wait_for

from arm_env import Arm
from arm_env.tasks.registry import TASKS
from rnn_controller import Plan
from rnn_controller.checkpoint import Checkpoint, load_checkpoint
from rnn_controller.live.export import export
from rnn_controller.live.files import page_files
from rnn_controller.live.server import Server
from rnn_controller.networks.modules import ModuleConfig, build


def test_a_dragged_target_is_reached(opened):
    page = opened(hash="#task=reach&target=-0.1,0.45")
    for end in ((0.1, 0.45), (-0.15, 0.4)):
        drag(page, page.evaluate("live.target"), end)
        assert page.evaluate("live.target") == pytest.approx(end, abs=0.01)
        settle(page, 2.5)
        # noise moves the hand about: one of the next instants must be close
        wait_for(page, "Math.hypot(live.hand[0] - live.target[0], live.hand[1] - live.target[1])"
                       " < 0.02", 10)  # fmt: skip
    assert not page.evaluate("live.app.scripted")


def test_the_script_plays_until_the_first_touch(opened):
    page = opened()
    first = page.evaluate("live.target")
    wait_for(page, f"live.target[0] !== {first[0]}")
    page.keyboard.press("ArrowUp")
    target = page.evaluate("live.target")
    settle(page, 1.5)
    assert page.evaluate("live.target") == target


def test_it_has_pythons_bits_and_pace(opened):
    page = opened()
    wait_for(page, "live.pace !== null", 60)
    assert page.evaluate("live.difference") == 0
    assert page.locator("#identical").inner_text() == "identical to Python to the last bit"
    assert page.evaluate("live.pace") > 1  # it keeps up, also on a machine that is busy


def test_it_knows_when_its_first_frame_was_drawn(opened):
    page = opened()
    wait_for(page, "live.firstFrame !== null")
    assert page.evaluate("live.firstFrame") > 0


def test_exported_files_run_under_any_path(opened, tmp_path):
    export(shipped_files(), tmp_path / "some where" / "page")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    handler.log_message = handler.func.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = opened(f"http://127.0.0.1:{server.server_address[1]}/some%20where/page/")
        wait_for(page, "live.difference === 0", 60)
        page.close()
        server.shutdown()


def test_tasks_and_controllers_switch_while_it_runs(opened):
    page = opened()
    sizes = {"reach": 36, "circle": 64, "follow": 36, "eight": 36, "draw": 36, "plan": 64}
    for task, size in sizes.items():
        page.click(f"[data-task={task}]")
        assert page.evaluate("live.app.simulation.y.length") == size
        settle(page, 0.3)
    page.click("[data-task=reach]")
    page.select_option("#controller", "reach-paper")
    assert page.evaluate("live.app.simulation.y.length") == 12
    assert page.locator("#size").inner_text() == "12-neuron"
    settle(page, 0.3)


def test_the_hand_runs_round_a_circle_that_was_dragged(opened):
    page = opened(hash="#task=circle&circle=-0.05,0.42,0.08,0.4&noise=0")
    drag(page, (-0.05, 0.42), (0.0, 0.42))
    drag(page, (0.08, 0.42), (0.06, 0.42))
    x, y, radius, speed = page.evaluate("live.app.settings.circle")
    assert (x, y, radius, speed) == pytest.approx((0, 0.42, 0.06, 0.4), abs=0.006)
    settle(page, 3)
    for _ in range(5):
        assert math.dist(page.evaluate("live.hand"), (x, y)) == pytest.approx(radius, abs=0.02)
        settle(page, 0.1)
    slide(page, "speed", -0.3)
    assert page.evaluate("live.app.settings.circle[3]") == -0.3


def test_a_drawn_curve_is_followed(opened):
    page = opened(hash="#task=draw&noise=0")
    page.mouse.move(*spot(page, (-0.2, 0.5)))
    page.mouse.down()
    corners = ((-0.05, 0.5), (-0.05, 0.38), (-0.2, 0.38), (-0.2, 0.49))
    for corner in corners:
        page.mouse.move(*spot(page, corner), steps=8)
    page.mouse.up()
    assert page.evaluate("live.app.centre") == pytest.approx([-0.125, 0.44], abs=0.01)
    settle(page, 2)
    assert distance(page) < 0.04


def test_a_push_moves_the_hand(opened):
    page = opened(hash="#task=reach&target=0.1,0.4&noise=0")
    settle(page, 2)
    before = page.evaluate("live.hand")
    elbow, hand = page.evaluate(
        "(() => { const x = live.app.simulation.x; return [[0.3 * Math.cos(x[0]),"
        " 0.3 * Math.sin(x[0])], live.hand]; })()"
    )
    middle = [(a + b) / 2 for a, b in zip(elbow, hand, strict=True)]
    page.mouse.move(*spot(page, middle))
    page.mouse.down()
    page.mouse.move(*spot(page, (middle[0] - 0.1, middle[1])))
    assert page.evaluate("live.app.simulation.force[0]") == pytest.approx(-10, abs=1)
    settle(page, 0.4)
    assert page.evaluate("live.hand")[0] < before[0] - 0.005
    page.mouse.up()
    assert page.evaluate("live.app.simulation.force") == [0, 0]
    settle(page, 2)
    assert distance(page) < 0.03


def test_neurons_and_muscles_are_silenced_and_come_back(opened):
    page = opened(hash="#task=reach&target=0.1,0.4")
    box = page.locator("#network").bounding_box()
    x, y = wait_for(page, "live.neuron(3)")
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.click("#muscles button:nth-child(2)")
    settle(page, 0.5)
    tone = page.evaluate("live.app.simulation.u[1]")
    assert (page.evaluate("live.app.simulation.y[3]"), tone) == (0, 0.002)
    page.mouse.click(box["x"] + x, box["y"] + y)
    assert page.evaluate("live.app.settings.neurons") == []
    page.click("#more summary")
    page.click("#heal")
    assert page.evaluate("live.app.settings.muscles") == []


def test_sliders_change_the_simulation(opened):
    page = opened()
    page.click("#more summary")
    before = page.evaluate("Array.from(live.app.simulation.p)")
    for name, value in (("mass", 1.5), ("strength", 0.8), ("curl", 10), ("load", 1)):
        slide(page, name, value)
        now = page.evaluate("Array.from(live.app.simulation.p)")
        assert now != before, name
        before = now
    slide(page, "noise", 0)
    slide(page, "delay", 0.03)
    assert page.evaluate("[live.app.simulation.noise, live.app.simulation.delay]") == [0, 0.03]
    settle(page, 0.5)
    assert page.evaluate("live.app.simulation.past.length") == 4


def test_two_controllers_are_compared(opened):
    page = opened(hash="#task=reach&target=0.1,0.4&noise=0")
    page.click("#more summary")
    page.select_option("#compare", "reach-paper")
    settle(page, 0.2)
    place = "Array.from(live.app.rival.place.subarray(0, 2))"
    assert page.evaluate(place) != page.evaluate("live.hand")
    settle(page, 2.5)
    assert math.dist(page.evaluate(place), (0.1, 0.4)) < 0.04
    page.click("[data-task=follow]", force=True)
    assert page.evaluate("live.app.rival") is None


def test_any_network_is_shown(opened):
    generator = torch.Generator().manual_seed(0)
    controllers = {}
    for name in ("gru", "mlp"):
        network = build(ModuleConfig(kind=name), TASKS["reach"], Arm(), generator)
        controllers[name] = Checkpoint(network=network, task="reach", arm=Arm())
    with serving(Server(page_files(controllers))) as server:
        page = opened(server.url)
        wait_for(page, "live.difference === 0", 60)
        assert page.locator("[data-task=circle]").is_hidden()
        for name in controllers:
            page.select_option("#controller", name)
            settle(page, 0.3)
            for x in range(750, 1400, 50):
                page.mouse.move(x, 200)
        page.close()


def test_time_stands_still_steps_and_begins_anew(opened):
    page = opened()
    page.keyboard.press("Space")
    time.sleep(0.1)
    before = page.evaluate("live.time")
    time.sleep(0.3)
    assert page.evaluate("live.time") == before
    page.click("#step")
    assert page.evaluate("live.time") == pytest.approx(before + 0.01)
    page.click("#slow")
    assert page.locator("#slow").get_attribute("aria-pressed") == "true"
    page.click("#reset")
    assert page.evaluate("live.time") == 0


def test_the_address_holds_the_state(opened, address):
    page = opened(hash="#task=reach&target=0.1,0.4&noise=0.5&mass=1.2&neurons=2,5&muscles=1")
    assert page.evaluate("live.target") == [0.1, 0.4]
    slide(page, "load", 0.5)
    wait_for(page, "location.hash.includes('load=0.5')")
    again = opened(hash=page.evaluate("location.hash"))
    same = "(({ noise, mass, load, neurons, muscles }) => [noise, mass, load, neurons, muscles])"
    got = again.evaluate(f"{same}(live.app.settings)")
    assert got == [0.5, 1.2, 0.5, [2, 5], [1]]


HASHES = (
    "#task=reach&target=0.1,0.4&noise=0.1&mass=1.2&delay=0.02&neurons=2,5&muscles=1",
    "#task=circle&circle=-0.05,0.42,0.08,0.4&noise=0",
    "#task=eight&pace=0.8",
    "#task=follow&pace=0",
    "#task=draw",
    "#task=plan&plan=clover&neurons=3",
)


@pytest.mark.parametrize("hash", HASHES)
def test_the_lines_of_python_run(opened, hash, capsys):
    lines = opened(hash=hash).evaluate("live.python()")
    exec(compile(lines, "copied", "exec"), {"__name__": "copied"})
    assert re.search("[cm]m from the (target|curve)", capsys.readouterr().out)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (360, 640), (1024, 768), (1440, 900)])
def test_nothing_scrolls_sideways_and_the_arm_comes_first(opened, width, height):
    page = opened(width=width, height=height, has_touch=width < 500)
    sizes = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert sizes[0] == width
    tops = {name: page.locator(f"#{name}").bounding_box()["y"] for name in ("arm", "network")}
    assert tops["arm"] <= tops["network"] or width > 900
    if width > 900:
        assert sizes[1] <= height
    else:
        box = page.locator("#arm").bounding_box()
        assert box["y"] + box["height"] < height
        page.touchscreen.tap(*spot(page, (0.1, 0.45)))
        assert page.evaluate("live.target") == pytest.approx([0.1, 0.45], abs=0.01)


def test_reduced_motion_waits_for_the_user(opened):
    page = opened(reduced_motion="reduce")
    time.sleep(0.4)
    assert page.evaluate("live.time") == 0
    assert page.locator("#pause").inner_text() == "start"
    drag(page, page.evaluate("live.target"), (0.1, 0.4))
    settle(page, 0.5)


def test_everything_explains_itself(opened):
    page = opened(hash="#task=reach&target=-0.1,0.45")
    for selector in ("button", "label", "summary"):
        for element in page.locator(selector).all():
            assert element.get_attribute("title"), element.inner_text()
    page.mouse.move(*spot(page, page.evaluate("live.target")))
    assert "target" in page.locator("#arm").get_attribute("title").lower()


# --- plans ----------------------------------------------------------------------------------------

GAP = """(() => {  // [m] between the hand and the plan's curve
    const [x, y] = live.hand;
    return Math.min(...live.app.plan.curve.map(([a, b]) => Math.hypot(x - a, y - b)));
})()"""


def test_a_plan_draws_its_curve_lap_after_lap(opened):
    page = opened(hash="#task=reach&noise=0")
    page.click("[data-task=plan]")
    assert page.locator("#plan option").all_inner_texts() == ["eight", "clover"]
    page.select_option("#plan", "clover")
    assert page.locator("#speed-label").is_hidden()
    settle(page, 0.3)
    page.keyboard.press("Space")
    advanced = "number => { for (let i = 0; i < number; i++) live.app.advance(); }"
    page.evaluate(advanced, 800)  # two laps
    for _ in range(8):
        assert page.evaluate(GAP) < 0.012
        page.evaluate(advanced, 50)
    page.click("[data-task=reach]")
    assert page.locator("#plan").is_hidden()


def test_a_plan_is_not_moved(opened):
    page = opened(hash="#task=plan&noise=0")
    assert "can't be dragged" in page.locator("#hint").inner_text()
    page.keyboard.press("Space")
    same = "JSON.stringify([live.app.command, live.app.settings.circle, live.app.plan.curve[0]])"
    before = page.evaluate(same)
    x, y, radius, _ = page.evaluate("live.app.command")
    for start in ((x, y), (x + radius, y), (x, y - radius)):
        drag(page, start, (start[0] - 0.05, start[1] + 0.03))
    page.keyboard.press("ArrowUp")
    assert page.evaluate(same) == before
    assert page.evaluate("live.app.simulation.force") == [0, 0]


def test_an_address_holds_the_plan(opened):
    page = opened(hash="#task=plan&plan=clover&controller=circle-paper")
    chosen = "[live.app.settings.task, live.app.plan.name, live.app.controller.name]"
    assert page.evaluate(chosen) == ["plan", "clover", "circle-paper"]
    assert "made for circle: the hand may be off" in page.locator("#hint").inner_text()
    page.select_option("#plan", "eight")  # and with it the controller that it was made for
    wait_for(page, "location.hash.includes('plan=eight')")
    again = opened(hash=page.evaluate("location.hash"))
    assert again.evaluate(chosen) == ["plan", "eight", "circle"]
    unknown = opened(hash="#task=plan&plan=nothing")
    assert unknown.evaluate(chosen) == ["plan", "eight", "circle"]


def test_the_page_opens_with_a_plan_of_the_user(opened, tmp_path):
    reach = {"reach": load_checkpoint("reach")}
    place = np.array([[0.0, 0.42]]).repeat(50, 0)
    path = str(Plan(place, place, task="reach").save(tmp_path / "still.json"))
    with serving(Server(page_files(reach, [path]))) as server:
        page = opened(server.url)
        wait_for(page, "live.difference === 0", 60)
        assert page.locator("[data-task=plan]").get_attribute("aria-pressed") == "true"
        assert page.locator("#plan").is_hidden()  # there is no other
        assert "made for another network" in page.locator("#hint").inner_text()
        settle(page, 1.5)
        assert page.evaluate("live.target") == [0, 0.42] and distance(page) < 0.05
        page.close()
    with serving(Server(page_files(reach))) as server:
        page = opened(server.url, hash="#task=plan&plan=still")
        assert page.locator("[data-task=plan]").is_hidden()
        assert page.evaluate("live.app.settings.task") == "reach"
        page.close()
