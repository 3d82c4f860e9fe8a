"""The server and the export of the live page."""

import http.client
import re
import socket
import zipfile

import pytest
from pages import own_server, serving, shipped_files

from rnn_controller.checkpoint import Checkpoint, load_checkpoint
from rnn_controller.live import files
from rnn_controller.live.export import export
from rnn_controller.live.server import Server


@pytest.fixture(scope="module")
def server():
    with own_server() as running:
        yield running


def ask(server, path, method="GET"):
    connection = http.client.HTTPConnection(*server.server_address, timeout=10)
    connection.putrequest(method, path)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, response.headers, body


def test_every_file_is_served(server):
    for name, content in shipped_files().items():
        status, headers, body = ask(server, f"/{name}")
        assert (status, body) == (200, content), name
        kind = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
        assert headers["Content-Type"].startswith(kind.get(name.rpartition(".")[2], ""))
        assert int(headers["Content-Length"]) == len(content)
    assert ask(server, "/")[2] == ask(server, "/?x=1")[2] == shipped_files()["index.html"]


def test_the_head_has_no_body(server):
    status, headers, body = ask(server, "/index.html", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == len(shipped_files()["index.html"])


@pytest.mark.parametrize(
    "path",
    ["/x", "/../pyproject.toml", "/%2e%2e/pyproject.toml", "/..%2fserver.py", "//etc/passwd",
     "/./index.html", "/page/../server.py", "/files.py", "index.html", "*", "/index.html/",
     "/\\..\\server.py", "/index.html%00", "http://127.0.0.1/index.html"],
)  # fmt: skip
def test_nothing_else_is_served(server, path):
    status, _, body = ask(server, path)
    assert status == 404
    assert b"import" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
def test_only_reading_is_answered(server, method):
    assert ask(server, "/index.html", method)[0] == 501


def test_it_listens_to_this_machine_only(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.socket.getsockname()[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.server_address[1]}/"


def test_a_busy_port_is_one_sentence(server):
    port = server.server_address[1]
    with pytest.raises(OSError, match=f"^port {port} is in use: choose another with --port"):
        Server(shipped_files(), port)


def test_a_port_is_free_again_after_the_server_ends():
    with own_server() as first:
        port = first.server_address[1]
        assert ask(first, "/")[0] == 200
    with serving(Server(shipped_files(), port)) as second:
        assert ask(second, "/")[0] == 200


def test_a_broken_request_does_not_stop_it(server):
    with socket.create_connection(server.server_address, timeout=10) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        connection.recv(1000)
    assert ask(server, "/")[0] == 200


def test_the_export_has_the_bytes_that_are_served(tmp_path):
    paths = export(shipped_files(), tmp_path / "page")
    assert sorted(path.name for path in paths) == sorted(shipped_files())
    assert {p.name: p.read_bytes() for p in (tmp_path / "page").iterdir()} == shipped_files()
    assert sum(map(len, shipped_files().values())) <= 1_000_000


def test_nothing_is_loaded_from_elsewhere():
    """The only addresses are relative ones, of files that are there; a namespace is none."""
    for name, content in shipped_files().items():
        text = content.decode().replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?://|url\(|@import", text), name
        loaded = re.findall(r'(?:from|import|src=|href=|new URL\() ?"([^"]*)"', text)
        assert {address.removeprefix("./") for address in loaded} <= set(shipped_files()), name


def test_the_page_is_read_from_a_zip(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        for file in files.PAGE.iterdir():
            archive.writestr(f"page/{file.name}", file.read_bytes())
    monkeypatch.setattr(files, "PAGE", zipfile.Path(tmp_path / "package.zip", "page/"))
    reach = {"reach-paper": load_checkpoint("reach-paper")}
    assert files.page_files(reach).keys() == shipped_files().keys()


def test_source_files_are_short():
    for name, content in shipped_files().items():
        if name not in ("model.js", "data.json"):
            assert content.count(b"\n") <= 300, name
            assert max(map(len, content.decode().splitlines())) <= 200, name


def test_a_task_that_the_page_cannot_show_is_refused():
    reach = load_checkpoint("reach")
    other = Checkpoint(network=reach.network, task="reach", arm=reach.arm)
    other.task = "another"
    with pytest.raises(ValueError, match="the page shows reach, circle, follow of the arm"):
        files.page_files({"mine": other})
