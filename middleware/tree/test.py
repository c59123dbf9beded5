"""The middlewares of all languages together: one tree of calls, through two edges and a store.

    page (Rust) -> Python -> Node -> Go -> Java -> store

The services are attached to the north and the south edge in turn, so that every call comes to
another edge than the one that records the service which makes it. Run by middleware/test.
"""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
ASOF, RUST, GO, JAVA = (os.environ.get(name, "") for name in
                        ("ASOF", "LAYER_RUST", "LAYER_GO", "LAYER_JAVA"))
LAYERS = {
    "rust": [RUST],
    "python": [sys.executable, "-B", str(HERE / "layer.py")],
    "node": ["node", str(HERE / "layer.mjs")],
    "go": [GO],
    "java": ["java", "-XX:TieredStopAtLevel=1", "-cp", JAVA, "Layer"],
}
NAMES = list(LAYERS)
EDGES = ("north", "south")


def free_ports(count):
    """Ports that are free now: the edges and the services must know each other's beforehand."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Tree:
    def __init__(self, folder):
        self.folder, self.processes = Path(folder), []
        ports = iter(free_ports(1 + len(NAMES) + 2 * (3 + len(NAMES))))
        self.store = next(ports)
        self.service = {name: next(ports) for name in NAMES}
        self.ingress, self.admin, self.peer = (
            {edge: next(ports) for edge in EDGES} for _ in range(3))
        self.egress = {(edge, name): next(ports) for edge in EDGES for name in NAMES}

    def start(self):
        self.run(ASOF, "serve", "--data", str(self.folder / "store"), "--listen",
                 f"127.0.0.1:{self.store}", "--log", "warn")
        until("the store", lambda: ask(self.store, "/readyz")[0] == 200)
        self.put("one", "1")
        for edge, other in (EDGES, EDGES[::-1]):
            config = self.folder / f"{edge}.toml"
            config.write_text(self.config(edge, other))
            self.run(ASOF, "edge", "--config", str(config), "--log", "warn")
        for nth, (name, command) in enumerate(LAYERS.items()):
            last = nth + 1 == len(NAMES)
            below = "/-/main/v1/spaces/goods/keys" if last else f"/-/{NAMES[nth + 1]}"
            # The north answers clients and so records the first, which calls through the south.
            egress = self.egress[EDGES[(nth + 1) % 2], name]
            self.run(*command, NAME=name, BELOW=below, PORT=str(self.service[name]),
                     ASOF_EGRESS=f"http://127.0.0.1:{egress}")
        for name in NAMES:
            until(name, lambda: ask(self.service[name], "/executions")[0] == 200)
        for edge in EDGES:
            until(edge, lambda: ask(self.admin[edge], "/readyz")[0] == 200)
            until(edge, lambda: b'"agrees":true' in ask(self.admin[edge], "/report")[2])

    def config(self, edge, other):
        parts = [
            f'listen = "127.0.0.1:{self.ingress[edge]}"',
            f'admin = "127.0.0.1:{self.admin[edge]}"',
            f'peer_listen = "127.0.0.1:{self.peer[edge]}"',
            f'[peers.{other}]\nurl = "http://127.0.0.1:{self.peer[other]}"',
            f'[stores.main]\nurl = "http://127.0.0.1:{self.store}"',
            f'[[ingress.rules]]\nservice = "{NAMES[0]}"',
        ]
        for name in NAMES:
            parts.append(
                f'[services.{name}]\nupstreams = ["http://127.0.0.1:{self.service[name]}"]\n'
                f'egress = "127.0.0.1:{self.egress[edge, name]}"\ntimeout = "30s"\n'
                f'[[services.{name}.routes]]\npath = "/{{*path}}"\nmode = "on"\n'
                f'observed_min = 0\ntrust = true\nshadow = 0')
        return "\n".join(parts) + "\n"

    def run(self, *command, **more):
        self.processes.append(subprocess.Popen(
            command, env={**os.environ, **more}, stdout=subprocess.DEVNULL))

    def stop(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()

    def put(self, key, value):
        """The token of the write."""
        status, headers, body = ask(
            self.store, f"/v1/spaces/goods/keys/{key}", {"Content-Type": "text/plain"}, "PUT", value)
        assert status in (200, 201, 204), (status, body)
        return headers["asof-token"]

    def get(self, path, token=None, edge="north"):
        """What a client is told, and how that came about."""
        headers = {"Asof-Token": token} if token else {}
        status, headers, body = ask(self.ingress[edge], path, headers)
        assert status == 200, (status, body)
        return body.decode(), headers["cache-status"]

    def executed(self):
        return {name: int(ask(self.service[name], "/executions")[2]) for name in NAMES}


def ask(port, path, headers={}, method="GET", body=None):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def until(what, holds):
    for _ in range(600):
        with contextlib.suppress(OSError):
            if holds():
                return
        time.sleep(0.1)
    raise AssertionError(f"{what} does not come up")


def whole(value):
    return "rust(python(node(go(java(%s)))))" % value


STORED, HIT = "asof; fwd=miss; stored", "asof; hit"
ONCE, NEVER = {name: 1 for name in NAMES}, {name: 0 for name in NAMES}


class OneTree(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.tree = Tree(folder)
        self.addCleanup(self.tree.stop)
        self.tree.start()

    def test_the_languages_are_one_tree(self):
        with self.subTest("the first answer is made by all, the second one by nobody"):
            token = self.tree.put("one", "1")
            self.tree.executed()
            self.assertEqual(self.tree.get("/one", token), (whole("1"), STORED))
            self.assertEqual(self.tree.executed(), ONCE)
            text, outcome = self.tree.get("/one", token)
            self.assertEqual((text, outcome[:len(HIT)]), (whole("1"), HIT))
            self.assertEqual(self.tree.executed(), NEVER)
        with self.subTest("a write of something else is nobody's business"):
            token = self.tree.put("two", "2")
            answer = self.tree.get("/one", token)
            self.assertEqual(answer, (whole("1"), "asof; hit; detail=verified"))
            self.assertEqual(self.tree.executed(), NEVER)
        with self.subTest("a write of what was read changes the answer, once"):
            token = self.tree.put("one", "new")
            self.assertEqual(self.tree.get("/one", token), (whole("new"), STORED))
            text, outcome = self.tree.get("/one", token)
            self.assertEqual((text, outcome[:len(HIT)]), (whole("new"), HIT))
            self.assertEqual(self.tree.executed(), ONCE)
        with self.subTest("a client of the other edge gets the same"):
            self.assertEqual(self.tree.get("/one", token, "south")[0], whole("new"))
            self.assertLessEqual(max(self.tree.executed().values()), 1)
            text, outcome = self.tree.get("/one", token, "south")
            self.assertEqual((text, outcome[:len(HIT)]), (whole("new"), HIT))
            self.assertEqual(self.tree.executed(), NEVER)
        for name in NAMES:
            with self.subTest("what loses its context is right, and is not kept", layer=name):
                path = f"/lose-{name}/lost"
                for value in ("a", "b"):
                    token = self.tree.put("lost", value)
                    text, outcome = self.tree.get(path, token)
                    self.assertEqual(text, whole(value))
                    self.assertIn("unstorable", outcome)
                self.assertEqual(self.tree.executed()["rust"], 2)
        with self.subTest("what does not lose it is kept on"):
            self.assertEqual(self.tree.get("/one")[1][:len(HIT)], HIT)


if __name__ == "__main__":
    unittest.main()
