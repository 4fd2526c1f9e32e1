# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import pytest

from ansible_collections.eventstore.cluster.plugins.plugin_utils.page import render, view
from tests.doubles import pages
from tests.doubles.pages import ASKED, HOSTILE, healthy, nine, no_quorum, plan, roll


class Reader(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self._in_style = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._in_style and data.strip():
            self.said.append(" ".join(data.split()))

    def handle_endtag(self, _tag: str) -> None:
        self._in_style = False


PAGES = pages.pages()
PLAN = plan("host1", "host2", "host3")


def test_the_first_words_are_the_verdict_the_counts_and_the_master():
    said = Reader(PAGES["healthy"]).said
    assert said[0] == "orders: Has quorum"
    assert said[1:6] == ["orders", "Has quorum", "3 of 3 nodes in sync, 2 needed, can lose 1", "Master", "host1"]
    assert said[6:8] == ["To do", "nothing"]
    lost = Reader(PAGES["no-quorum"]).said
    assert lost[2:6] == ["No quorum", "0 of 3 nodes in sync, 2 needed", "Master", "none"]
    assert lost[7] == "4 problems"


@pytest.mark.parametrize(
    ("facts", "tone"),
    [(healthy(), "good"), (nine(), "doubtful"), (no_quorum(), "bad")],
    ids=["good", "doubtful", "bad"],
)
def test_the_verdict_has_the_colour_of_the_state(facts, tone):
    assert view(facts, PLAN, asked=ASKED)["tone"] == tone


def test_each_problem_has_its_code_and_what_to_do():
    shown = view(nine(), PLAN, asked=ASKED)["problems"]
    assert [problem["code"] for problem in shown] == [*["no-answer"] * 4, "lagging", "clock-skew"]
    assert [problem["tone"] for problem in shown] == [*["bad"] * 5, "doubtful"]
    text = " ".join(Reader(PAGES["nine"]).said)
    assert "Do: " in text
    for problem in shown:
        assert " ".join(problem["hint"].split()) in text


def test_the_same_problem_of_two_places_is_shown_once():
    facts = {**healthy(), "problems": [{"code": "x", "text": "a.", "hint": "b.", "where": f"n{n}"} for n in (1, 2)]}
    assert view(facts, PLAN, asked=ASKED)["problems"] == [
        {"code": "x", "where": "n1, n2", "text": "a", "hint": "b", "tone": "bad"}
    ]


def test_followers_stand_under_the_master_that_they_name():
    groups = view(nine("es{}"), PLAN, asked=ASKED)["groups"]
    assert [(group["name"], [node["name"] for node in group["followers"]]) for group in groups] == [
        ("es1", ["es2", "es3", "es4", "es5", "es6"]),
        ("No master", ["es7", "es8", "es9"]),
    ]
    behind = groups[0]["followers"][2]
    assert (behind["lag"], behind["lag_tone"], behind["bar"]) == ("71.5 MiB behind", "doubtful", 1000)
    assert groups[0]["followers"][0]["lag"] == "in step"
    assert {node["lag"] for node in groups[1]["followers"]} == {""}


def test_two_masters_are_two_groups():
    facts = healthy()
    for each in facts["views"]:
        if each["name"] in ("n2", "n3"):
            each["masters"] = ["n2"]
    groups = view(facts, PLAN, asked=ASKED)["groups"]
    assert [(group["name"], len(group["followers"])) for group in groups] == [("host1", 0), ("host2", 1)]


def test_the_timeline_has_the_parts_of_each_turn_on_one_axis():
    first, second, after = view(healthy(), PLAN, asked=ASKED, turns=roll())["turns"]
    assert (first["who"], first["began"], first["seconds"]) == ("es2", "03:00:00", "30.0")
    assert [(bar["tone"], bar["x"], bar["width"]) for bar in first["bars"]] == [
        ("plain", 0, 25),
        ("bad", 25, 50),
        ("doubtful", 75, 100),
        ("good", 175, 75),
    ]
    assert first["label"] == "checks 3.0 s, stopped 6.0 s, catching up 12.0 s, in sync 9.0 s"
    assert second["bars"][0]["x"] == 500
    assert [line["tone"] for line in second["lines"]] == ["plain", "bad"]
    assert "master es1, then es2" in second["lines"][0]["text"]
    assert (after["who"], after["bars"][-1]["x"], after["bars"][-1]["width"]) == ("After the last turn", 833, 167)


def test_without_a_roll_there_is_no_timeline():
    assert "Timeline" not in PAGES["nine"]
    assert "Timeline" in PAGES["healthy"]


def test_hostile_names_are_text():
    reader = Reader(PAGES["hostile"])
    assert HOSTILE in reader.said
    assert not [tag for tag, _attributes in reader.tags if tag in ("script", "img", "iframe", "object", "link", "form")]
    assert not [name for _tag, attributes in reader.tags for name in attributes if name.startswith("on")]
    assert "49" not in PAGES["hostile"].replace("#", "")


def test_the_page_needs_nothing_else_and_runs_nothing():
    for page in PAGES.values():
        reader = Reader(page)
        assert {tag for tag, _attributes in reader.tags}.isdisjoint({"script", "img", "iframe", "object", "link"})
        assert not [link for _tag, attributes in reader.tags if (link := attributes.get("src"))]
        assert {attributes["href"] for tag, attributes in reader.tags if tag == "a"} <= {"#problems"}
        assert "url(" not in page
        assert "@import" not in page
        policy = next(attributes["content"] for _tag, attributes in reader.tags if "http-equiv" in attributes)
        assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_nine_machines_are_at_most_60_kb():
    assert len(render(nine(), plan(*"123456789"), asked=ASKED, turns=roll() * 3).encode()) <= 60_000


def colours() -> list[dict[str, str]]:
    """The colours of the light page and of the dark one."""
    blocks = re.findall(r":root \{(.*?)\}", PAGES["healthy"], re.DOTALL)
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.1 defines it."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_black_on_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_aa(theme):
    assert len(colours()) == 2
    palette = colours()[theme]
    tones = ("good", "bad", "doubtful")
    pairs = [*itertools.product(("text", "muted", *tones), ("page", "card"))]
    pairs += [(text, f"{tone}-back") for tone in tones for text in ("text", tone)]
    weak = {pair: contrast(*(palette[name] for name in pair)) for pair in pairs}
    assert {pair: value for pair, value in weak.items() if value < 4.5} == {}
    bars = {name: contrast(palette[name], palette["track"]) for name in palette if name.startswith("bar-")}
    assert len(bars) == 4
    assert {name: value for name, value in bars.items() if value < 3} == {}
