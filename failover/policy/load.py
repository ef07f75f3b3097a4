"""Reading a policy: what `failover.document` needs to know of it, and the one that is built in."""

from __future__ import annotations

import functools
import os

from failover.document import Kind, load_document, parse_document
from failover.errors import PolicyError

from .model import Policy

__all__ = ["POLICY_KIND", "default_policy", "load_policy", "parse_policy"]

POLICY_KIND = Kind("policy", example="`version: 1` and `name: my-policy`", model=Policy, error=PolicyError)


def load_policy(path: str | os.PathLike[str]) -> Policy:
    """Read a policy from a YAML file in UTF-8 of at most 1 MiB.

    Raises:
        PolicyError: the file cannot be read, or says something that is not allowed; with every problem of it, each as
            `file:line:column: path: what is wrong, and what is allowed`.
    """
    return load_document(path, POLICY_KIND)


def parse_policy(text: str, name: str = "<policy>") -> Policy:
    """Read a policy from YAML text; `name` stands in the errors for the file.

    Raises:
        PolicyError: as `load_policy`.
    """
    return parse_document(text, name, POLICY_KIND)


@functools.cache
def default_policy() -> Policy:
    """The built-in policy, which `policies/default.yaml` spells out."""
    return Policy(version=1, name="default")
