"""Tests of asof_context, over sockets: python3 test.py (needs requests and httpx)."""

import asyncio
import contextlib
import http.server
import os
import sys
import threading
import time
import unittest
import urllib.request
import wsgiref.simple_server
from concurrent.futures import ThreadPoolExecutor
from socketserver import ThreadingMixIn

import httpx
import requests

import asof_context
from asof_context import AsgiContext, WsgiContext

# No proxy of the machine comes between these tests and loopback.
for name in list(os.environ):
    if name.lower().endswith("_proxy"):
        del os.environ[name]


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the context it got, or "none"; /to/URL redirects there."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = ",".join(self.headers.get_all("asof-context", ["none"])).encode("latin-1")
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Threading(http.server.ThreadingHTTPServer):
    # All calls of a test come at once; five may wait by default, and who is sixth is not heard.
    request_queue_size = 128


class ThreadingWsgi(ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class QuietWsgi(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


def started(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


EGRESS = started(Threading(("127.0.0.1", 0), Echo))
FOREIGN = started(Threading(("127.0.0.1", 0), Echo))


@contextlib.contextmanager
def egress(url):
    os.environ["ASOF_EGRESS"] = url
    try:
        yield
    finally:
        del os.environ["ASOF_EGRESS"]


def by_urllib(url, headers={}):
    opener = urllib.request.build_opener(asof_context.UrllibContext())
    with opener.open(urllib.request.Request(url, headers=headers)) as answer:
        return answer.read().decode("latin-1")


SESSION = asof_context.on_requests(requests.Session())
HTTPX = httpx.Client(event_hooks=asof_context.HTTPX_HOOKS, follow_redirects=True)


def by_requests(url, headers={}):
    return SESSION.get(url, headers=headers).text


def by_httpx(url, headers={}):
    return HTTPX.get(url, headers=headers).text


CLIENTS = [by_urllib, by_requests, by_httpx]


def carrying(headers):
    """What http.server gives a handler."""
    message = http.client.HTTPMessage()
    for name, value in headers:
        message[name] = value
    return asof_context.serving(message)


class TakenIn(unittest.TestCase):
    """Which context a request has."""

    def context(self, *headers):
        with carrying(headers):
            return asof_context.current()

    def test_the_header(self):
        self.assertEqual(self.context(("Asof-Context", "1-a-b-c-d")), "1-a-b-c-d")

    def test_the_baggage_member(self):
        self.assertEqual(self.context(("baggage", "x=1, asof = t1 ;p=asof,y=2")), "t1")
        self.assertEqual(self.context(("baggage", "x=1"), ("baggage", "asof=t2")), "t2")
        self.assertIsNone(self.context(("baggage", "x=asof,asofx=1,y=2;asof=3")))

    def test_the_header_goes_before_the_baggage(self):
        self.assertEqual(self.context(("Asof-Context", "h"), ("baggage", "asof=b")), "h")
        self.assertIsNone(self.context(("Asof-Context", "a b"), ("baggage", "asof=b")))

    def test_nothing(self):
        self.assertIsNone(self.context())
        self.assertIsNone(self.context(("traceparent", "00-1-2-01")))

    def test_what_is_no_token_is_refused(self):
        self.assertEqual(self.context(("Asof-Context", "x" * 256)), "x" * 256)
        for bad in ["", "x" * 257, "a b", "a\tb", "a\x7f", "a\xe9", "a\x00"]:
            self.assertIsNone(self.context(("Asof-Context", bad)), repr(bad))
        self.assertIsNone(self.context(("baggage", "asof=" + "x" * 257)))
        self.assertIsNone(self.context(("Asof-Context", "a"), ("Asof-Context", "b")))


class SentOn(unittest.TestCase):
    """Which calls carry it."""

    def test_every_client_carries_it(self):
        for client in CLIENTS:
            with self.subTest(client.__name__), carrying([("Asof-Context", "t")]):
                self.assertEqual(client(EGRESS), "t")

    def test_outside_of_a_request_nothing_is_added(self):
        with carrying([("Asof-Context", "t")]):
            pass
        for client in CLIENTS:
            with self.subTest(client.__name__):
                self.assertEqual(client(EGRESS), "none")

    def test_an_explicit_header_is_left_alone(self):
        for client in CLIENTS:
            with self.subTest(client.__name__), carrying([("Asof-Context", "t")]):
                self.assertEqual(client(EGRESS, {"asof-context": "mine"}), "mine")

    def test_only_the_egress_gets_it(self):
        for client in CLIENTS:
            with self.subTest(client.__name__), carrying([("Asof-Context", "t")]):
                with egress(EGRESS):
                    self.assertEqual(client(EGRESS + "/-/files/x"), "t")
                    self.assertEqual(client(FOREIGN), "none")
                with egress("not a url"):
                    self.assertEqual(client(EGRESS), "none")

    def test_a_redirect_does_not_lead_it_out(self):
        for client in CLIENTS:
            with self.subTest(client.__name__), carrying([("Asof-Context", "t")]), egress(EGRESS):
                self.assertEqual(client(f"{EGRESS}/to/{FOREIGN}"), "none")
                self.assertEqual(client(f"{EGRESS}/to/{EGRESS}"), "t")
                self.assertEqual(client(f"{FOREIGN}/to/{EGRESS}"), "t")

    def test_origins(self):
        with carrying([("Asof-Context", "t")]), egress("http://egress:80"):
            for url in ["http://egress/x", "HTTP://EGRESS:80", "http://user@egress/"]:
                self.assertTrue(asof_context.outgoing(url), url)
            for url in ["https://egress/", "http://egress:81/", "http://egress.evil/",
                        "http://egress:80@evil/", "https://egress:80/", "//egress/", "http://egress:x/"]:
                self.assertFalse(asof_context.outgoing(url), url)


class Interleaved(unittest.TestCase):
    """Many requests at once, each calling twice: none sees the context of another."""

    CALLS = 60

    def expected(self, i):
        return "none" if i % 3 == 0 else f"t{i}"

    def headers(self, i):
        return [{}, {"Asof-Context": f"t{i}"}, {"baggage": f"a=b,asof=t{i}"}][i % 3]

    def test_wsgi(self):
        def app(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            first = by_requests(EGRESS)
            time.sleep(0.01)
            with ThreadPoolExecutor(1) as pool:
                second = pool.submit(asof_context.bound(by_httpx), EGRESS).result()

            def body():  # runs after the application has returned
                yield f"{first} {second} ".encode()
                yield by_urllib(EGRESS).encode()

            return body()

        server = ThreadingWsgi(("127.0.0.1", 0), QuietWsgi)
        server.set_app(WsgiContext(app))
        url = started(server)
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(
                lambda i: requests.get(url, headers=self.headers(i)).text, range(self.CALLS)))
        for i, answer in enumerate(answers):
            self.assertEqual(answer, " ".join([self.expected(i)] * 3))

    def test_wsgi_leaves_a_list_a_list(self):
        body = [b"whole"]
        self.assertIs(WsgiContext(lambda *_: body)({}, None), body)

    def test_wsgi_closes_the_body(self):
        closed = []

        def parts():
            try:
                yield b"x"
            finally:
                closed.append(asof_context.current())

        body = WsgiContext(lambda *_: parts())({"HTTP_ASOF_CONTEXT": "t"}, None)
        next(body)
        body.close()
        self.assertEqual(closed, ["t"])

    def test_asgi(self):
        late = {}

        async def main():
            async with httpx.AsyncClient(event_hooks=asof_context.HTTPX_ASYNC_HOOKS) as client:
                async def after_the_answer(i):
                    await asyncio.sleep(0.02)
                    late[i] = (await client.get(EGRESS)).text

                tasks = []

                async def app(scope, receive, send):
                    if scope["type"] == "lifespan":
                        return
                    first = (await client.get(EGRESS)).text
                    await asyncio.sleep(0.005)
                    second = await asyncio.to_thread(by_requests, EGRESS)
                    tasks.append(asyncio.create_task(after_the_answer(scope["i"])))
                    await send(f"{first} {second}")

                app = AsgiContext(app)

                async def request(i):
                    sent = []

                    async def send(message):
                        sent.append(message)

                    headers = [(k.lower().encode(), v.encode()) for k, v in self.headers(i).items()]
                    # As some servers do: in the task that serves others before and after.
                    await app({"type": "http", "headers": headers, "i": i}, None, send)
                    self.assertIsNone(asof_context.current())
                    return sent

                await app({"type": "lifespan"}, None, None)
                answers = await asyncio.gather(*(request(i) for i in range(self.CALLS)))
                await asyncio.gather(*tasks)
                return answers

        for i, answer in enumerate(asyncio.run(main())):
            self.assertEqual(answer, [" ".join([self.expected(i)] * 2)])
            self.assertEqual(late[i], self.expected(i))

    def test_a_thread_goes_on_after_the_answer(self):
        late = []

        def after_the_answer():
            time.sleep(0.02)
            late.append(by_requests(EGRESS))

        with carrying([("Asof-Context", "t")]):
            thread = threading.Thread(target=asof_context.bound(after_the_answer))
            thread.start()
        thread.join()
        self.assertEqual(late, ["t"])


if __name__ == "__main__":
    print(f"python {sys.version.split()[0]}, requests {requests.__version__}, "
          f"httpx {httpx.__version__}")
    unittest.main()
