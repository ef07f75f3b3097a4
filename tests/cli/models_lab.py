"""A Models API that says what a test wants it to say, page by page."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse

YES, NO = {"supported": True}, {"supported": False}


def supported(*names, among):
    return {"supported": bool(names), **{name: YES if name in names else NO for name in among}}


def info(name, **said):
    """What the API says of a model of which nothing else is known."""
    nothing = {"line": None, "max_input_tokens": None, "max_tokens": None, "capabilities": None, "retires_at": None}
    fixed = {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}
    return {**fixed, **nothing, "deprecated_at": None, "lifecycle": "active", **said}


def capabilities(**said):
    return {
        "batch": YES,
        "citations": YES,
        "code_execution": YES,
        "context_management": supported("compact_20260112", among=("clear_thinking_20251015", "compact_20260112")),
        "effort": supported("low", "max", among=("low", "medium", "high", "max")),
        "image_input": YES,
        "pdf_input": NO,
        "server_tools": supported("web_search", among=("web_search", "code_execution")),
        "structured_outputs": YES,
        "thinking": {**YES, "types": supported("disabled", "adaptive", among=("enabled", "disabled", "adaptive"))},
        **said,
    }


class ModelsApi(http.server.ThreadingHTTPServer):
    """On loopback, in a `with` block: one model on each page."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.models = []
        self.status = 200
        self.asked = []
        self.keys = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *raised):
        self.shutdown()
        super().__exit__(*raised)

    def page(self, after):
        names = [model["id"] for model in self.models]
        at = names.index(after) + 1 if after else 0
        data = self.models[at : at + 1]
        more = at + 1 < len(names)
        return {"data": data, "has_more": more, "first_id": None, "last_id": names[at] if data else None}


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        self.server.asked.append(url.path)
        self.server.keys.append(self.headers.get("authorization") or self.headers.get("x-api-key"))
        after = dict(urllib.parse.parse_qsl(url.query)).get("after_id")
        well = self.server.status == 200
        said = (
            self.server.page(after)
            if well
            else {"type": "error", "error": {"type": "x", "message": self.server.keys[-1]}}
        )
        body = json.dumps(said).encode()
        self.send_response(self.server.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("request-id", "req_1")
        self.send_header("x-should-retry", "false")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
