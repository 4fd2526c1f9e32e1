# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a Windows machine, as far as this collection touches one: a test tool, and no proof of Windows.

It imports nothing of what it tests, and refuses every construct that it does not know.
"""
