"""What belongs to a model, a workspace or a platform, and means nothing, or something else, in another place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failover.engine.plan import Misfit

from .draft import Draft, blocks_of
from .tools import WITHOUT_TOOLS

__all__ = [
    "betas",
    "container",
    "credit",
    "diagnostics",
    "fallbacks",
    "files",
    "geography",
    "retired",
    "speed",
    "thread",
    "tier",
]

_OWN_SCHEDULES = frozenset({"bedrock", "vertex", "google_cloud", None})
"""Platforms that retire models on other days than Anthropic, or of which it is not known."""
_ONLY_OF_THE_API = (
    "fallback-credit-",
    "fast-mode-",
    "message-threads-",
    "server-side-fallback-",
    "thinking-binding-controls-",
)
"""Beginnings of betas that no other platform has."""
_OF_TOOLS = ("advisor-tool-", "code-execution-", "files-api-", "mcp-client-", "skills-", "web-fetch-")
"""Those of what the API runs or keeps itself."""


def retired(draft: Draft) -> str | None:
    """Requests that name a retired model fail, on the platforms that Anthropic operates
    (https://platform.claude.com/docs/en/about-claude/model-deprecations).
    """
    if draft.model is None or draft.model.lifecycle != "retired" or draft.to.platform in _OWN_SCHEDULES:
        return None
    return "model: it is retired"


def thread(draft: Draft) -> Misfit | None:
    """A turn that continues a message thread holds only what is new: the rest is with the model that began it. The
    SDK's helpers send it all again, as the beginning of a new thread, when they are told that the old one is not found
    (https://platform.claude.com/docs/en/build-with-claude/message-threads). A new one is begun by the requested model
    alone, so that no turn of another is continued later.
    """
    kind = draft.get("thread", "type")
    if kind == "continue":
        return Misfit("unfit", "thread: its history is with the requested model", rethread=draft.threads)
    if kind is not None:
        draft.drop("thread", "only the requested model keeps one")
    return None


def container(draft: Draft) -> str | None:
    """A container is its workspace's, and so are skills of one's own; those of Anthropic are wherever there are any
    (https://platform.claude.com/docs/en/build-with-claude/skills-guide).
    """
    wished = draft.get("container")
    if not draft.elsewhere or not wished or draft.pins("container"):
        return None
    if draft.to.whole_api and isinstance(wished, Mapping) and not wished.get("id"):
        skills = wished.get("skills") or []
        if isinstance(skills, list) and all(_is_anthropics(skill) for skill in skills):
            return None
    return "container: another client does not have it"


def _is_anthropics(skill: Any) -> bool:
    return isinstance(skill, Mapping) and skill.get("type") == "anthropic"


def files(draft: Draft) -> str | None:
    """A file is its workspace's (https://platform.claude.com/docs/en/build-with-claude/files)."""
    if draft.elsewhere and any(_names_a_file(block) for block in blocks_of(draft.body)):
        return "file_id: another client does not have the file"
    return None


def _names_a_file(block: Mapping[str, Any]) -> bool:
    source = block.get("source")
    return block.get("type") == "container_upload" or (isinstance(source, Mapping) and source.get("type") == "file")


def geography(draft: Draft) -> str | None:
    """Where a request may be answered is a promise to somebody: it is kept or not made
    (https://platform.claude.com/docs/en/manage-claude/data-residency). Anywhere is no promise.
    """
    wished = draft.get("inference_geo")
    taken = draft.to.whole_api and (draft.model is None or draft.model.inference_geo is not False)
    if not wished or taken or draft.pins("inference_geo"):
        return None
    if wished == "global":
        draft.drop("inference_geo", "not to be had there")
        return None
    return "inference_geo: not to be had there"


def speed(draft: Draft) -> str | None:
    """Few models can be fast, and only on the Claude API (https://platform.claude.com/docs/en/build-with-claude/fast-mode).
    Of one that is not known to be, it is not asked: nothing but time is lost.
    """
    wished = draft.get("speed")
    if wished is None or draft.pins("speed"):
        return None
    if not draft.to.whole_api:
        draft.drop("speed", "not to be had there")
    elif wished == "fast":
        slow = draft.model is not None and draft.model.fast_mode is not True
        if slow or (draft.elsewhere and draft.to.platform == "aws"):
            draft.drop("speed", "fast is not taken")
    return None


def tier(draft: Draft) -> str | None:
    """Capacity that was bought is one platform's (https://platform.claude.com/docs/en/api/service-tiers)."""
    if draft.get("service_tier") is not None and not draft.to.whole_api and not draft.pins("service_tier"):
        draft.drop("service_tier", "not to be had there")
    return None


def diagnostics(draft: Draft) -> str | None:
    """What is said of the cache compares with a request that another client has not seen
    (https://platform.claude.com/docs/en/build-with-claude/prompt-caching).
    """
    if draft.elsewhere and draft.get("diagnostics") is not None and not draft.pins("diagnostics"):
        draft.drop("diagnostics", "another client has not seen the request before")
    return None


def fallbacks(draft: Draft) -> str | None:
    """The API's own fallbacks, which act on refusals, are those of the requested model: a list may not name the model it
    stands beside (https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback). Their beta stays, for
    blocks of type `fallback` in the history.
    """
    if draft.get("fallbacks") is not None and not draft.pins("fallbacks"):
        draft.drop("fallbacks", "they are the requested model's")
    return None


def credit(draft: Draft) -> str | None:
    """A token for a retry is good for the very same request (https://platform.claude.com/docs/en/build-with-claude/fallback-credit)."""
    if draft.get("fallback_credit_token") is not None:
        draft.drop("fallback_credit_token", "it is for the requested model")
    return None


def betas(draft: Draft) -> str | None:
    """Other platforms may refuse a beta that they do not know (https://platform.claude.com/docs/en/api/beta-headers),
    and with it goes what it is for.
    """
    if draft.to.whole_api:
        return None
    before = len(draft.betas)
    draft.drop_betas(*_ONLY_OF_THE_API, *(_OF_TOOLS if draft.to.platform in WITHOUT_TOOLS else ()))
    if len(draft.betas) < before:
        draft.changes.append(f"betas: {before - len(draft.betas)} dropped, not to be had there")
    if draft.get("thinking", "block_binding") is not None and not draft.pins("thinking"):
        draft.put_inner("thinking", "block_binding", None, "thinking.block_binding: dropped, not to be had there")
    return None
