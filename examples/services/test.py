"""Tests of the services, as processes, behind a server that plays their egress."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

HERE = Path(__file__).resolve().parent

FILES = {
    "README.md": b"# Title\n\nsome words <script>alert('x')</script> & \"more\"\n",
    "a b/c?d#e%.txt": "grüße\nno line break at the end".encode(),
    "docs/long.txt": b"".join(b"line %d\n" % i for i in range(1, 101)),
    "empty": b"",
    "src/binary": bytes(range(256)),
}


class Egress(BaseHTTPRequestHandler):
    """Plays the edge: knows the files, forwards to stats under a new context, notes all calls."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    seen = []  # (context, target), in order of arrival
    broken = False

    def do_GET(self):
        context = self.headers.get("asof-context")
        self.seen.append((context, self.path))
        status, kind, body = self.answer(context)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, context):
        if self.broken:
            return 503, "text/plain", b"no"
        url = urlsplit(self.path)
        if url.path.startswith("/-/files/files/"):
            content = FILES.get(unquote(url.path.removeprefix("/-/files/files/")))
            if content is None:
                return 404, "application/problem+json", b"{}"
            time.sleep(0.002)  # so that requests interleave
            return 200, "text/plain", content
        if url.path == "/-/files/list":
            prefix = parse_qs(url.query).get("prefix", [""])[0]
            files = [{"key": key, "bytes": len(FILES[key])} for key in sorted(FILES)
                     if key.startswith(prefix)]
            return 200, "application/json", json.dumps({"files": files}).encode()
        if url.path.startswith("/-/stats/"):
            headers = {"Asof-Context": f"{context}.stats"} if context else {}
            status, got, body = get(STATS, self.path.removeprefix("/-/stats"), headers)
            return status, got["content-type"], body
        return 502, "text/plain", b"no such service"

    def log_message(self, *_):
        pass


class EgressServer(ThreadingHTTPServer):
    request_queue_size = 128


def get(port, target, headers={}):
    with contextlib.closing(connected(port)) as connection:
        return ask(connection, target, headers)


def connected(port):
    return http.client.HTTPConnection("127.0.0.1", port, timeout=20)


def ask(connection, target, headers={}):
    connection.request("GET", target, headers=headers)
    answer = connection.getresponse()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def started(*command):
    environment = {**os.environ, "PORT": "0", "ASOF_EGRESS": f"http://127.0.0.1:{EGRESS}"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line.startswith("listening on 127.0.0.1:"), line
    return process, int(line.rsplit(":", 1)[1])


def setUpModule():
    global EGRESS, STATS, PAGES, PROCESSES
    server = EgressServer(("127.0.0.1", 0), Egress)
    EGRESS = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stats, STATS = started(sys.executable, "-B", str(HERE / "stats.py"))
    pages, PAGES = started("node", str(HERE / "pages.mjs"))
    PROCESSES = [stats, pages]


def tearDownModule():
    for process in PROCESSES:
        process.kill()
        process.wait()
        process.stdout.close()


class Stats(unittest.TestCase):
    def json(self, target, status=200):
        got, headers, body = get(STATS, target)
        self.assertEqual((got, headers["content-type"]), (status, "application/json"), body)
        return json.loads(body)

    def test_a_file(self):
        self.assertEqual(self.json("/stats/docs/long.txt"), {
            "path": "docs/long.txt", "lines": 100, "bytes": 792, "words": 200, "longest_line": 8})
        self.assertEqual(self.json("/stats/empty"), {
            "path": "empty", "lines": 0, "bytes": 0, "words": 0, "longest_line": 0})

    def test_a_name_that_needs_encoding(self):
        self.assertEqual(self.json("/stats/a%20b/c%3Fd%23e%25.txt"), {
            "path": "a b/c?d#e%.txt", "lines": 2, "bytes": 32, "words": 7, "longest_line": 24})

    def test_a_summary(self):
        self.assertEqual(self.json("/summary?prefix=docs/"), {
            "prefix": "docs/", "files": 1, "bytes": 792,
            "largest": [{"key": "docs/long.txt", "bytes": 792}]})
        whole = self.json("/summary")
        self.assertEqual((whole["files"], len(whole["largest"])), (5, 5))
        sizes = [file["bytes"] for file in whole["largest"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))

    def test_what_is_not_there(self):
        self.assertIn("error", self.json("/stats/none", 404))
        Egress.seen.clear()
        for target in ["/stats/", "/stats/../list", "/stats/%2e%2e/list", "/stats/a//b", "/x"]:
            self.assertIn("error", self.json(target, 404))
        self.assertEqual(Egress.seen, [])  # dots lead to no other route of files


class Pages(unittest.TestCase):
    def page(self, target, headers={}, status=200):
        got, answered, body = get(PAGES, target, headers)
        self.assertEqual((got, answered["content-type"]), (status, "text/html; charset=utf-8"))
        return body.decode()

    def test_a_file(self):
        page = self.page("/pages/docs/long.txt")
        self.assertIn("<pre>line 1\n", page)
        self.assertIn("line 20</pre>", page)
        self.assertIn("<th>lines<td>100<tr><th>bytes<td>792", page)
        self.assertIn("<h1>a b/c?d#e%.txt</h1>", self.page("/pages/a%20b/c%3Fd%23e%25.txt"))
        self.page("/pages/src/binary")

    def test_content_is_text(self):
        page = self.page("/pages/README.md")
        self.assertNotIn("<script>", page)
        self.assertIn("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;more", page)

    def test_the_settings(self):
        settings = {"Asof-State-Theme": "dark", "Asof-State-Zone": "Asia/Tokyo"}
        page = self.page("/pages/empty", settings)
        self.assertIn('data-theme="dark"', page)
        self.assertIn("theme dark, zone Asia/Tokyo", page)
        for bad in [{}, {"Asof-State-Theme": '"><b', "Asof-State-Zone": "<b>"}]:
            page = self.page("/pages/empty", bad)
            self.assertIn("theme light, zone UTC", page)
            self.assertNotIn("as of", page)

    def test_the_time_is_shown_in_the_zone(self):
        for zone, shown in [
            ("Europe/Berlin", "2026-11-01 13:00:00"),
            ("-03:30", "2026-11-01 08:30:00"),
            ("Nowhere/At_All", "2026-11-01 12:00:00"),
        ]:
            headers = {"Asof-State-Zone": zone, "As-Of": "2026-11-01T12:00:00.123456Z"}
            self.assertIn(f"as of {shown}", self.page("/pages/empty", headers))

    def test_the_index(self):
        page = self.page("/")
        self.assertIn("<p>5 files, ", page)
        self.assertIn('href="/pages/a%20b/c%3Fd%23e%25.txt">a b/c?d#e%.txt</a> 32 bytes', page)
        self.assertNotIn("README", self.page("/?prefix=docs/"))

    def test_what_is_not_there(self):
        self.page("/pages/none", status=404)
        Egress.seen.clear()
        for target in ["/pages/", "/pages/%2e%2e%2flist", "/pages/a//b", "/pages/%ff", "/x"]:
            self.page(target, status=404)
        self.assertEqual(Egress.seen, [])  # dots lead to no other route of files


class Behind(unittest.TestCase):
    """What the edge relies on."""

    def test_the_context_is_carried_through_all_layers(self):
        Egress.seen.clear()
        get(PAGES, "/pages/empty", {"Asof-Context": "root"})
        self.assertEqual(Egress.seen, [
            ("root", "/-/files/files/empty"),
            ("root", "/-/stats/stats/empty"),
            ("root.stats", "/-/files/files/empty"),
        ])

    def test_interleaved_requests_keep_their_contexts(self):
        Egress.seen.clear()
        names = sorted(FILES)

        def request(i):
            headers = {"baggage": f"a=b,asof=t{i}"} if i % 3 else {}
            target = "/pages/" + quoted(names[i % len(names)])
            return get(PAGES, f"{target}?n={i}", headers)[0]

        with ThreadPoolExecutor(20) as pool:
            self.assertEqual(set(pool.map(request, range(90))), {200})
        expected = []
        for i in range(90):
            context = f"t{i}" if i % 3 else None
            inner = f"t{i}.stats" if i % 3 else None
            name = quoted(names[i % len(names)])
            expected += [(context, f"/-/files/files/{name}"), (context, f"/-/stats/stats/{name}"),
                         (inner, f"/-/files/files/{name}")]
        self.assertEqual(sorted(map(str, Egress.seen)), sorted(map(str, expected)))

    def test_answers_are_functions_of_the_call(self):
        targets = [(STATS, "/stats/README.md"), (PAGES, "/pages/README.md"), (PAGES, "/")]
        for port, target in targets:
            first = get(port, target)
            time.sleep(1.1)  # a Date would differ
            self.assertEqual(get(port, target, {"Cookie": "a=b", "Asof-Context": "t"}), first)

    def test_connections_are_kept(self):
        for port, target in [(STATS, "/stats/none"), (PAGES, "/pages/empty")]:
            with contextlib.closing(connected(port)) as connection:
                ask(connection, target)
                socket = connection.sock
                self.assertIsNotNone(socket)
                ask(connection, target)
                self.assertIs(connection.sock, socket)

    def test_a_refusal_by_the_egress_is_no_answer(self):
        Egress.broken = True
        try:
            targets = [(STATS, "/stats/empty"), (STATS, "/summary"), (PAGES, "/pages/empty")]
            for port, target in targets:
                self.assertEqual(get(port, target)[0], 502)
        finally:
            Egress.broken = False

    def test_health(self):
        for port in [STATS, PAGES]:
            self.assertEqual(get(port, "/healthz")[0], 200)

    def test_an_egress_is_needed(self):
        environment = {k: v for k, v in os.environ.items() if k != "ASOF_EGRESS"}
        for command in [[sys.executable, "-B", "stats.py"], ["node", "pages.mjs"]]:
            done = subprocess.run(
                command, cwd=HERE, env=environment, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (1, "ASOF_EGRESS is not set\n"))

    def test_they_end_when_told_to(self):
        for command in [[sys.executable, "-B", "stats.py"], ["node", "pages.mjs"]]:
            process, port = started(*command[:-1], str(HERE / command[-1]))
            with process, contextlib.closing(connected(port)) as connection:
                ask(connection, "/healthz")  # an idle connection does not hold it
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(timeout=10), 0)


def quoted(name):
    """As encodeURIComponent has it, for the names above."""
    return name.replace("%", "%25").replace(" ", "%20").replace("?", "%3F").replace("#", "%23")


if __name__ == "__main__":
    unittest.main()
