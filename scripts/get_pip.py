# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-test takes for pip's bootstrap script: Python's own pip, which installs the version asked for."""

from __future__ import annotations

import subprocess
import sys

wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
# In another process, as ensurepip switches pip's configuration files off in its own; certificates may be set in them.
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *wanted]))
