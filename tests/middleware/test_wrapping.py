"""`wrap` and `Failover` themselves: what they take, what they refuse, and what they leave alone."""

from __future__ import annotations

import anthropic
import httpx2
import pytest
from anthropic import Anthropic
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, make_client, policy

import failover
from failover import Failover, FailoverError, PolicyError

YAML = "version: 1\nname: mine\nretry: {tries: 1, passes: 1}\n"


@pytest.fixture
def client(fake_claude):
    with make_client(fake_claude.url, asynchronous=False) as client:
        yield client


@pytest.fixture
def policy_file(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(YAML)
    return path


def guard_of(client):
    (guard,) = (entry for entry in client._middleware if isinstance(entry, Failover))
    return guard


def test_without_a_policy_it_is_the_default_one(client):
    assert guard_of(failover.wrap(client)).policy is failover.default_policy()


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_policy_is_read_from_a_file(client, policy_file, kind):
    assert guard_of(failover.wrap(client, kind(policy_file))).policy.name == "mine"
    assert Failover(kind(policy_file)).policy.retry.tries == 1


def test_a_policy_may_be_a_value(client):
    mine = failover.parse_policy(YAML)
    assert guard_of(failover.wrap(client, mine)).policy is mine


def test_a_policy_that_cannot_be_used_is_refused_at_once(client, tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("version: 1\nname: mine\nretries: 3\n")
    with pytest.raises(PolicyError, match=r"broken\.yaml:3:1: retries"):
        failover.wrap(client, path)
    with pytest.raises(PolicyError, match=r"nowhere\.yaml"):
        Failover(tmp_path / "nowhere.yaml")


def test_the_client_itself_is_left_as_it_was(client, fake_claude, monkeypatch):
    monkeypatch.setattr("anthropic._base_client.INITIAL_RETRY_DELAY", 0.0)
    wrapped = failover.wrap(client)
    fake_claude.fail(FIRST, 529)
    assert wrapped.messages.create(**CALL).model == SECOND
    with pytest.raises(anthropic.OverloadedError) as raised:
        client.messages.create(**CALL)
    assert fake_claude.count(FIRST) == 1 + 3
    assert failover.route(raised.value) is None


def test_both_share_their_connections(client):
    wrapped = failover.wrap(client)
    assert wrapped._client is client._client


@pytest.mark.parametrize("what", [None, "claude", httpx2.Client, Anthropic, object()])
def test_something_else_than_a_client_is_refused(what):
    with pytest.raises(TypeError, match=r"wrap\(\) takes a client"):
        failover.wrap(what)


def test_a_client_is_wrapped_once(client):
    wrapped = failover.wrap(client)
    for again in (wrapped, wrapped.with_options(timeout=3), client.with_middleware(Failover())):
        with pytest.raises(FailoverError, match="wrapped already"):
            failover.wrap(again)


@pytest.mark.parametrize(
    "options", [{"listeners": [print]}, {"breaker_listeners": [object()]}, {"breaker_storage": print}]
)
def test_options_belong_to_the_guard_that_is_shared(client, options):
    with pytest.raises(TypeError, match="to the Failover that you share"):
        failover.wrap(client, Failover(), **options)


@pytest.mark.parametrize("listener", [None, "print", 5])
def test_a_listener_that_cannot_be_called_is_refused_at_once(client, listener):
    with pytest.raises(TypeError, match=r"listeners\[0\]"):
        failover.wrap(client, listeners=[listener])


def test_two_clients_may_share_a_guard_and_two_guards_share_nothing(client, fake_claude):
    guard = Failover(policy(retry=NO_REPEAT))
    one, two, other = failover.wrap(client, guard), failover.wrap(client, guard), failover.wrap(client)
    fake_claude.fail(FIRST, 529, times=2)
    one.messages.create(**CALL)
    two.messages.create(**CALL)
    other.messages.create(**CALL)
    assert guard.board[FIRST].pybreaker.fail_counter == 2
    assert guard_of(other).board[FIRST].pybreaker.fail_counter == 0


def test_a_guard_shows_its_policy_and_its_circuits(client):
    guard = Failover()
    assert repr(guard) == "<Failover default: <Board no breakers yet>>"
    failover.wrap(client, guard).messages.create(**CALL)
    guard.board[FIRST].isolate()
    assert repr(guard) == f"<Failover default: <Board {FIRST}: open, {SECOND}: closed>>"


def test_a_circuit_that_nobody_asked_for_has_no_entry_on_the_board(client):
    wrapped = failover.wrap(client)
    wrapped.messages.create(**CALL)
    board = guard_of(wrapped).board
    assert [breaker.name for breaker in board.breakers()] == [FIRST, SECOND]
    with pytest.raises(KeyError, match=f"no circuit 'claude-x'; circuits that calls have asked for: {SECOND}, {FIRST}"):
        board["claude-x"]
