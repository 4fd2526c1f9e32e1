# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lab.dns --listen 127.0.0.10:15353 --record cluster1.eventstore.local=127.0.0.11,127.0.0.12``"""

from __future__ import annotations

import argparse
import signal
import sys

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from lab.dns.server import DnsServer, parse_record


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.dns", description="Serve a few A records over UDP and TCP.")
    parser.add_argument("--listen", required=True, type=Endpoint.parse, metavar="IP:PORT")
    parser.add_argument("--record", required=True, action="append", type=parse_record, metavar="NAME=IP,IP")
    options = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        server = DnsServer(options.listen, dict(options.record))
    except OSError as error:
        print(f"lab.dns: cannot listen on {options.listen}: {error.strerror}", file=sys.stderr)
        return 1
    with server:
        print(f"lab.dns: listening on {options.listen}", flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    sys.exit(main())
