# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Versions as the vendor numbers releases, and ranges of them."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import UpgradeError

# /info adds a fourth number (3.4.0.0, measured); a hotfix comes after the release that it fixes.
_RELEASE = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:\.\d{1,9})?(?:-hotfix(\d{1,4}))?", re.ASCII)


class Version(t.NamedTuple):
    """A release; ``hotfix`` is 0 for the release itself."""

    major: int
    minor: int
    patch: int
    hotfix: int = 0

    @classmethod
    def parse(cls, text: str, *, where: str = "") -> Version:
        """Read ``5.0.11``, ``3.4.0.0`` as a server says it, or ``4.1.1-hotfix1``; UpgradeError for anything else."""
        match = _RELEASE.fullmatch(text)
        if not match:
            raise UpgradeError(
                f"expected a release such as 5.0.11 or 4.1.1-hotfix1, got {text[:60]!r}",
                where=where,
                hint="Write all three numbers. Upgrade documents contain no previews and release candidates",
            )
        return cls(*(int(number or 0) for number in match.groups()))

    @property
    def series(self) -> str:
        return f"{self.major}.{self.minor}"

    def __str__(self) -> str:
        release = f"{self.series}.{self.patch}"
        return f"{release}-hotfix{self.hotfix}" if self.hotfix else release


def is_release(said: str, version: str) -> bool:
    """Whether what a server says is this release; it says 4.1.1.0 also where it is 4.1.1-hotfix1."""
    try:
        return Version.parse(said)[:3] == Version.parse(version)[:3]
    except UpgradeError:
        return False


class Span(t.NamedTuple):
    """The versions from ``first`` on and before ``end``."""

    first: Version
    end: Version

    def __contains__(self, version: object) -> bool:
        return isinstance(version, Version) and self.first <= version < self.end


def span(first: str, end: str) -> Span:
    """The versions from ``first`` on and before ``end``."""
    return Span(Version.parse(first), Version.parse(end))


def series(name: str) -> Span:
    """All patch releases of a series such as ``20.10``."""
    major, minor = map(int, name.split("."))
    return Span(Version(major, minor, 0), Version(major, minor + 1, 0))


__all__ = ["Span", "Version", "is_release", "series", "span"]
