"""Another client's own trouble and settings: its middleware and time-outs are used, its failures judged like any other."""

from __future__ import annotations

import anthropic
import httpx2
import pytest
from anthropic.types import Message
from named_lab import BACKUP, attempts, closed_port, rung, to_backup
from sdk_callers import CALL, FIRST, SECOND, Watcher

import failover


class TestTheOtherClientsOwn:
    def test_middleware_runs(self, lab, fake_claude):
        fake_claude.fail("*", 529)
        watcher = Watcher()
        caller = lab.caller(clients={BACKUP: lab.client(middleware=[watcher])})
        caller.create()
        assert watcher.seen == [200]
        assert watcher.requests[0].json["model"] == FIRST

    def test_middleware_of_the_caller_sees_nothing_of_it(self, lab, fake_claude):
        fake_claude.fail("*", 529)
        watcher = Watcher()
        caller = lab.caller()
        caller.client = caller.client.with_middleware(watcher)
        caller.create()
        assert watcher.seen == [529]

    @pytest.mark.parametrize("fault", [{"status": 529}, {"status": 500}, {"drop": True}])
    def test_retries_are_off(self, lab, fake_claude, backup, fault):
        fake_claude.fail("*", **fault)
        backup.fail("*", **fault)
        lab.caller(clients={BACKUP: lab.client(max_retries=5)}).error()
        assert (fake_claude.count(), backup.count()) == (1, 1)

    def test_retries_are_the_policys(self, lab, fake_claude, backup):
        fake_claude.fail("*", 529)
        backup.fail("*", 500)
        lab.caller(to_backup(retry={"tries": 3, "passes": 1})).error()
        assert backup.count() == 3

    def test_retries_stay_off_when_a_call_asks_for_them(self, lab, fake_claude, backup):
        fake_claude.fail("*", 529)
        backup.fail("*", drop=True)
        caller = lab.caller()
        caller.error("post", path="/v1/messages", cast_to=Message, body=CALL, options={"max_retries": 4})
        assert (fake_claude.count(), backup.count()) == (1, 1)

    def test_time_out_is_kept_when_the_call_has_none(self, lab, fake_claude, backup):
        fake_claude.fail("*", 529)
        backup.fail("*", hang=10)
        seen = Watcher()
        caller = lab.caller(clients={BACKUP: lab.client(timeout=0.3, middleware=[seen])}, own={"timeout": 20})
        caller.error()
        assert seen.seen == [anthropic.APITimeoutError]

    def test_time_out_is_kept_when_the_own_client_has_the_usual_one(self, lab, fake_claude, backup):
        """The SDK then puts it into every request that is no stream."""
        fake_claude.fail("*", 529)
        backup.fail("*", hang=10)
        seen = Watcher()
        caller = lab.caller(
            clients={BACKUP: lab.client(timeout=0.3, middleware=[seen])},
            own={"timeout": anthropic.DEFAULT_TIMEOUT},
        )
        caller.error()
        assert seen.seen == [anthropic.APITimeoutError]

    def test_time_out_gives_way_to_the_calls(self, lab, fake_claude, backup):
        fake_claude.fail("*", 529)
        backup.fail("*", hang=10)
        seen = Watcher()
        caller = lab.caller(clients={BACKUP: lab.client(timeout=20, middleware=[seen])})
        caller.error(timeout=0.3)
        assert seen.seen == [anthropic.APITimeoutError]


class TestWhenTheOtherClientFailsToo:
    def test_its_lost_connection_is_judged(self, lab, fake_claude, backup):
        fake_claude.fail("*", 529)
        unreachable = lab.client(closed_port())
        caller = lab.caller(to_backup(rung(client="gone"), rung()), {"gone": unreachable, BACKUP: lab.client()})
        with failover.recording() as routes:
            caller.create()
        assert attempts(routes[0])[1:] == [("gone", FIRST, None, "connection_error"), (BACKUP, FIRST, 200, None)]
        assert caller.board[f"gone/{FIRST}"].pybreaker.fail_counter == 1

    def test_a_page_of_its_proxy_is_judged(self, lab, fake_claude, backup):
        fake_claude.fail("*", 529)
        backup.fail("*", malformed="html")
        error = lab.caller().error()
        assert type(error) is anthropic.OverloadedError
        assert attempts(failover.route(error))[1] == (BACKUP, FIRST, 200, "malformed_response")

    def test_the_first_failure_is_shown(self, lab, fake_claude, backup):
        fake_claude.fail("*", 529)
        backup.fail("*", 500)
        error = lab.caller().error()
        assert type(error) is anthropic.OverloadedError
        assert error.request_id == fake_claude.requests[0].request_id
        assert len(failover.route(error).attempts) == 2

    def test_its_error_is_shown_when_nobody_else_was_asked(self, lab, fake_claude, backup):
        backup.fail("*", 500)
        caller = lab.caller()
        caller.create()
        caller.board[FIRST].isolate()
        error = caller.error()
        assert type(error) is anthropic.InternalServerError
        assert error.request_id == backup.requests[0].request_id

    def test_a_request_that_only_it_refuses_is_no_cause(self, lab, fake_claude, backup):
        fake_claude.fail("*", 529)
        backup.fail("*", 400)
        assert type(lab.caller().error()) is anthropic.OverloadedError

    @pytest.mark.parametrize("broken", [LookupError, RuntimeError, OSError, anthropic.RetryableError])
    def test_one_that_cannot_even_send_does_not_hide_the_cause(self, lab, fake_claude, backup, caplog, broken):
        """As when its credentials are not to be had."""

        def fail(_):
            raise broken("canary")

        fake_claude.fail("*", 529)
        clients = {"broken": lab.client(middleware=[Watcher(fail)]), BACKUP: lab.client()}
        caller = lab.caller(to_backup(rung(client="broken"), rung()), clients)
        assert caller.create()._request_id == backup.requests[0].request_id
        caller.create()
        told = [record.getMessage() for record in caplog.records if "could not send" in record.getMessage()]
        assert told == [f"client `broken` could not send a request: {broken.__name__}"]
        backup.fail("*", 529)
        error = caller.error()
        assert type(error) is anthropic.OverloadedError
        assert attempts(failover.route(error))[1] == ("broken", FIRST, None, "connection_error")
        assert backup.count() == 3

    def test_a_keyboard_interrupt_in_it_ends_the_call(self, lab, fake_claude, backup):
        def interrupt(_):
            raise KeyboardInterrupt

        fake_claude.fail("*", 529)
        clients = {"broken": lab.client(middleware=[Watcher(interrupt)]), BACKUP: lab.client()}
        caller = lab.caller(to_backup(rung(client="broken"), rung()), clients)
        assert type(caller.error()) is KeyboardInterrupt
        assert caller.board[f"broken/{FIRST}"].outlook() is None
        assert backup.requests == []


class TestAFullPool:
    """All connections of a client are in use: nobody was asked, and another client has others."""

    @staticmethod
    def full(_):
        raise httpx2.PoolTimeout("no connection")

    def test_of_the_own_client_leads_to_the_backup(self, lab, backup):
        caller = lab.caller(to_backup(SECOND, rung()), own={"answer": self.full})
        with failover.recording() as routes:
            caller.create()
        assert [(client, kind) for client, _, _, kind in attempts(routes[0])] == [
            ("default", "pool_timeout"),
            (BACKUP, None),
        ]

    def test_of_a_backup_leads_to_the_next_one(self, lab, fake_claude, backup):
        fake_claude.fail("*", 529)
        clients = {"full": lab.client(answer=self.full), BACKUP: lab.client()}
        caller = lab.caller(to_backup(rung(client="full"), rung()), clients)
        assert caller.create()._request_id == backup.requests[0].request_id
        assert caller.board[f"full/{FIRST}"].pybreaker.fail_counter == 0
