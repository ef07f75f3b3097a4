"""A picture as a part of a page: its colours are the page's, and it says in words what it shows."""

from __future__ import annotations

import re
from html import escape

from failover.document.files import printable

from .timeline import Timeline
from .words import clock

__all__ = ["COLOURS", "for_a_page"]

COLOURS = {
    "answer": "#0072b2",
    "failure": "#c44601",
    "open": "#9f2f00",
    "half": "#e69f00",
    "closed": "#d9e4dd",
    "incident": "#8a5a9e",
    "ink": "#1f2328",
    "faint": "#59636e",
    "grid": "#d8dee4",
    "page": "#ffffff",
}
"""What each variable `--NAME` of the style sheet is in a light scheme; from Okabe and Ito's palette, some made darker."""

_NAMES = {value: name for name, value in COLOURS.items()}


def for_a_page(svg: str, timeline: Timeline) -> str:
    """Without what belongs to a file of its own; with a title, a description, and the page's variables for colours."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    tag, rest = body.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', tag)
    places = ", ".join(printable(lane.place) for lane in timeline.lanes)
    describing = (
        f"From {clock(timeline.start)} to {clock(timeline.end)} UTC, for each of {places}: answers and failed attempts"
        " as bars, and below them when its circuit was closed, half open or open. The facts are told in words below."
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f' {box[0] if box else ""} class="timeline" role="img" aria-labelledby="timeline-title timeline-text">'
        f'<title id="timeline-title">Timeline per model</title><desc id="timeline-text">{escape(describing)}</desc>'
    )
    return head + re.sub(r"<[a-z][^>]*>", _tag_with_variables, rest)


def _tag_with_variables(tag: re.Match[str]) -> str:
    """Only within tags: a text may hold whatever a model is called."""
    return re.sub(r'(style|fill|stroke)="[^"]*"', _with_variables, tag[0])


def _with_variables(attribute: re.Match[str]) -> str:
    """`fill: #0072b2` becomes `fill: var(--answer, #0072b2)`."""
    written = re.sub(r"#[0-9a-f]{6}", lambda colour: _variable(colour[0]), attribute[0])
    if attribute[1] != "style":  # a variable is sure to be understood in a style only
        written = f'style="{attribute[1]}: {written.split(chr(34))[1]}"'
    return written


def _variable(colour: str) -> str:
    return f"var(--{_NAMES[colour]}, {colour})" if colour in _NAMES else colour
