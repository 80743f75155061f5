"""Renders every page with example values, and serves them on loopback.

`PYTHONPATH=tests python tests/browser/preview/render.py` prints where. The page `board` stands at /board, its stream
wherever the page says; what a test puts into `Preview.fragments` is sent there. `silent` is a service that died.
"""

import hashlib
import itertools
import json
import queue
import sys
import threading
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from browser.preview import contexts

SOURCE = Path(__file__).resolve().parents[3] / "src" / "softlanding"
SERVICES = ("schedule", "dispatch", "statistics")
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'"
)
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
QR = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 21 21"><path d="M0 0h7v7H0zM14 0h7v7h-7zM0 14h7v7H0z'
    'M9 2h2v3H9zM8 9h5v2H8zM15 10h4v2h-4zM10 14h2v6h-2zM15 15h5v2h-5z"/></svg>'
)


def render(name: str) -> str:
    template, context = contexts.PAGES[name]
    return environment().get_template(template).render(context())


def environment() -> Environment:
    loader = ChoiceLoader(
        [FileSystemLoader(SOURCE / service / "templates") for service in SERVICES]
        + [FileSystemLoader(SOURCE / "templates")]
    )
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    keys = itertools.count(1)
    made.globals |= {"static": static_address, "key": lambda: f"key-{next(keys)}"}
    made.filters |= {
        "time": in_zone("%H:%M"),
        "day": in_zone("%a %-d %b"),
        "clock_seconds": in_zone("%H:%M:%S"),
        "iso": lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ago": ago,
        "duration": duration,
    }
    return made


def static_address(path: str) -> str:
    return f"/static/{path}?v={hashlib.sha256(static_file(path).read_bytes()).hexdigest()[:8]}"


def static_file(path: str) -> Path:
    service, _, rest = path.partition("/")
    return SOURCE / service / "static" / rest if service in SERVICES else SOURCE / "static" / path


def in_zone(pattern: str) -> Any:
    @pass_context
    def shown(context: Context, at: datetime, zone: str = "") -> str:
        return at.astimezone(ZoneInfo(zone or context["page"].zone or "UTC")).strftime(pattern)

    return shown


@pass_context
def ago(context: Context, at: datetime) -> str:
    return (
        duration(context["page"].now - at).split(" ", 2)[0] + " " + duration(context["page"].now - at).split(" ", 2)[1]
    )


def duration(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    if seconds < 1:
        return f"{round(span.total_seconds() * 1000)} ms"
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


class Preview(ThreadingHTTPServer):
    """The pages on a loopback port. `posted` collects what forms send; `answers` is the status they get."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.fragments: queue.Queue[dict[str, str]] = queue.Queue()
        self.posted: list[dict[str, str]] = []
        self.answers = 200
        self.silent = False
        self.address = f"http://127.0.0.1:{self.server_port}"

    def start(self) -> "Preview":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self


class Handler(BaseHTTPRequestHandler):
    server: Preview

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = path.strip("/")
        if self.server.silent:
            self.answer(503, "text/plain", b"down")
        elif path.endswith("/stream"):
            self.stream()
        elif path == "/qr.svg":
            self.answer(200, "image/svg+xml", QR.encode())
        elif path.startswith("/static/"):
            file = static_file(path.removeprefix("/static/"))
            self.answer(200, TYPES[file.suffix], file.read_bytes())
        elif name in contexts.PAGES:
            self.answer(200, "text/html; charset=utf-8", render(name).encode())
        else:
            links = "".join(f'<li><a href="/{page}">{page}</a></li>' for page in contexts.PAGES)
            self.answer(
                200 if path == "/" else 404, "text/html; charset=utf-8", f"<!doctype html><ul>{links}</ul>".encode()
            )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.posted.append({"path": self.path, "body": body})
        said = {"words": "noted"} if self.server.answers < 400 else {"error": "The desk took this ride back at 14:11."}
        self.answer(self.server.answers, "application/json", json.dumps(said).encode())

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            self.wfile.write(b": beat\n\n")
            while not self.server.silent:
                try:
                    fragment = self.server.fragments.get(timeout=1)
                    self.wfile.write(f"event: fragment\ndata: {json.dumps(fragment)}\n\n".encode())
                except queue.Empty:
                    self.wfile.write(b": beat\n\n")
                self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            return

    def answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", CSP)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: tests read pages, not access lines."""


if __name__ == "__main__":
    preview = Preview(int(sys.argv[1]) if len(sys.argv) > 1 else 8899)
    sys.stdout.write(f"{preview.address}\n")
    preview.serve_forever()
