"""What `clients=` takes, and what is said at once of what it cannot take: not at the first outage."""

from __future__ import annotations

import gc
import weakref

import anthropic
import anyio
import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic
from named_lab import BACKUP, OWN_KEY, rung, to_backup
from sdk_callers import CALL, FIRST, SECOND, make_client

import failover
from failover import Failover, FailoverError

AWS = {"aws_access_key": "fake", "aws_secret_key": "fake", "aws_region": "us-east-1"}
OPUS, HAIKU = "claude-opus-5-5", "claude-haiku-4-5"


@pytest.fixture
def make(fake_claude, backup):
    """Makes clients that are never called, or closed by who calls them."""
    opened = []

    def make(url="", *, asynchronous=False, **options):
        opened.append(make_client(url or backup.url, asynchronous=asynchronous, **options))
        return opened[-1]

    yield make
    for client in opened:
        if isinstance(client, Anthropic):
            client.close()


class TestAMissingClient:
    @pytest.mark.parametrize("clients", [None, {}])
    def test_is_refused_with_what_to_write(self, make, clients):
        with pytest.raises(FailoverError) as raised:
            failover.wrap(make(), to_backup(), clients=clients)
        assert str(raised.value) == (
            "policy `test` sends to client `backup`, which was not given: "
            "wrap(client, policy, clients={'backup': Anthropic(...)})"
        )

    def test_is_refused_with_those_that_were_given(self, make):
        with pytest.raises(FailoverError, match=r"client `backup`, which was not given \(given: `bakup`, `other`\): "):
            failover.wrap(make(), to_backup(), clients={"other": make(), "bakup": make()})

    def test_is_one_of_all_that_are_missing(self, make):
        a_policy = to_backup(rung(), rung(FIRST, "a"), rung(FIRST, "b"))
        with pytest.raises(FailoverError, match="client `a`, `b`, which was not given"):
            failover.wrap(make(), a_policy, clients={BACKUP: make()})

    def test_is_refused_by_a_guard_too(self):
        with pytest.raises(FailoverError, match="client `backup`, which was not given"):
            Failover(to_backup())

    def test_is_none_if_no_rung_names_it(self, make):
        wrapped = failover.wrap(make(), to_backup(SECOND), clients={"spare": make()})
        assert isinstance(wrapped, Anthropic)


class TestAClientOfTheOtherKind:
    @pytest.mark.parametrize(
        ("asynchronous", "given", "guarded", "what"),
        [(False, "an async", "a sync", "Anthropic"), (True, "a sync", "an async", "AsyncAnthropic")],
    )
    def test_is_refused_at_wrap(self, make, asynchronous, given, guarded, what):
        clients = {BACKUP: make(asynchronous=not asynchronous)}
        with pytest.raises(FailoverError) as raised:
            failover.wrap(make(asynchronous=asynchronous), to_backup(), clients=clients)
        assert str(raised.value) == (
            f"policy `test` sends to client `backup`, which was given as {given} client alone, and it is {guarded} "
            f"client that is guarded: give {what}(...), or a pair of both kinds"
        )

    def test_is_refused_when_a_guard_is_shared(self, make):
        guard = Failover(to_backup(), clients={BACKUP: make()})
        failover.wrap(make(), guard)
        with pytest.raises(FailoverError, match="a sync client alone"):
            failover.wrap(make(asynchronous=True), guard)

    def test_is_refused_at_the_first_call_of_a_client_guarded_by_hand(self, make, fake_claude, backup):
        guard = Failover(to_backup(), clients={BACKUP: make(asynchronous=True)})
        client = make(fake_claude.url, middleware=[guard], max_retries=0)
        with pytest.raises(FailoverError, match="an async client alone"):
            client.messages.create(**CALL)
        assert fake_claude.requests == backup.requests == []


class TestAPair:
    @pytest.mark.parametrize("kind", [tuple, list])
    @pytest.mark.parametrize("first", [False, True])
    def test_serves_both_kinds(self, make, connect, asynchronous, fake_claude, backup, *, kind, first):
        caller = connect(wrapped=False, api_key=OWN_KEY)
        pair = kind(make(asynchronous=one) for one in (first, not first))
        caller.client = failover.wrap(caller.client, to_backup(), clients={BACKUP: pair})
        fake_claude.fail("*", 529)
        assert caller.create()._request_id == backup.requests[0].request_id
        if asynchronous:
            caller._portal.call(next(one for one in pair if isinstance(one, AsyncAnthropic)).close)

    def test_lets_a_sync_and_an_async_client_share_their_circuits(self, make, fake_claude, backup):
        fake_claude.fail("*", 529)
        theirs = make(asynchronous=True)
        guard = Failover(to_backup(), clients={BACKUP: (make(), theirs)})
        sync, asynchronous = (failover.wrap(make(fake_claude.url, asynchronous=kind), guard) for kind in (False, True))

        async def call():
            async with theirs, asynchronous:
                return await asynchronous.messages.create(**CALL)

        answers = [sync.messages.create(**CALL), anyio.run(call)]
        assert [answer._request_id for answer in answers] == [request.request_id for request in backup.requests]
        assert guard.board[FIRST].pybreaker.fail_counter == 2
        assert [breaker.name for breaker in guard.board.breakers()] == [FIRST, f"{BACKUP}/{FIRST}"]

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_of_one_kind_is_refused(self, make, asynchronous):
        pair = (make(asynchronous=asynchronous), make(asynchronous=asynchronous))
        with pytest.raises(TypeError, match=r"clients\['backup'\] holds two clients of one kind"):
            Failover(to_backup(), clients={BACKUP: pair})

    def test_of_two_platforms_is_refused(self, make):
        pair = (anthropic.AnthropicBedrock(**AWS), make(asynchronous=True))
        with pytest.raises(TypeError, match=r"clients\['backup'\] holds clients of two platforms"):
            Failover(to_backup(), clients={BACKUP: pair})
        pair[0].close()

    def test_of_nothing_is_a_missing_client(self):
        with pytest.raises(FailoverError, match="`backup`, which was not given"):
            Failover(to_backup(), clients={BACKUP: ()})


class TestWhatIsNoClient:
    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (None, "a NoneType"),
            ("sk-ant-canary", "a str"),
            (5, "a int"),
            (Anthropic, "the class Anthropic"),
            ({"api_key": "sk-ant-canary"}, "a dict"),
            (object(), "a object"),
            ((None,), "a NoneType"),
        ],
    )
    def test_is_refused_without_its_value(self, make, value, said):
        with pytest.raises(TypeError) as raised:
            failover.wrap(make(), to_backup(), clients={BACKUP: value})
        assert str(raised.value) == f"clients['backup'] is {said}, not a client of the anthropic package"

    def test_a_transport_is_none(self, make):
        with (
            httpx2.Client(verify=False) as transport,
            pytest.raises(TypeError, match="is a Client, not a client of the"),
        ):
            failover.wrap(make(), to_backup(), clients={BACKUP: transport})

    @pytest.mark.parametrize(
        ("clients", "said"), [([1], "a list"), ("backup", "a str"), (5, "a int"), ((("a", 1),), "a tuple")]
    )
    def test_a_mapping_it_must_be(self, make, clients, said):
        with pytest.raises(TypeError, match=f"clients is {said}, not a mapping of names to clients"):
            failover.wrap(make(), to_backup(), clients=clients)

    @pytest.mark.parametrize("name", [None, 5, b"backup"])
    def test_a_text_its_name_must_be(self, make, name):
        with pytest.raises(TypeError, match="the name of a client is a text"):
            failover.wrap(make(), to_backup(), clients={name: make()})

    @pytest.mark.parametrize("name", ["", " ", "eu/west", "two\nlines", "\x1b[31m"])
    def test_a_name_that_a_policy_could_say_it_must_be(self, make, name):
        with pytest.raises(TypeError, match="is no name that a policy could say") as raised:
            failover.wrap(make(), to_backup(), clients={name: make(), BACKUP: make()})
        assert str(raised.value).isprintable()

    def test_one_that_no_rung_is_on_is_told_of_by_its_name(self, make, caplog):
        failover.wrap(make(), to_backup(), clients={BACKUP: make(), "bakup": make()})
        assert caplog.messages == ["client `bakup` is of no use: no rung of policy `test` is on it"]

    def test_the_callers_own_cannot_be_given(self, make):
        with pytest.raises(TypeError, match="`default` is the caller's own client"):
            failover.wrap(make(), to_backup(), clients={"default": make(), BACKUP: make()})

    @pytest.mark.parametrize("guarded", [failover.wrap, lambda client: client.with_middleware(Failover())])
    def test_a_guarded_one_cannot_be_given(self, make, guarded):
        with pytest.raises(FailoverError, match=r"clients\['backup'\] is guarded already: give the original client"):
            failover.wrap(make(), to_backup(), clients={BACKUP: guarded(make())})

    def test_they_go_to_the_guard_that_is_shared(self, make):
        with pytest.raises(TypeError, match=r"give clients, .* to the Failover that you share"):
            failover.wrap(make(), Failover(), clients={BACKUP: make()})


def platform(name):
    if name == "bedrock":
        return anthropic.AnthropicBedrock(**AWS)
    if name == "vertex":
        return anthropic.AnthropicVertex(region="us-east5", project_id="fake", access_token="fake")
    if name == "aws":
        return anthropic.AnthropicAWS(**AWS, workspace_id="wrkspc_1")
    if name == "foundry":
        return anthropic.AnthropicFoundry(api_key="fake", resource="fake")
    return Anthropic(api_key="fake", **({} if name == "anthropic" else {"base_url": "https://gateway.test"}))


class TestAModelsName:
    @pytest.mark.parametrize(
        ("kind", "name", "said"),
        [
            ("bedrock", OPUS, f"Bedrock calls that model `anthropic.{OPUS}`"),
            ("bedrock", HAIKU, "Bedrock calls that model `anthropic.claude-haiku-4-5-20251001-v1:0`"),
            (
                "bedrock",
                "claude-haiku-4-5@20251001",
                "Bedrock calls that model `anthropic.claude-haiku-4-5-20251001-v1:0`",
            ),
            ("vertex", HAIKU, "Vertex AI calls that model `claude-haiku-4-5@20251001`"),
            ("vertex", "anthropic.claude-opus-5-5", f"Vertex AI calls that model `{OPUS}`"),
            ("anthropic", "anthropic.claude-opus-5-5", f"the Claude API calls that model `{OPUS}`"),
            ("anthropic", "us.anthropic.claude-opus-5-5", f"the Claude API calls that model `{OPUS}`"),
            ("aws", "anthropic.claude-opus-5-5", f"Claude Platform on AWS calls that model `{OPUS}`"),
        ],
    )
    def test_of_another_platform_is_refused_with_the_right_one(self, make, kind, name, said):
        with platform(kind) as client, pytest.raises(FailoverError) as raised:
            failover.wrap(make(), to_backup(rung(name)), clients={BACKUP: client})
        assert str(raised.value) == f"rung `{name}` on client `backup`: {said}, so write that"

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            ("bedrock", "anthropic.claude-opus-5-5"),
            ("bedrock", "us.anthropic.claude-opus-5-5"),
            ("bedrock", "global.anthropic.claude-haiku-4-5-20251001-v1:0"),
            ("bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-5-5"),
            ("bedrock", "my-own-profile"),
            ("vertex", OPUS),
            ("vertex", "claude-haiku-4-5@20251001"),
            ("vertex", "claude-of-tomorrow"),
            ("aws", OPUS),
            ("foundry", OPUS),
            ("foundry", "my-deployment"),
            ("anthropic", OPUS),
            ("anthropic", "claude-haiku-4-5-20251001"),
            ("anthropic", "claude-of-tomorrow"),
            ("a gateway", "us.anthropic.claude-opus-5-5"),
            ("a gateway", "anything/it-likes"),
        ],
    )
    def test_that_the_platform_may_know_is_taken(self, make, kind, name):
        with platform(kind) as client:
            assert failover.wrap(make(), to_backup(rung(name)), clients={BACKUP: client})

    def test_a_users_catalogue_may_add_one(self, make, tmp_path):
        file = tmp_path / "models.yaml"
        file.write_text(f"models:\n  {OPUS}:\n    ids: {{bedrock: [my.opus]}}\n")
        with platform("bedrock") as client, pytest.raises(FailoverError, match=r"Bedrock calls that model `my\.opus`"):
            failover.wrap(make(), to_backup(rung(OPUS)), clients={BACKUP: client}, models=file)


class TestTheClientsThatAreGiven:
    def test_are_left_as_they_were(self, make, fake_claude, backup):
        client = make(max_retries=1)
        before = (client.max_retries, client._middleware, client._client)
        failover.wrap(make(fake_claude.url), to_backup(), clients={BACKUP: client})
        assert (client.max_retries, client._middleware, client._client) == before

    def test_share_their_connections_with_whoever_sends(self, make, fake_claude, backup):
        client = make()
        fake_claude.fail("*", 529)
        failover.wrap(make(fake_claude.url), to_backup(), clients={BACKUP: client}).messages.create(**CALL)
        assert len(client._client._transport._pool.connections) == 1

    def test_stay_open_when_the_wrapped_one_is_closed(self, make, fake_claude, backup):
        client = make()
        failover.wrap(make(fake_claude.url), to_backup(), clients={BACKUP: client}).close()
        assert client.messages.create(**CALL).model == FIRST

    def test_that_are_closed_are_out_of_reach(self, make, fake_claude, backup):
        client = make()
        wrapped = failover.wrap(make(fake_claude.url), to_backup(), clients={BACKUP: client})
        client.close()
        fake_claude.fail("*", 529)
        with pytest.raises(anthropic.OverloadedError) as raised:
            wrapped.messages.create(**CALL)
        assert failover.route(raised.value).attempts[1].error_type == "connection_error"

    def test_may_be_changed_in_the_mapping_without_effect(self, make, fake_claude, backup):
        clients = {BACKUP: make()}
        wrapped = failover.wrap(make(fake_claude.url), to_backup(), clients=clients)
        clients.clear()
        fake_claude.fail("*", 529)
        assert wrapped.messages.create(**CALL)._request_id == backup.requests[0].request_id

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_are_not_kept_alive_for_ever(self, fake_claude, backup, asynchronous):
        ours, theirs = (
            make_client(url, asynchronous=asynchronous, api_key="test") for url in (fake_claude.url, backup.url)
        )
        wrapped = failover.wrap(ours, to_backup(), clients={BACKUP: theirs})
        if not asynchronous:
            fake_claude.fail("*", 529)
            wrapped.messages.create(**CALL)
            ours.close()
            theirs.close()
        guard = wrapped._middleware[-1]
        alive = [weakref.ref(one) for one in (ours, theirs, wrapped, guard, theirs._client)]
        del ours, theirs, wrapped, guard
        gc.collect()
        assert [ref() for ref in alive] == [None] * 5
