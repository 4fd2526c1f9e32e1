# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Inline ``!vault`` values as the texts that they are: up to ansible-core 2.18 they come as objects of another type."""

from __future__ import annotations

import typing as t


def is_vaulted(value: object) -> bool:
    """Whether it is such an object; later versions of ansible-core give a text."""
    return bool(getattr(value, "__ENCRYPTED__", False))


def decrypted(value: t.Any) -> t.Any:
    """The value with every vaulted text in it decrypted; the error of Ansible where a password is missing."""
    if is_vaulted(value):
        return str(value)
    if isinstance(value, dict):
        return {key: decrypted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decrypted(item) for item in value]
    return value


__all__ = ["decrypted", "is_vaulted"]
