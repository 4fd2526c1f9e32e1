# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of Event Store that the node imitates; lab/build puts another one in its place."""

VERSION = "3.4.0"
