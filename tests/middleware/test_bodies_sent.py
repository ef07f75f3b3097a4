"""What leaves for each model: the caller's own request for the first, one shallow copy with its patch for another."""

from __future__ import annotations

import json

import pytest
from sdk_callers import CALL, FIRST, NO_REPEAT, Watcher, ladder, policy


class TestTheBodyThatIsSent:
    @pytest.fixture
    def bodies(self, connect, fake_claude):
        """Calls with a policy's rungs, and gives what the caller handed in and what left for each attempt."""

        def run(*rungs, **fields):
            caller = connect(policy(retry=NO_REPEAT, ladders=ladder(*rungs)), middleware=[outer := Watcher()])
            caller.client = caller.client.with_middleware(inner := Watcher())
            fake_claude.fail(FIRST, 529)
            caller.create(**fields)
            return outer.requests[0].json, [request.json for request in inner.requests]

        return run

    def test_is_the_callers_own_for_the_first_model(self, bodies):
        given, (first, _) = bodies("claude-b")
        assert first is given

    def test_shares_all_of_a_prompt_with_the_next(self, bodies):
        given, (_, second) = bodies("claude-b", system=[{"type": "text", "text": "Be kind."}])
        assert second is not given
        assert second["messages"] is given["messages"]
        assert second["system"] is given["system"]
        assert second == {**given, "model": "claude-b"}
        assert given["model"] == FIRST

    def test_has_the_rungs_patch(self, bodies):
        patch = {"max_tokens": 8, "metadata": None, "service_tier": "standard_only", "output_config": {"effort": "low"}}
        given, (first, second) = bodies({"model": "claude-b", "set": patch}, metadata={"user_id": "u"})
        assert first is given
        assert second == {
            "model": "claude-b",
            "max_tokens": 8,
            "messages": CALL["messages"],
            "service_tier": "standard_only",
            "output_config": {"effort": "low"},
        }
        assert given == {**CALL, "metadata": {"user_id": "u"}}

    def test_keeps_what_a_patch_of_output_config_does_not_name(self, bodies):
        schema = {"type": "json_schema", "schema": {"type": "object", "properties": {}, "additionalProperties": False}}
        config = {"effort": "high", "format": schema}
        given, (_, second) = bodies(
            {"model": "claude-b", "set": {"output_config": {"effort": None, "task_budget": 5}}}, output_config=config
        )
        assert second["output_config"] == {"format": schema, "task_budget": 5}
        assert second["output_config"]["format"] is given["output_config"]["format"]
        assert given["output_config"] == config

    def test_takes_an_unset_output_config_away(self, bodies):
        _, (_, second) = bodies({"model": "claude-b", "set": {"output_config": None}}, output_config={"effort": "high"})
        assert "output_config" not in second

    def test_never_hears_of_an_earlier_rungs_patch(self, connect, fake_claude):
        rungs = ladder({"model": "claude-b", "set": {"max_tokens": 8}}, {"model": "claude-c", "set": {"top_k": 3}})
        caller = connect(policy(retry=NO_REPEAT, ladders=rungs))
        fake_claude.fail(FIRST, 529)
        fake_claude.fail("claude-b", 529)
        caller.create()
        assert [(request.body["max_tokens"], request.body.get("top_k")) for request in fake_claude.requests] == [
            (64, None),
            (8, None),
            (64, 3),
        ]

    def test_leaves_the_arguments_of_the_caller_alone(self, caller, fake_claude):
        fake_claude.fail(FIRST, 529)
        fields = {**CALL, "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}
        before = json.dumps(fields)
        caller.create(**fields)
        assert json.dumps(fields) == before
