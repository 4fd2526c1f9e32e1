# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.doubles.gossip script.yaml``: play the script, and serve until interrupted."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from tests.doubles.gossip import script
from tests.doubles.gossip.server import ScriptedCluster


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tests.doubles.gossip SCRIPT.yaml", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        steps = script.read(Path(arguments[0]).read_text(encoding="utf-8"), where=arguments[0])
        with ScriptedCluster() as cluster:
            script.play(steps, cluster)
            print("all steps are done; interrupt to stop", flush=True)
            signal.pause()
    except (EventStoreError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
