"""Copies the context of a request to the calls made while handling it. Does nothing else.

The edge names every request that it sends to a service with an opaque context, in the header
``Asof-Context`` or, where that is absent, in the ``baggage`` member ``asof``. Calls that carry it
back are recorded as inputs of the answer. This file is one way to carry it; copy it into your
service, it needs nothing but Python 3.9.

Take it in, with whichever of these the service speaks::

    app = AsgiContext(app)                      # Starlette, FastAPI, Quart, Django on ASGI
    app = WsgiContext(app)                      # Flask, Django on WSGI
    with serving(self.headers): ...             # http.server

Send it on, with whichever client it uses::

    session = on_requests(requests.Session())
    client = httpx.Client(event_hooks=HTTPX_HOOKS)
    client = httpx.AsyncClient(event_hooks=HTTPX_ASYNC_HOOKS)
    opener = urllib.request.build_opener(UrllibContext())
    headers.update(outgoing(url))               # anything else

If ``ASOF_EGRESS`` is set, only calls to that origin carry the context.

Work that goes on after the answer carries it too, and that is wanted: the edge then sees a late
call and keeps nothing that depends on it. Tasks and ``asyncio.to_thread`` inherit the context by
themselves; threads and executors do not, so hand them ``bound(function)``.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import re
import urllib.request
from typing import Any, Callable, Iterator, Mapping
from urllib.parse import urlsplit

__all__ = [
    "AsgiContext", "WsgiContext", "serving",
    "on_requests", "HTTPX_HOOKS", "HTTPX_ASYNC_HOOKS", "UrllibContext", "outgoing",
    "bound", "current",
]

HEADER = "Asof-Context"

# Whatever does not look like this was not made by an edge, and may be an attempt to smuggle.
_TOKEN = re.compile(r"[\x21-\x7e]{1,256}")

_context: contextvars.ContextVar[str | None] = contextvars.ContextVar("asof_context", default=None)


def current() -> str | None:
    """The context of the request being handled; None outside of one."""
    return _context.get()


# --- in: from the request ---------------------------------------------------------------------


def _incoming(header: str | None, baggage: str | None) -> str | None:
    """The context that these two header values carry. The header, even a bad one, goes first."""
    if header is None:
        for member in (baggage or "").split(","):
            name, _, value = member.partition(";")[0].partition("=")  # properties follow a ";"
            if name.strip() == "asof":
                header = value
                break
        else:
            return None
    header = header.strip(" \t")
    return header if _TOKEN.fullmatch(header) else None


@contextlib.contextmanager
def serving(headers: Any) -> Iterator[None]:
    """Handles a request with these headers (an ``email.message.Message``, as in http.server)."""

    def joined(name: str) -> str | None:
        values = headers.get_all(name)
        return None if values is None else ", ".join(values)

    reset = _context.set(_incoming(joined("asof-context"), joined("baggage")))
    try:
        yield
    finally:
        _context.reset(reset)


class AsgiContext:
    """ASGI middleware."""

    def __init__(self, app: Callable) -> None:
        self.app = app

    async def __call__(self, scope: Mapping, receive: Callable, send: Callable) -> None:
        if "headers" not in scope:  # lifespan: no request
            return await self.app(scope, receive, send)

        def joined(name: bytes) -> str | None:
            values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
            return ", ".join(values) if values else None

        reset = _context.set(_incoming(joined(b"asof-context"), joined(b"baggage")))
        try:
            await self.app(scope, receive, send)
        finally:
            _context.reset(reset)


class WsgiContext:
    """WSGI middleware.

    The server runs what is left of a streamed body after the application has returned, so the
    whole request runs in a ``contextvars.Context`` of its own, which the body goes back into.
    """

    def __init__(self, app: Callable) -> None:
        self.app = app

    def __call__(self, environ: Mapping, start_response: Callable) -> Any:
        request = contextvars.copy_context()
        header, baggage = environ.get("HTTP_ASOF_CONTEXT"), environ.get("HTTP_BAGGAGE")
        request.run(_context.set, _incoming(header, baggage))
        body = request.run(self.app, environ, start_response)
        # A list is done already, and servers take the Content-Length from it: it stays a list.
        return body if isinstance(body, (list, tuple)) else _Body(request, body)


class _Body:
    def __init__(self, request: contextvars.Context, body: Any) -> None:
        self._request, self._body = request, body
        self._parts = request.run(iter, body)

    def __iter__(self) -> _Body:
        return self

    def __next__(self) -> bytes:
        return self._request.run(next, self._parts)

    def close(self) -> None:
        if hasattr(self._body, "close"):
            self._request.run(self._body.close)


def bound(function: Callable) -> Callable:
    """The function, to be run by another thread under the context of this one."""
    context = current()

    def run(*args: Any, **kwargs: Any) -> Any:
        reset = _context.set(context)
        try:
            return function(*args, **kwargs)
        finally:
            _context.reset(reset)

    return run


# --- out: to the calls ------------------------------------------------------------------------


def outgoing(url: str, headers: Mapping = {}) -> dict[str, str]:
    """What to add to a call of this URL with these headers: the context, or nothing."""
    context = current()
    if context is None or not _is_egress(url):
        return {}
    if any(str(name).lower() == "asof-context" for name in headers):  # the caller knows better
        return {}
    return {HEADER: context}


def _is_egress(url: str) -> bool:
    egress = os.environ.get("ASOF_EGRESS")
    if not egress:
        return True
    origin = _origin(egress)
    return origin is not None and origin == _origin(url)


def _origin(url: str) -> tuple | None:
    """Scheme, host and port; None for what is not an http URL: the context then stays here."""
    try:
        parts = urlsplit(url)
        default = {"http": 80, "https": 443}[parts.scheme]
        return parts.scheme, parts.hostname, parts.port or default
    except (KeyError, ValueError):
        return None


# Clients follow redirects with the headers of the first call. A redirect may lead away from the
# egress, so each of these sets the header for one hop and sees the next one afresh.


def on_requests(session: Any) -> Any:
    """Makes every call of a ``requests.Session`` carry the context; returns the session."""
    for prefix, adapter in list(session.adapters.items()):
        session.mount(prefix, _RequestsAdapter(adapter))
    return session


class _RequestsAdapter:
    """Stands before an adapter of ``requests``, so that its pools and retries stay as they are."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def send(self, request: Any, **options: Any) -> Any:
        added = outgoing(request.url, request.headers)
        if added:
            request = request.copy()  # the session makes the redirected call out of the original
            request.headers.update(added)
        return self._adapter.send(request, **options)


def _on_httpx(request: Any) -> None:
    if request.extensions.pop("asof_context", False):  # a redirected call: added one hop ago
        request.headers.pop(HEADER, None)
    added = outgoing(str(request.url), request.headers)
    if added:
        request.headers.update(added)
        request.extensions["asof_context"] = True


async def _on_httpx_async(request: Any) -> None:
    _on_httpx(request)


HTTPX_HOOKS = {"request": [_on_httpx]}
HTTPX_ASYNC_HOOKS = {"request": [_on_httpx_async]}


class UrllibContext(urllib.request.BaseHandler):
    """A handler for ``urllib.request.build_opener``."""

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        for name, value in outgoing(request.full_url, dict(request.header_items())).items():
            request.add_unredirected_header(name, value)
        return request

    https_request = http_request
