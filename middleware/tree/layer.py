"""One layer of the tree that test.py drives: asks the layer below, and wraps what that says.

    NAME=python BELOW=/-/node ASOF_EGRESS=http://127.0.0.1:7491 PORT=9002 python3 layer.py

    GET /KEY             NAME(what the layer below says)
    GET /lose-NAME/KEY   the same, but the layer of that name loses its context
    GET /executions      how often it was asked since this was last asked

The layers in the other languages are the same.
"""

import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
import asof_context  # noqa: E402

NAME, BELOW, EGRESS = (os.environ[name] for name in ("NAME", "BELOW", "ASOF_EGRESS"))

# No proxy of this machine comes between.
carrying = urllib.request.build_opener(asof_context.UrllibContext(), urllib.request.ProxyHandler({}))
losing = urllib.request.build_opener(urllib.request.ProxyHandler({}))
executions = 0


def below(path):
    calls = losing if path.startswith(f"/lose-{NAME}/") else carrying
    try:
        with calls.open(EGRESS + BELOW + path, timeout=20) as answer:
            return answer.read().decode()
    except HTTPError as error:
        return f"[{error.code}]"


class Layer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        global executions
        if self.path == "/executions":
            text, executions = str(executions), 0
        else:
            executions += 1
            with asof_context.serving(self.headers):
                text = f"{NAME}({below(self.path)})"
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Layer).serve_forever()
