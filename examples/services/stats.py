"""Counts lines and words of the files of an imported repository, which it reads through its egress.

    ASOF_EGRESS=http://127.0.0.1:7491 PORT=9002 python3 stats.py

    GET /stats/PATH          {"path", "lines", "bytes", "words", "longest_line"}
    GET /summary?prefix=P    {"prefix", "files", "bytes", "largest": [at most 5]}
    GET /healthz

Every answer is a function of the call and of what `files` answers: it holds no state, and looks at
no clock. That is all that it takes to be cached without ever being told of a change.
"""

import json
import os
import signal
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, quote, unquote, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "middleware" / "python"))
import asof_context  # noqa: E402

EGRESS = os.environ.get("ASOF_EGRESS") or sys.exit("ASOF_EGRESS is not set")

# The egress is reached directly, whatever proxy this machine has for the rest of the world.
calls = urllib.request.build_opener(
    asof_context.UrllibContext(), urllib.request.ProxyHandler({})
)


class Refused(Exception):
    """An answer that is not a 200."""

    def __init__(self, status, error):
        self.status, self.error = status, error


def call(path):
    """The body that `files` answers with."""
    try:
        with calls.open(f"{EGRESS.rstrip('/')}/-/files/{path}", timeout=10) as answer:
            return answer.read()
    except HTTPError as error:
        if error.code == 404:
            raise Refused(404, "no such file") from error
        raise Refused(502, f"files answered {error.code}") from error
    except (URLError, OSError) as error:
        raise Refused(502, "files did not answer") from error


def stats(path):
    segments = unquote(path).split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise Refused(404, "no such file")  # no file of a repository is called so
    # Encoded as encodeURIComponent does it, so that all services name a file alike.
    content = call("files/" + "/".join(quote(segment, safe="!'()*") for segment in segments))
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()  # what follows the last line break is no line
    return {
        "path": "/".join(segments),
        "lines": len(lines),
        "bytes": len(content),
        "words": len(content.split()),
        "longest_line": max(map(len, lines), default=0),
    }


def summary(prefix):
    # `files` lists 1,000 at most, so a summary of more is one of the first 1,000.
    files = json.loads(call("list?prefix=" + quote(prefix, safe="")))["files"]
    return {
        "prefix": prefix,
        "files": len(files),
        "bytes": sum(file["bytes"] for file in files),
        "largest": sorted(files, key=lambda file: (-file["bytes"], file["key"]))[:5],
    }


def answer(target):
    """Status and JSON for the target of a GET."""
    url = urlsplit(target)
    try:
        if url.path.startswith("/stats/"):
            return 200, stats(url.path.removeprefix("/stats/"))
        if url.path == "/summary":
            return 200, summary(parse_qs(url.query).get("prefix", [""])[0])
        if url.path == "/healthz":
            return 200, {"status": "ok"}
        return 404, {"error": "no such route"}
    except Refused as refused:
        return refused.status, {"error": refused.error}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive
    timeout = 60  # of an idle connection, in seconds
    wbufsize = -1  # head and body leave together, or the second waits for an acknowledgement

    def do_GET(self):
        with asof_context.serving(self.headers):
            status, value = answer(self.path)
        body = (json.dumps(value, ensure_ascii=False) + "\n").encode()
        # Not send_response, which adds a Date: the answer is the same whenever it is asked for.
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128


def main():
    server = Server(("127.0.0.1", int(os.environ.get("PORT", "0"))), Handler)
    # From a thread: shutdown waits for the loop that the signal interrupts.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on 127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
