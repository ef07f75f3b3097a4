"""Prompts to be made smaller: the loops of agents and chats, of any length."""

from __future__ import annotations

from conversing import text, tool_result, tool_use

from failover.policy.shrinking import Step

__all__ = [
    "CLEARED",
    "LONG",
    "NO_DOCUMENT",
    "NO_IMAGE",
    "assistant",
    "body",
    "chat",
    "loop",
    "results",
    "spoken",
    "step",
    "user",
]

LONG = "word " * 2_000
CLEARED = "[Old result removed to make the prompt smaller]"
NO_IMAGE = text("[Image removed to make the prompt smaller]")
NO_DOCUMENT = text("[Document removed to make the prompt smaller]")


def user(*content):
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}


def assistant(*content):
    return {"role": "assistant", "content": content[0] if isinstance(content[0], str) else list(content)}


def body(*messages, **fields):
    return {"model": "claude-opus-5", "max_tokens": 1024, "messages": list(messages), **fields}


def step(kind, **rule):
    return Step(**{kind: rule})


def loop(rounds, *, result=LONG, **fields):
    """An agent's: a task, and rounds of a call and its result."""
    messages = [user("The task.")]
    for number in range(rounds):
        messages += [assistant(tool_use(f"t{number}")), user(tool_result(f"t{number}", result))]
    return body(*messages, **fields)


def chat(turns):
    """A user's words and the answers to them; the last words have none yet."""
    messages = [user("Words 0.")]
    for number in range(1, turns):
        messages += [assistant(LONG), user(f"Words {number}.")]
    return body(*messages)


def spoken(shrunken):
    """What users say, without results of tools."""
    return [message["content"] for message in shrunken.body["messages"] if isinstance(message["content"], str)]


def results(shrunken):
    return [
        block["content"]
        for message in shrunken.body["messages"]
        if message["role"] == "user" and not isinstance(message["content"], str)
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
