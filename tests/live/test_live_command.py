"""The command ``python -m rnn_controller live``."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import webbrowser

import pytest

from rnn_controller import commands
from rnn_controller.commands.live import Live, chosen, shipped
from rnn_controller.live.server import Server

LIVE = (sys.executable, "-m", "rnn_controller", "live")


def run(*options, **keywords):
    return subprocess.run(
        [*LIVE, *map(str, options)], capture_output=True, text=True, timeout=120, **keywords
    )


def test_it_exports_only_the_controllers_asked_for(tmp_path):
    result = run("reach-paper", "--export", tmp_path / "page")
    assert result.returncode == 0, result.stderr
    assert str(tmp_path / "page" / "index.html") in result.stdout
    data = (tmp_path / "page" / "data.json").read_text()
    assert re.findall(r'"name":"([^"]*)"', data) == ["reach-paper"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["nothing"], "there is no checkpoint 'nothing'"),
        (["reach", "reach"], "two controllers are called 'reach'"),
        (["--port", "70000"], "port"),
        (["--export", ""], "empty"),
        (["--plan", ""], "there is no plan ''"),
        (["reach-paper", "--plan", "eight"], "eight is a plan for circle, and the page shows no"),
        (["reach-paper", "--plan", "star.json"], "there is no plan 'star.json'; give the path of"),
        (["reach-paper", "--plan", __file__], "test_live_command.py is no plan"),
    ],
)
def test_what_is_wrong_is_one_sentence(said, options, words, monkeypatch):
    def serve(self, *_):
        raise AssertionError("a server has begun")

    monkeypatch.setattr(Server, "__init__", serve)
    assert words in said(*options, "--no-browser")


def test_plans_are_written_into_the_page(monkeypatch, tmp_path):
    """The option is repeated."""
    monkeypatch.setattr(
        sys, "argv",
        ["rnn_controller", "live", "circle-paper", "--export", str(tmp_path), "--plan", "clover",
         "--plan", "eight"],
    )  # fmt: skip
    commands.main()
    data = json.loads((tmp_path / "data.json").read_text())
    assert [plan["name"] for plan in data["plans"]] == ["clover", "eight"]


def test_a_busy_port_is_one_line(said):
    with socket.create_server(("127.0.0.1", 0)) as other:
        text = said("reach-paper", "--no-browser", "--port", str(other.getsockname()[1]))
    assert re.fullmatch(r"error: port \d+ is in use: .*\n?", text)


@pytest.fixture
def said(monkeypatch, capsys):
    """Run the command with wrong options in this process; return what it says."""

    def call(*options):
        monkeypatch.setattr(sys, "argv", ["rnn_controller", "live", *options])
        with pytest.raises(SystemExit) as end:
            commands.main()
        out, err = capsys.readouterr()
        assert end.value.code and "Traceback" not in err
        return out + err + (end.value.code if isinstance(end.value.code, str) else "")

    return call


def test_it_serves_until_ctrl_c():
    with subprocess.Popen(
        [*LIVE, "reach-paper", "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:  # fmt: skip
        said = process.stdout.readline()
        host, port = re.search(r"http://([\d.]+):(\d+)/", said).groups()
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("GET", "/")
        assert b"<title>" in connection.getresponse().read()
        connection.close()
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == "interrupted\n"


def test_it_opens_a_browser_or_says_the_address(monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) and False)
    monkeypatch.setattr(
        "rnn_controller.live.server.Server.serve_forever", lambda self: threading.Event()
    )
    Live(("reach-paper",), port=0).run()
    said = capsys.readouterr().out
    assert opened and opened[0] in said
    assert "open this address in a browser" in said


def test_all_shipped_controllers_are_the_default():
    names = shipped()
    assert names[:3] == ["reach", "circle", "follow"]
    assert list(chosen(names)) == names
