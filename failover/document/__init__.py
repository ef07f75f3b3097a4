"""How any of our YAML files becomes positioned nodes, plain values and problems.

A policy and a scenario are both written by hand, and are both refused in the same words: every problem at once, each
as `file:line:column: path: what is wrong, and what is allowed`. What a file may say is its `Kind`'s business, not
this package's; it imports nothing else of ours, and nothing else of ours imports a YAML parser.
"""

from .contradictions import Contradictions, Found, refuse
from .kind import Kind
from .read import Placed, check_value, load_document, load_placed, parse_document
from .write import replace_file, written

__all__ = [
    "Contradictions",
    "Found",
    "Kind",
    "Placed",
    "check_value",
    "load_document",
    "load_placed",
    "parse_document",
    "refuse",
    "replace_file",
    "written",
]
