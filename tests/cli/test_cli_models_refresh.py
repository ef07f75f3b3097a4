"""`failover models --refresh`: what the API says now, and a file with what differs."""

from __future__ import annotations

import datetime as dt
import errno
import json
import types

import pytest
from models_lab import NO, YES, ModelsApi, capabilities, info, supported

from failover.cli import models_refresh
from failover.request.catalogue import load_catalogue, shipped
from failover.testing import FakeClaude

KEY = "sk-ant-secret"
OPUS = info("claude-opus-5-5", max_tokens=64_000, max_input_tokens=1_000_000)


@pytest.fixture
def api():
    with ModelsApi() as api:
        yield api


@pytest.fixture
def refresh(cli, api, monkeypatch, tmp_path):
    """Runs it in an empty folder with a key that must never be printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cli_lab.UNWANTED", ())

    def run(*arguments, url=api.url):
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        ran = cli("models", "--refresh", *arguments)
        assert KEY not in ran.stdout + ran.stderr
        return ran

    return run


def test_it_prints_and_writes_exactly_what_differs(refresh, api, tmp_path):
    api.models = [OPUS]
    ran = refresh()
    assert ran.returncode == 0
    assert ran.stdout.splitlines() == [
        "claude-opus-5-5",
        "  max_output: 128k -> 64k",
        "",
        "1 model differs; written to failover-models.yaml. Use it with `export FAILOVER_MODELS=failover-models.yaml` or",
        '`wrap(client, models="failover-models.yaml")`.',
    ]
    ours, theirs = (c.find("claude-opus-5-5") for c in (load_catalogue(tmp_path / "failover-models.yaml"), shipped()))
    differ = {field for field in type(ours).model_fields if getattr(ours, field) != getattr(theirs, field)}
    assert differ == {"max_output", "sources"}
    assert ours.max_output == 64_000
    assert api.keys == [f"Bearer {KEY}"]


def test_a_value_of_the_api_has_the_api_as_its_source(refresh, api, tmp_path):
    api.models = [OPUS]
    refresh()
    catalogue = load_catalogue(tmp_path / "failover-models.yaml")
    source = catalogue.sources[catalogue.find("claude-opus-5-5").sources["max_output"]]
    assert source.url == "https://platform.claude.com/docs/en/api/models/list"
    assert abs(source.read - dt.datetime.now(dt.timezone.utc).date()) <= dt.timedelta(days=1)


def test_all_that_the_api_knows_is_compared(refresh, api, tmp_path):
    said = {
        "line": "fable",
        "lifecycle": "deprecated",
        "created_at": "2026-09-23T00:00:00Z",
        "retires_at": "2027-01-02T00:00:00Z",
        "max_input_tokens": 500_000,
        "max_tokens": 8_192,
        "capabilities": capabilities(citations=NO),
    }
    api.models = [info("claude-opus-5-5", **said)]
    refresh()
    model = load_catalogue(tmp_path / "failover-models.yaml").find("claude-opus-5-5")
    assert (model.line, model.lifecycle) == ("fable", "deprecated")
    assert (model.released, model.retires) == (dt.date(2026, 9, 23), dt.date(2027, 1, 2))
    assert (model.context_window, model.max_output) == (500_000, 8_192)
    assert model.thinking == ("adaptive", "disabled")
    assert (model.effort, model.effort_default) == (("low", "max"), None)
    assert (model.citations, model.images, model.pdfs, model.structured_outputs) == (False, True, False, True)
    assert model.context_edits == ("compact_20260112",)
    assert model.server_tools == ("web_search",)


def test_what_the_api_does_not_say_is_no_difference(refresh, api, tmp_path):
    api.models = [info("claude-opus-5-5"), info("claude-haiku-4-5-20251001", capabilities={})]
    ran = refresh()
    assert ran.stdout == "The catalogue says the same as the API of all 2 models that the API lists.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_capability_that_is_refused_is_an_empty_list(refresh, api, tmp_path):
    none = supported(among=("low", "high"))
    api.models = [info("claude-opus-4-5", capabilities=capabilities(effort=none, context_management=NO))]
    refresh()
    model = load_catalogue(tmp_path / "failover-models.yaml").find("claude-opus-4-5")
    assert (model.effort, model.context_edits) == ((), ())


def test_what_can_no_longer_be_so_is_no_longer_known(refresh, api, tmp_path):
    thinking = {"supported": True, "types": supported("disabled", among=("adaptive", "disabled"))}
    api.models = [info("claude-opus-5", capabilities={"thinking": thinking})]
    assert "  thinking: adaptive, disabled -> disabled\n  thinking_default: adaptive -> ?\n" in refresh().stdout
    model = load_catalogue(tmp_path / "failover-models.yaml").find("claude-opus-5")
    assert (model.thinking, model.thinking_default, model.effort_default) == (("disabled",), None, "high")
    assert "thinking_default" not in model.sources


def test_a_dated_id_is_the_model_that_it_dates(refresh, api):
    api.models = [info("claude-haiku-4-5-20251001", max_tokens=32_000)]
    assert refresh().stdout.startswith("claude-haiku-4-5\n  max_output: 64k -> 32k\n")


def test_a_model_that_is_new_is_added_with_all_that_is_known(refresh, api, tmp_path):
    api.models = [info("claude-next-6", max_tokens=256_000, line="sonata"), info("claude-bare-6", lifecycle="active")]
    ran = refresh()
    assert "claude-next-6: not in the catalogue\n  lifecycle: active\n  max_output: 256k\n" in ran.stdout
    catalogue = load_catalogue(tmp_path / "failover-models.yaml")
    model = catalogue.find("claude-next-6")
    assert (model.max_output, model.line, model.thinking) == (256_000, None, None)
    assert catalogue.find("claude-bare-6").max_output is None


def test_every_page_is_read(refresh, api):
    api.models = [info(f"claude-page-{page}") for page in range(5)]
    ran = refresh()
    assert [line.partition(":")[0] for line in ran.stdout.splitlines() if line.startswith("claude-")] == [
        f"claude-page-{page}" for page in range(5)
    ]
    assert api.asked == ["/v1/models"] * 5


def test_a_file_that_is_there_is_kept_and_added_to(refresh, api, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "sources: {contract: {url: 'https://example.com/x', read: 2026-11-01}}\n"
        "models:\n"
        "  our-opus: {like: claude-opus-5-5, aliases: ['off', '1e3', '12']}\n"
        "  claude-opus-5-5: {price: {input: 1, output: 2}, max_output: 10k, sources: {price: contract, max_output: contract}}\n"
    )
    api.models = [OPUS]
    ran = refresh("--output", str(file))
    assert "  max_output: 10k -> 64k\n" in ran.stdout
    catalogue = load_catalogue(file)
    model = catalogue.find("claude-opus-5-5")
    assert (model.max_output, model.price.output, model.sources["price"]) == (64_000, 2.0, "contract")
    assert model.sources["max_output"].startswith("models-api-")
    assert catalogue.find("off") is catalogue.find("1e3") is catalogue.find("12") is catalogue.find("our-opus")
    written = file.read_text()
    assert refresh("--output", str(file)).stdout.startswith("The catalogue says the same")
    assert file.read_text() == written


def test_it_writes_to_the_catalogue_that_is_in_use(refresh, api, monkeypatch, tmp_path):
    api.models = [OPUS]
    monkeypatch.setenv("FAILOVER_MODELS", str(tmp_path / "used.yaml"))
    assert refresh().returncode == 0
    assert [file.name for file in tmp_path.iterdir()] == ["used.yaml"]


@pytest.mark.parametrize("text", ["version: 1\nname: a-policy\n", "not: [closed\n", ""])
def test_a_file_that_is_no_catalogue_is_not_overwritten(refresh, api, tmp_path, text):
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    api.models = [OPUS]
    ran = refresh("--output", str(file))
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"{file}:")
    assert file.read_text() == text
    assert api.asked == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "does not accept this key (status 401, x, request id req_1)"),
        (403, "does not let this key list models"),
        (404, "is not there at this address: check ANTHROPIC_BASE_URL"),
        (500, "did not answer well (status 500"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_1(refresh, api, tmp_path, status, words):
    api.status = status
    ran = refresh()
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("failover: the Models API ")
    assert words in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def lists(api, monkeypatch):
    """Makes the API list these entries, whatever they are, on one page."""

    def entries(*data):
        page = {"data": list(data), "has_more": False, "first_id": None, "last_id": None}
        monkeypatch.setattr(api, "page", lambda _: page)

    return entries


@pytest.mark.parametrize(
    ("said", "left_out"),
    [
        ({"created_at": "garbage"}, "released"),
        ({"created_at": ["2026-01-01"]}, "released"),
        ({"retires_at": {"day": 1}}, "retires"),
        ({"line": ["opus"]}, "line"),
        ({"line": "sonata\x1b[31m"}, "line"),
        ({"lifecycle": "zombie"}, "lifecycle"),
        ({"lifecycle": 5}, "lifecycle"),
        ({"max_tokens": -1}, "max_output"),
        ({"max_tokens": 0}, "max_output"),
        ({"max_tokens": 1.5}, "max_output"),
        ({"max_tokens": 10**12}, "max_output"),
        ({"max_input_tokens": "lots"}, "context_window"),
        ({"capabilities": [1]}, "capabilities"),
        ({"capabilities": []}, "capabilities"),
        ({"capabilities": "all"}, "capabilities"),
        ({"capabilities": {"citations": "yes"}}, "citations"),
        ({"capabilities": {"citations": {"supported": "perhaps"}}}, "citations"),
        ({"capabilities": {"effort": [1]}}, "effort"),
        ({"capabilities": {"effort": {"supported": True, "low": "perhaps"}}}, "effort"),
        ({"capabilities": {"thinking": [1]}}, "thinking"),
        ({"capabilities": {"thinking": {"supported": True, "types": [1]}}}, "thinking"),
        ({"capabilities": {"server_tools": {"supported": True, "web search\n": YES}}}, "server_tools"),
        ({"max_tokens": -1, "capabilities": [1], "created_at": "x"}, "capabilities, released, max_output"),
    ],
)
def test_a_value_that_is_none_of_its_field_is_left_out_and_the_rest_is_used(refresh, lists, tmp_path, said, left_out):
    lists(info("claude-next-6", **{"max_tokens": 64_000, "max_input_tokens": 200_000, **said}), OPUS)
    ran = refresh()
    assert ran.returncode == 0
    assert ran.stderr == f"failover: left out, as the catalogue cannot hold it: claude-next-6 ({left_out})\n"
    catalogue = load_catalogue(tmp_path / "failover-models.yaml")
    assert catalogue.find("claude-opus-5-5").max_output == 64_000
    new = catalogue.find("claude-next-6")
    assert [field for field in left_out.split(", ") if getattr(new, field, None) is not None] == []
    assert new.context_window == (None if left_out == "context_window" else 200_000)


def test_a_known_value_stays_where_the_api_says_junk(refresh, lists, tmp_path):
    lists(info("claude-opus-5-5", lifecycle="zombie", max_tokens=-1))
    ran = refresh()
    assert (ran.returncode, ran.stdout) == (
        0,
        "The catalogue says the same as the API of all 1 models that could be read.\n",
    )
    assert ran.stderr.endswith(": claude-opus-5-5 (lifecycle, max_output)\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("entry", "called"),
    [
        ({"type": "model", "created_at": "2026-01-01T00:00:00Z"}, "null"),
        (info(None), "null"),
        (info(""), "''"),
        (info(7), "7"),
        (info(["claude"]), "a list"),
        (info("claude new"), "'claude new'"),
        (info("claude\nevil"), r"'claude\nevil'"),
        (info("claude\x1b[31m\u2028"), r"'claude\x1b[31m\u2028'"),
        (info("claude" * 100), "'claudeclaudeclaudeclaudeclaudeclaude..."),
        (None, "null"),
        (5, "null"),
        ("claude-next-6", "null"),
        (["claude-next-6"], "null"),
    ],
)
def test_an_entry_whose_id_is_no_name_is_skipped_and_the_rest_is_used(refresh, lists, tmp_path, entry, called):
    lists(entry, OPUS)
    ran = refresh()
    assert ran.returncode == 0
    assert ran.stdout.startswith("claude-opus-5-5\n  max_output: 128k -> 64k\n\n1 model differs;")
    assert ran.stderr == f"failover: left out, as the catalogue cannot hold it: the entry with the id {called}\n"
    assert len(load_catalogue(tmp_path / "failover-models.yaml").models) == len(shipped().models)


def test_what_is_left_out_is_one_line_however_much_it_is(refresh, lists):
    lists(*(info(f"claude-junk-{i}", lifecycle="zombie") for i in range(9)), OPUS)
    ran = refresh()
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.endswith("claude-junk-4 (lifecycle), and 4 more\n")


@pytest.mark.parametrize("name", ["<<", "=", "~", "off", "1e3", "*x", "&x", "#x", "{", "-", "x" * 300])
def test_a_name_that_means_something_in_yaml_is_written_as_a_name(refresh, lists, tmp_path, name):
    lists(info(name, max_tokens=64_000))
    assert refresh().returncode == 0
    assert load_catalogue(tmp_path / "failover-models.yaml").find(name).max_output == 64_000


@pytest.mark.parametrize("page", [[], "text", 5, None, {"data": 5}, {"data": "text"}, {"data": {"id": "x"}}, {}])
def test_an_answer_that_is_no_list_is_one_line_and_exit_code_1(refresh, api, monkeypatch, tmp_path, page):
    monkeypatch.setattr(api, "page", lambda _: page)
    ran = refresh()
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "failover: the Models API answered with something that is no list of models\n"
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_is_no_json_is_one_line_and_exit_code_1(refresh, api, monkeypatch):
    monkeypatch.setattr(api, "page", lambda _: {})
    monkeypatch.setattr("models_lab.json", types.SimpleNamespace(dumps=lambda _: "<html>"))
    ran = refresh()
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "failover: the Models API answered with something that is no list of models\n"


def test_what_a_refusal_says_of_itself_is_printed_without_escapes(refresh, api, monkeypatch):
    api.status = 500
    body = json.dumps({"type": "error", "error": {"type": "x\x1b[31m\n", "message": "m"}})
    monkeypatch.setattr("models_lab.json", types.SimpleNamespace(dumps=lambda _: body))
    ran = refresh()
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert r"(status 500, x\x1b[31m\n, request id req_1)" in ran.stderr


def test_no_network_is_one_line_and_exit_code_1(refresh, monkeypatch):
    monkeypatch.setattr("anthropic._base_client.INITIAL_RETRY_DELAY", 0.001)
    ran = refresh(url="http://127.0.0.1:9")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        "failover: the Models API cannot be reached: check the network, the proxy and ANTHROPIC_BASE_URL"
        " (APIConnectionError)\n"
    )


def test_a_full_disk_is_one_line_and_the_file_is_as_it_was(refresh, api, monkeypatch, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("models: {}\n")
    api.models = [OPUS]

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    ran = refresh("--output", str(file))
    assert ran.returncode == 1
    assert ran.stderr == f"failover: {file}: this file cannot be written: No space left on device\n"
    assert file.read_text() == "models: {}\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_not_there_is_one_line(refresh, api, tmp_path):
    api.models = [OPUS]
    ran = refresh("--output", str(tmp_path / "nosuch" / "mine.yaml"))
    assert ran.returncode == 1
    assert ran.stderr.endswith("mine.yaml: this file cannot be written: No such file or directory\n")


def test_the_fake_api_can_be_asked_too(refresh, tmp_path):
    with FakeClaude() as fake:
        assert refresh(url=fake.url).returncode == 0
    assert models_refresh.load_catalogue(tmp_path / "failover-models.yaml").find("claude-opus-5-5") is not None
