# SPDX-License-Identifier: GPL-3.0-or-later
"""The log: one line an entry whatever it quotes, not more than a person can read, and no harm where it fails."""

from __future__ import annotations

import logging
import logging.handlers
import sys
import time
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import printable

MAX_LINE = 4000
# What happens to nodes is always said; what strangers can cause, this often.
NETWORK = "es-manager.network"
ALWAYS = "es-manager"
LINES_A_MINUTE = 120


class Plain(logging.Formatter):
    """The time in UTC; what cannot be printed is not: a message may quote what came over the network."""

    converter = staticmethod(time.gmtime)  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.exc_info = record.exc_text = record.stack_info = None
        return printable(super().format(record), MAX_LINE)


class Bounded(logging.Filter):
    """Lets through so many lines a minute of every logger but the manager's own, and says how many it left out."""

    def __init__(self, *, clock: t.Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._since = clock()
        self._lines = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Several handlers ask, and get the same answer."""
        if not hasattr(record, "let_through"):
            record.__dict__["let_through"] = record.name == ALWAYS or self._count(record)
        return bool(record.__dict__["let_through"])

    def _count(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        if now - self._since >= 60:
            left_out = self._lines - LINES_A_MINUTE
            if left_out > 0:
                record.msg = f"{record.getMessage()} ({left_out} lines about the network before it were omitted)"
                record.args = ()
            self._since, self._lines = now, 0
        self._lines += 1
        return self._lines <= LINES_A_MINUTE


class Stream(logging.StreamHandler):  # type: ignore[type-arg]  # it takes none before Python 3.11
    """Standard error, which the unit's journal has; no one is left to tell that it fails."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


class File(logging.handlers.RotatingFileHandler):
    """The log's file. That it cannot be written, as on a full disk, is said once on standard error."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002 -- the library's signature
        if not self._failed:
            self._failed = True
            print(f"es-manager: {self.baseFilename} cannot be written: {sys.exc_info()[1]}", file=sys.stderr)


__all__ = ["NETWORK", "Bounded", "File", "Plain", "Stream"]
