"""How a test tells the fake API what to do, and how it starts, stops and repeats itself."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import threading
import time

import anthropic
import anyio
import httpx2
import pytest
from anthropic import AsyncAnthropic

import failover.testing
from failover.errors import MissingExtra
from failover.testing import FakeClaude, Fault, ScenarioError, parse_scenario


def ask(fake, model="claude-opus-5-5", path="/v1/messages", **more):
    """The status that one request gets."""
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **more}
    return httpx2.post(fake.url + path, json=body, headers={"x-api-key": "test"}, verify=False).status_code


def scenario(*rules, seed=0):
    return parse_scenario(f"{{name: x, seed: {seed}, faults: [{', '.join(rules)}]}}")


def test_one_model_fails_and_heals(fake_claude):
    fake_claude.fail(model="claude-opus-5-5", status=500)
    assert [ask(fake_claude), ask(fake_claude, "claude-opus-5")] == [500, 200]
    fake_claude.heal("claude-opus-5-5")
    assert ask(fake_claude) == 200
    fake_claude.fail("claude-opus-*", 529)
    assert [ask(fake_claude), ask(fake_claude, "claude-opus-5"), ask(fake_claude, "claude-haiku-4-5")] == [
        529,
        529,
        200,
    ]
    fake_claude.heal()
    assert ask(fake_claude) == 200


def test_the_newest_rule_goes_first_and_times_run_out(fake_claude):
    fake_claude.fail(status=500)
    fake_claude.fail(status=529, times=2)
    assert [ask(fake_claude) for _ in range(4)] == [529, 529, 500, 500]


def test_healing_one_model_leaves_the_others_broken():
    with FakeClaude(scenario("{status: 500}")) as fake:
        fake.heal("claude-opus-*")
        assert [ask(fake), ask(fake, "claude-haiku-4-5")] == [200, 500]
        fake.heal()
        assert ask(fake, "claude-haiku-4-5") == 200


def test_a_script_says_what_the_next_requests_get(fake_claude):
    fake_claude.fail(status=500)
    fake_claude.script("claude-opus-5-5", [Fault(status=529), None])
    fake_claude.script("claude-opus-5-5", [Fault(status=429)])
    assert ask(fake_claude, "claude-opus-5") == 500
    assert [ask(fake_claude) for _ in range(4)] == [529, 200, 429, 500]


def test_a_script_is_for_messages_alone_and_healing_ends_it(fake_claude):
    fake_claude.script("claude-opus-5-5", [Fault(status=529)] * 3)
    assert ask(fake_claude, path="/v1/messages/count_tokens") == 200
    assert ask(fake_claude) == 529
    fake_claude.heal("claude-opus-5-5")
    assert ask(fake_claude) == 200


def test_a_rule_of_streams_leaves_plain_requests_well(fake_claude):
    fake_claude.fail(status=500, stream=True)
    assert [ask(fake_claude), ask(fake_claude, stream=True)] == [200, 500]
    fake_claude.fail(status=529, stream=False)
    assert [ask(fake_claude), ask(fake_claude, stream=True)] == [529, 500]


def test_other_endpoints_fail_only_by_their_path(fake_claude):
    fake_claude.fail(status=500)
    assert [ask(fake_claude), ask(fake_claude, path="/v1/messages/count_tokens")] == [500, 200]
    fake_claude.fail(status=503, path="/v1/*")
    assert [ask(fake_claude), ask(fake_claude, path="/v1/messages/count_tokens")] == [503, 503]
    assert httpx2.get(f"{fake_claude.url}/v1/models", headers={"x-api-key": "k"}, verify=False).status_code == 503


@pytest.mark.parametrize(("speed", "second"), [(1, 1.0), (20, 0.05)])
def test_a_window_opens_and_closes_on_the_scenarios_clock(fake_clock, speed, second):
    with FakeClaude(scenario("{from: 10s, until: 40s, status: 500}"), clock=fake_clock, speed=speed) as fake:
        seen = []
        for _ in range(5):
            seen.append((round(fake.now()), ask(fake)))
            fake_clock.advance(10 * second)
    assert seen == [(0, 200), (10, 500), (20, 500), (30, 500), (40, 200)]
    assert [round(request.time) for request in fake.requests] == [0, 10, 20, 30, 40]


def test_the_first_rule_that_matches_strikes():
    rules = ("{model: claude-opus-5, times: 1, status: 401}", "{model: claude-opus-*, status: 500}", "{status: 529}")
    with FakeClaude(scenario(*rules)) as fake:
        assert [ask(fake, "claude-opus-5"), ask(fake, "claude-opus-5"), ask(fake, "claude-haiku-4-5")] == [
            401,
            500,
            529,
        ]


def test_probability_is_a_share_and_what_it_spares_goes_on_to_the_next_rule():
    with FakeClaude(scenario("{status: 500, probability: 50%, times: 20}", "{status: 529}")) as fake:
        seen = [ask(fake) for _ in range(60)]
    assert seen.count(500) == 20
    assert seen[:20].count(500) in range(3, 18)
    assert set(seen) == {500, 529}


def test_the_same_seed_repeats_dice_and_ids():
    def run(seed):
        with FakeClaude(scenario("{status: 500, probability: 50%}", seed=seed)) as fake:
            return [(ask(fake), fake.requests[-1].request_id) for _ in range(20)]

    assert run(1) == run(1)
    assert [status for status, _ in run(1)] != [status for status, _ in run(2)]


def test_clear_begins_the_scenario_anew(fake_clock):
    with FakeClaude(scenario("{until: 10s, status: 500, probability: 50%}"), clock=fake_clock) as fake:
        first = [ask(fake) for _ in range(20)]
        fake.fail(status=404)
        fake.script("claude-opus-5-5", [Fault(status=401)])
        fake_clock.advance(60)
        fake.clear()
        assert (fake.requests, fake.now()) == ([], 0)
        assert [ask(fake) for _ in range(20)] == first


def test_counting_is_by_model_and_path(fake_claude):
    ask(fake_claude)
    ask(fake_claude, "claude-opus-5")
    ask(fake_claude, "claude-haiku-4-5")
    ask(fake_claude, path="/v1/messages/count_tokens")
    assert fake_claude.count() == 3
    assert fake_claude.count("claude-opus-5") == 1
    assert fake_claude.count("claude-opus-*") == 2
    assert fake_claude.count(path="*") == 4


def test_requests_are_a_copy(fake_claude):
    fake_claude.requests.append(1)
    assert fake_claude.requests == []


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ({}, r"fail\(\): nothing goes wrong"),
        ({"status": 200}, r"fail\(\): status: must be at least 400, not 200"),
        ({"statu": 500}, r"fail\(\): statu: unknown key; did you mean `status`\?"),
        ({"drop": True, "until": 0.0}, r"fail\(\): until: must be more than 0, or `off`, not 0.0"),
        ({"status": 500, "hang": 3}, r"fail\(\): hang: `status` and `hang` cannot strike the same answer"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(fake_claude, rule, what):
    with pytest.raises(ScenarioError, match=what):
        fake_claude.fail(**rule)


def test_a_scenario_is_read_from_its_file(tmp_path):
    path = tmp_path / "outage.yaml"
    path.write_text("{name: x, faults: [{status: 529}]}", encoding="utf-8")
    with FakeClaude(path) as fake:
        assert ask(fake) == 529
    with pytest.raises(ScenarioError, match=r"missing\.yaml: there is no such file"):
        FakeClaude(str(tmp_path / "missing.yaml"))


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_refused(speed):
    with pytest.raises(ValueError, match="speed must be a number above 0"):
        FakeClaude(speed=speed)


def test_without_a_start_there_is_no_address():
    fake = FakeClaude()
    with pytest.raises(RuntimeError, match=r"not running: use it in a `with` statement, or call `start\(\)` first"):
        _ = fake.url
    fake.stop()


def test_it_can_be_started_again():
    fake = FakeClaude().start()
    assert fake.start() is fake
    assert ask(fake) == 200
    fake.stop()
    fake.stop()
    assert fake.count() == 1
    with fake:
        assert fake.count() == 0
        assert ask(fake) == 200


def test_several_run_side_by_side():
    with FakeClaude() as one, FakeClaude() as other:
        one.fail(status=500)
        assert [ask(one), ask(other)] == [500, 200]


@pytest.mark.parametrize(
    "fault",
    [{"hang": 60}, {"stall": 60}, {"first_token": 60}, {"delay": 60}, {"stall": 60, "ping_every": 0.001}],
    ids=str,
)
def test_it_stops_at_once_while_requests_hang(fault):
    async def main():
        fake = FakeClaude().start()
        fake.fail(**fault)
        errors = []

        async def hang(client, stream):
            try:
                answer = await client.messages.create(
                    model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}], stream=stream
                )
                async for _ in answer:
                    pass
            except (anthropic.APIConnectionError, httpx2.RemoteProtocolError) as error:
                errors.append(error)

        client = AsyncAnthropic(base_url=fake.url, api_key="test", max_retries=0, timeout=30)
        async with client, anyio.create_task_group() as tasks:
            for index in range(10):
                tasks.start_soon(hang, client, index % 2 == 0)
            while fake.count() < 10:
                await anyio.lowlevel.checkpoint()
            began = time.perf_counter()
            fake.stop()
            elapsed = time.perf_counter() - began
        return errors, elapsed

    errors, elapsed = anyio.run(main)
    assert len(errors) == 10
    assert elapsed < 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fake-claude")]


def test_it_stops_in_the_middle_of_traffic():
    for _ in range(5):
        fake = FakeClaude().start()
        started, refused = threading.Event(), []

        def hammer(url=fake.url, started=started, refused=refused):
            while not refused:
                try:
                    httpx2.get(f"{url}/v1/models", headers={"x-api-key": "k"}, verify=False)
                    started.set()
                except httpx2.TransportError as error:  # noqa: PERF203 - the loop is for that
                    refused.append(error)

        threads = [threading.Thread(target=hammer) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert started.wait(timeout=10)
        fake.stop()
        for thread in threads:
            thread.join(timeout=10)
        assert refused


def test_threads_lose_no_request_and_no_strike(fake_claude):
    fake_claude.fail(status=500, times=40)
    seen = []

    def worker():
        with httpx2.Client(headers={"x-api-key": "k"}, verify=False) as client:
            body = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
            seen.extend(client.post(f"{fake_claude.url}/v1/messages", json=body).status_code for _ in range(25))

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (seen.count(500), seen.count(200)) == (40, 160)
    assert len({request.request_id for request in fake_claude.requests}) == 200


def test_it_leaves_the_callers_dice_and_logging_alone():
    random.seed(5)
    before = random.getstate()
    handlers = list(logging.getLogger().handlers)
    with FakeClaude() as fake:
        ask(fake)
    assert random.getstate() == before
    assert logging.getLogger().handlers == handlers


def test_a_missing_extra_is_named(monkeypatch):
    for module in ("server", "app", "perform", "wire"):
        monkeypatch.delitem(sys.modules, f"failover.testing.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtra, match=r"FakeClaude needs uvicorn: pip install 'anthropic-failover\[testing\]'"):
        FakeClaude()


def test_the_clock_and_the_plugin_need_no_web_server():
    program = """
import sys
sys.modules["starlette"] = sys.modules["uvicorn"] = None
import failover.testing.plugin
assert "failover.testing.clock" not in sys.modules
from failover.testing import FakeClaude, FakeClock, Scenario
FakeClock().sleep(1)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


def test_the_package_names_what_it_offers():
    assert [name for name in failover.testing.__all__ if not hasattr(failover.testing, name)] == []
    assert dir(failover.testing) == failover.testing.__all__
    with pytest.raises(AttributeError, match="has no attribute 'FakeClod'"):
        _ = failover.testing.FakeClod
