# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers read anything in a time that grows with its size, or raise an error of the collection (``make fuzz``)."""

from __future__ import annotations

import os
import random
import time

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from tests.fuzz.parsers import mutated, parsers

INPUTS = int(os.environ.get("FUZZ", "60"))
# CPU time; a loaded machine does not count. The slowest, YAML in Python, takes some 10 microseconds a character.
SECONDS, SECONDS_A_CHARACTER = 0.2, 100e-6
PARSERS = parsers()


@pytest.mark.parametrize("name", PARSERS)
def test_only_errors_of_the_collection_come_out_and_in_time(name: str) -> None:
    parser = PARSERS[name]
    chance = random.Random(os.environ.get("FUZZ_SEED", f"{name} 1"))
    for seed in parser.seeds:
        parser.read(seed)
    for number in range(INPUTS):
        given = mutated(chance.choice(parser.seeds), chance)
        start = time.process_time()
        try:
            parser.read(given)
        except EventStoreError as error:
            str(error)
        except Exception as error:
            raise AssertionError(f"input {number}: {type(error).__name__}: {error}\n{given[:500]!r}") from error
        taken = time.process_time() - start
        assert taken < SECONDS + SECONDS_A_CHARACTER * len(given), f"input {number}: {taken:.1f} s\n{given[:500]!r}"
