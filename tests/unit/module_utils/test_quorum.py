# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule of two masters, against every way to cut the nodes in two, and the states that real servers were seen in."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.quorum import quorum, two_masters_possible

# Cut in two, real 3.4.0 and 4.1.4 had two masters in these, and one master in those.
SPLIT = [(3, 3, 3, 3), (3, 3, 3, 5), (3, 5, 5, 5, 5), (3, 3, 3, 5, 5)]
WHOLE = [(3, 5, 5, 5), (3, 3, 3), (3, 3, 5), (3, 5, 5), (5, 5, 5, 5), (5, 5, 5, 5, 5)]


@pytest.mark.parametrize("sizes", SPLIT, ids=str)
def test_states_that_split_on_real_servers(sizes):
    assert two_masters_possible(sizes)


@pytest.mark.parametrize("sizes", WHOLE, ids=str)
def test_states_that_did_not_split_on_real_servers(sizes):
    assert not two_masters_possible(sizes)


@pytest.mark.parametrize("count", range(1, 7))
def test_the_rule_says_what_every_cut_in_two_says(count):
    """A part elects where one of its nodes has enough of them by its own size; the rule must find each such cut."""
    for sizes in itertools.combinations_with_replacement((1, 3, 5, 7), count):
        assert two_masters_possible(sizes) == any(
            _elects(part) and _elects(rest) for length in range(1, count) for part, rest in _cuts(sizes, length)
        ), sizes


def _cuts(sizes, length):
    for chosen in itertools.combinations(range(len(sizes)), length):
        yield [sizes[i] for i in chosen], [size for i, size in enumerate(sizes) if i not in chosen]


def _elects(part):
    return any(quorum(size) <= len(part) for size in part)
