# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import Problem, ServiceError, problem_lines


def problem(text: str, where: str = "", *, code: str = "wrong-value", hint: str = "Write it right") -> dict[str, str]:
    return {"code": code, "text": text, "hint": hint, "where": where}


def test_the_same_problem_of_several_places_is_one_line():
    lines = problem_lines(
        [problem("Db is relative", "node1"), problem("Db is relative", "node2"), problem("Log is relative.", "node2")]
    )
    assert lines == [
        "- wrong-value: node1, node2: Db is relative. Write it right.",
        "- wrong-value: node2: Log is relative. Write it right.",
    ]


def test_different_sentences_with_one_hint_stay_apart():
    lines = problem_lines([problem("first sentence"), problem("second sentence")])
    assert lines == [
        "- wrong-value: first sentence. Write it right.",
        "- wrong-value: second sentence. Write it right.",
    ]


def test_a_sentence_is_not_cut_at_its_own_colon():
    lines = problem_lines([problem("one: not enough"), problem("two: not enough")])
    assert lines == [
        "- wrong-value: one: not enough. Write it right.",
        "- wrong-value: two: not enough. Write it right.",
    ]


def test_a_problem_without_a_place_and_one_with_another_hint_stay_apart():
    lines = problem_lines([problem("no master"), problem("no master"), problem("no master", hint="Wait")])
    assert lines == ["- wrong-value: no master. Write it right.", "- wrong-value: no master. Wait."]


def test_an_error_that_stands_for_a_problem_says_the_same_and_has_its_code():
    problem = Problem("no-majority", "not stopped.", "Wait", "es-orders of orders")
    error = ServiceError.of(problem)
    assert str(error) == "es-orders of orders: not stopped. Wait [no-majority]"
    assert error.as_problem("no-majority") == problem
    assert str(ServiceError("not stopped")) == "not stopped"
