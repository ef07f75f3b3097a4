"""The page: one file without script or request, in which no name is more than text. See also the browser's test."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from night_story import night
from report_lab import EVENING, OPUS, attempt, call, incident, one_night, outage, served

from failover.journal.entry import Entry
from failover.report import in_html, report_of, sort_entries, ticket, timeline
from failover.report.svg import COLOURS

T = EVENING
EVIL = """<script>alert("1")</script><img src=x onerror='a'>$x^2$&amp;--></svg></style>"""


def page(entries, since=None, until=None) -> str:
    entries = sort_entries(entries, since, until)
    report = report_of(entries)
    return in_html(report, timeline(entries, report))


class Seen(HTMLParser):
    """The elements, the attributes and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def a_night() -> str:
    return page(night())


def test_the_same_entries_make_the_same_page(a_night):
    assert page(night()) == a_night


def test_the_same_entries_make_the_same_page_in_another_process():
    code = "import sys; sys.path[:0] = sys.argv[1:]; import test_report_html as t; print(t.page(t.one_night()), end='')"
    folder = __file__.rpartition("/")[0]
    ran = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == page(one_night())


def test_nothing_is_fetched_and_nothing_runs(a_night):
    seen = Seen(a_night)
    assert {"script", "link", "img", "iframe", "object", "embed", "image", "base"} & set(seen.tags) == set()
    fetching = {"src", "href", "xlink:href", "srcset", "data", "action", "background"}
    fetched = [value for _, name, value in seen.attributes if name in fetching and not (value or "").startswith("#")]
    assert fetched == []
    assert [name for _, name, _ in seen.attributes if name.startswith("on")] == []
    assert "@import" not in a_night
    assert re.findall(r"url\((?!#)", a_night) == []
    assert "default-src 'none'; style-src 'unsafe-inline'" in a_night


def test_a_page_is_ascii_and_can_be_stored_in_any_encoding():
    text = page([attempt(T, "modèle-ü")])
    assert text.isascii()
    assert "modèle-ü" in Seen(text).text


@pytest.mark.parametrize("field", ["model", "circuit", "client", "policy", "process", "error_type", "request_id"])
def test_a_name_is_text_wherever_it_is_shown(field):
    plain, evil = (
        Seen(page([attempt(T, **{"circuit": None, field: name}), served(T, 1)])) for name in ("harmless", EVIL)
    )
    assert evil.tags == plain.tags
    assert [name for _, name, _ in evil.attributes] == [name for _, name, _ in plain.attributes]


def test_what_an_upstream_or_a_status_page_says_is_text():
    def told(text):
        return Seen(
            page(
                [
                    *outage(T, T + 9, text, reason=text),
                    incident(T, "started", client=text, reason=text, detail={"models": [text]}),
                    Entry(T + 1, "status", "p", outcome=text, detail={"incidents": [text]}),
                    Entry(T + 1, "probe", "p", client=text, model=text, outcome="failed", request_id=text),
                    Entry(T + 2, "lost", "p", reason=text, count=1),
                    Entry(T + 2, text, "p"),
                    call(T + 2, text, text),
                    incident(T + 9, "ended", client=text),
                ]
            )
        )

    plain, evil = told("harmless"), told(EVIL)
    assert evil.tags == plain.tags
    assert EVIL in evil.text
    assert "alert" not in "".join(value or "" for _, _, value in evil.attributes)


def test_the_picture_is_well_formed_whatever_the_names(a_night):
    for text in (a_night, page([attempt(T, EVIL), *outage(T, T + 9, EVIL)])):
        root = ET.fromstring(svg_of(text))
        title, described, *_ = root
        assert title.text == "Timeline per model"
        assert described.text.startswith("From 2026-11-21")
        assert root.attrib["role"] == "img"
        ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
        assert root.attrib["aria-labelledby"].split() == [title.attrib["id"], described.attrib["id"]]
        assert len(ids) == len(set(ids))


def svg_of(text: str) -> str:
    return re.search(r"<svg.*?</svg>", text, re.DOTALL)[0]


def test_text_stays_text_in_the_picture_and_formulas_are_none():
    texts = ["".join(element.itertext()) for element in ET.fromstring(svg_of(page([attempt(T, "a$x^2$b")]))).iter()]
    assert "a$x^2$b" in texts
    assert "answered" in texts


def test_every_colour_of_the_picture_is_one_of_the_page(a_night):
    picture = svg_of(a_night)
    assert set(re.findall(r"var\(--([a-z]+), #[0-9a-f]{6}\)", picture)) <= set(COLOURS)
    without = re.sub(r"var\(--[a-z]+, #[0-9a-f]{6}\)", "", picture)
    assert re.findall(r"#[0-9a-f]{6}(?=[;\" ])", without) == []
    style = a_night[a_night.index("<style>") : a_night.index("</style>")]
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for name, colour in COLOURS.items():
        assert f"--{name}: {colour};" in light
        assert f"--{name}: " in dark


def test_colours_and_kinds_can_be_told_apart_without_colour(a_night):
    """Open and half open are hatched, each in its way; the others differ in where they stand."""
    assert len(set(re.findall(r"fill: url\(#(h[0-9a-f]+)\)", svg_of(a_night)))) == 2


def test_tables_have_headings_for_columns_and_rows(a_night):
    for table in re.findall(r"<table>.*?</table>", a_night, re.DOTALL):
        head, body = table.split("<tbody>")
        columns = head.count('<th scope="col">')
        for row in re.findall(r"<tr.*?</tr>", body):
            assert row.count('<th scope="row">') == 1
            assert row.count("<td>") == columns - 1


def test_the_text_for_support_is_on_the_page_as_it_is():
    entries = sort_entries(one_night(), None, None)
    report = report_of(entries)
    assert ticket(report) in Seen(in_html(report, timeline(entries, report))).text


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([], "Nothing is in the journal."),
        ([served(T, 12345)], "Nothing went wrong; 12,345 requests were answered."),
        ([incident(T, "started")], "1 platform incident"),
        ([attempt(T)], "No circuit opened: 1 attempt failed"),
    ],
)
def test_there_is_a_page_of_whatever_happened(entries, words):
    assert words in Seen(page(entries)).text


def test_circuits_that_have_no_lane_are_counted():
    text = Seen(page([served(T, 1, f"m{n}") for n in range(60)])).text
    assert "48 more circuits not shown: --format json has all." in text


def test_a_users_settings_of_matplotlib_change_nothing(a_night):
    import matplotlib as mpl  # noqa: PLC0415 - slow, and only some tests need it

    with mpl.rc_context({"svg.fonttype": "path", "axes.facecolor": "red", "text.parse_math": True, "font.size": 99}):
        assert page(night()) == a_night
    assert mpl.rcParams["svg.hashsalt"] is None


@pytest.mark.parametrize("module", ["matplotlib", "jinja2"])
def test_a_missing_library_is_one_sentence_that_says_what_to_install(module):
    code = (
        f"import sys; sys.modules[{module!r}] = None; sys.path[:0] = sys.argv[1:]\n"
        "import report_lab, failover.report as r\n"
        "e = r.sort_entries([report_lab.attempt(1.0)], None, None); p = r.report_of(e)\n"
        "r.in_markdown(p), r.in_json(p)\n"
        "try: r.in_html(p, r.timeline(e, p))\n"
        "except r.in_html.__globals__['MissingExtra'] as error: print(error)"
    )
    folder = __file__.rpartition("/")[0]
    ran = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip().endswith("pip install 'anthropic-failover[report]'")


def test_markdown_and_json_need_no_picture():
    code = (
        "import sys; import failover.cli.report\n"
        "print([name for name in ('matplotlib', 'jinja2', 'numpy') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "[]"


def test_an_outage_of_a_lane_is_named_in_it():
    texts = ["".join(element.itertext()) for element in ET.fromstring(svg_of(page(outage(T, T + 60, OPUS)))).iter()]
    assert "outage 1" in texts
