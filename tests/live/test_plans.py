"""Plans on the live page: which are shown, their commands, and the lines of Python."""

import json
import re

import gymnasium as gym
import numpy as np
import pytest
import torch
from py_mini_racer import MiniRacer

from arm_env import hand_position, joint_angles
from rnn_controller import Plan, load_checkpoint
from rnn_controller.live.files import page_files
from rnn_controller.live.plans import shown_plans
from rnn_controller.rollouts import pontryagin

CONTROLLERS = {name: load_checkpoint(name) for name in ("reach", "circle", "circle-paper")}
SCRIPTS = ("courses.js", "plans.js", "settings.js", "model.js", "simulation.js")
EXPORTED = r"^export (?:const|function|class) (\w+)|^export {(.*)};"


def own_plan(task="reach", periods=7, hold=0.01, **fields):
    """A plan whose commands differ, near the middle of the workspace."""
    number = np.arange(periods)[:, None]
    place = np.array([0.0, 0.42]) + 0.01 * np.hstack([np.cos(number), np.sin(number)])
    values = place if task == "reach" else np.hstack([place, 0 * number + 0.05, 0 * number])
    return Plan(values, place, hold=hold, task=task, **fields)


@pytest.fixture
def saved(tmp_path):
    def save(name, **fields):
        return str(own_plan(**fields).save(tmp_path / name))

    return save


@pytest.fixture(scope="module")
def script():
    """What some of the page's modules export, in V8, which knows no modules here."""
    engine = MiniRacer()
    files = page_files(CONTROLLERS)
    for name in SCRIPTS:
        text = files[name].decode()
        names = ", ".join(a or b for a, b in re.findall(EXPORTED, text, re.MULTILINE))
        body = re.sub(r"^import .*$|^export ({.*)?", "", text, flags=re.MULTILINE)
        engine.eval(f"const {{ {names} }} = (() => {{ {body} return {{ {names} }}; }})();")
    return lambda code: json.loads(engine.eval(f"JSON.stringify({code})"))


def data_of(files):
    return json.loads(files["data.json"])


# --- which plans ----------------------------------------------------------------------------------


def test_the_shipped_plans_are_shown_with_their_controller():
    data = data_of(page_files(CONTROLLERS))
    assert [plan["name"] for plan in data["plans"]] == ["eight", "clover"]
    assert [plan["madeFor"] for plan in data["plans"]] == [["circle"], ["circle"]]
    assert not data["opensWithPlan"]
    eight = Plan.load("eight")
    assert data["plans"][0]["values"] == eight.values.tolist()
    assert data["plans"][0]["curve"] == eight.curve.tolist()
    others = {"reach": CONTROLLERS["reach"], "circle-paper": CONTROLLERS["circle-paper"]}
    assert data_of(page_files(others))["plans"] == []


def test_plans_of_a_user_come_first(saved):
    path = saved("star.json")
    data = data_of(page_files(CONTROLLERS, [path]))
    assert [plan["name"] for plan in data["plans"]] == ["star", "eight", "clover"]
    assert data["plans"][0]["source"] == path and data["plans"][0]["madeFor"] == []
    assert data["opensWithPlan"]
    public = data_of(page_files(CONTROLLERS, [path], public=True))["plans"]
    assert [plan["source"] for plan in public] == ["star.json", "eight", "clover"]


def test_a_shipped_plan_can_be_named_for_another_controller():
    other = {"circle-paper": CONTROLLERS["circle-paper"]}
    assert list(shown_plans(other, ["clover"])) == ["clover"]
    assert list(shown_plans(CONTROLLERS, ["clover"])) == ["clover", "eight"]


def test_plans_of_one_name_are_called_by_their_paths(saved, tmp_path):
    paths = [saved("star.json"), saved("other/star.json"), saved("eight.json")]
    assert list(shown_plans(CONTROLLERS, paths)) == [*paths, "eight", "clover"]


def test_a_plan_without_a_controller_is_refused(saved):
    path = saved("star.json", task="circle")
    with pytest.raises(ValueError, match=r"star\.json is a plan for circle, .* only reach: name"):
        shown_plans({"reach": CONTROLLERS["reach"]}, [path])


def test_a_plan_that_the_arm_cannot_carry_out_is_refused(tmp_path):
    far = Plan(np.full((5, 2), 3.0), np.full((5, 2), 0.4)).save(tmp_path / "far.json")
    with pytest.raises(ValueError, match=r"far\.json: .* can't reach \[3.0, 3.0\]"):
        shown_plans(CONTROLLERS, [str(far)])


def test_a_plan_is_given_once(saved):
    path = saved("star.json")
    with pytest.raises(ValueError, match="each plan is given once"):
        shown_plans(CONTROLLERS, [path, path])


# --- their commands -------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [0.005, 0.01, 0.02])
@pytest.mark.parametrize("hold", [0.005, 0.01, 0.015, 0.02, 0.025, 0.05])
def test_commands_are_in_force_as_in_the_environment(script, hold, period):
    plan = own_plan(hold=hold)
    env = gym.make("ReachArm-v0", schedule=plan, control_period=period)
    env.reset(seed=0)
    expected = []
    for _ in range(40):
        expected.append(env.unwrapped.simulation.command[0].tolist())
        env.step(np.zeros(6, np.float32))
    env.close()
    given = json.dumps({"hold": hold, "values": plan.values.tolist()})
    periods = f"Array.from({{ length: 40 }}, (_, k) => plannedCommand({given}, {period}, k))"
    assert script(periods) == expected


def test_a_plan_chooses_the_controller_that_it_was_made_for(script):
    for made, before, after in (([], "a", "a"), (["b"], "a", "b"), (["b", "a"], "a", "a")):
        plan, chosen = json.dumps({"task": "reach", "madeFor": made}), json.dumps({"reach": before})
        code = f"((chosen) => {{ chooseFor({plan}, chosen); return chosen; }})({chosen})"
        assert script(code) == {"reach": after}


def test_a_hand_under_a_plan_has_pythons_bits(script):
    checkpoint, plan, periods = CONTROLLERS["circle"], Plan.load("eight"), 400
    network, arm = checkpoint.network, checkpoint.arm
    commands = plan.values[np.arange(periods) % len(plan.values)]
    posture = joint_angles(arm, plan.curve[:1])
    start = np.hstack([posture, np.zeros((1, 8))])
    rest, noise = np.zeros((1, network.state_size)), np.zeros((1, periods, 28))
    given = (torch.from_numpy(a) for a in (start, rest, commands[None], noise))
    expected = pontryagin.rollout(network, arm, *given)[0][0, 1:].detach()
    (data,) = (c for c in data_of(page_files(CONTROLLERS))["controllers"] if c["name"] == "circle")
    shown = json.dumps({"hold": plan.hold, "values": plan.values.tolist()})
    states = script(f"""((data, plan) => {{
        const simulation = new Simulation(data);
        simulation.reset(...{posture[0].tolist()});
        return Array.from({{ length: {periods} }}, (_, k) => {{
            simulation.advance(plannedCommand(plan, simulation.period, k));
            return Array.from(simulation.x);
        }});
    }})({json.dumps(data)}, {shown})""")
    np.testing.assert_array_equal(states, expected)
    distances = plan.distances(hand_position(arm, np.array(states)[300:, :2]))
    assert np.median(distances) < 0.004


# --- lines of Python ------------------------------------------------------------------------------


def lines_of(script, data, name, changes=""):
    shown = json.dumps({key: data[key] for key in ("controllers", "plans", "opensWithPlan")})
    return script(f"""((data) => {{
        const settings = {{ ...defaults(data), task: "plan", plan: {json.dumps(name)} {changes} }};
        const plan = planOf(settings, data);
        const controller = data.controllers.find((c) => c.name === settings.chosen[plan.task]);
        return toPython(settings, controller, [0.8, 1.5], plan);
    }})({shown})""")


@pytest.mark.parametrize("name", ["eight", "clover"])
def test_the_lines_of_python_run_a_shipped_plan(script, capsys, name):
    lines = lines_of(script, data_of(page_files(CONTROLLERS)), name, ", noise: 0, mass: 1.0")
    assert f'plan = Plan.load("{name}")' in lines
    exec(compile(lines, "copied", "exec"), {"__name__": "copied"})
    said = capsys.readouterr().out
    assert float(re.fullmatch(r"(.*) mm from the curve\n", said)[1]) < 10


def test_the_lines_of_python_run_a_plan_of_the_user(script, saved, capsys):
    path = saved("star.json")
    lines = lines_of(script, data_of(page_files(CONTROLLERS, [path])), "star")
    exec(compile(lines, "copied", "exec"), {"__name__": "copied"})
    assert "mm from the curve" in capsys.readouterr().out
