# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in manager: starts and watches database nodes, relays gossip, is the endpoint that clients ask."""

from __future__ import annotations

VERSION = "2.0.0"  # of the collection
