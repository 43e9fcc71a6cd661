"""`python -m mill_common.health`: exit status 0 if a service started with these settings can work.

A worker needs the database and the broker. A gateway is asked itself: `--http 8000`.
"""

from __future__ import annotations

import argparse
import sys

from mill_common.health.probe import faults, gateway_fault


def main() -> int:
    """Say what is wrong on standard error."""
    arguments = argparse.ArgumentParser(prog="mill_common.health", description="Whether a service can work.")
    arguments.add_argument("--http", type=int, metavar="PORT", help="ask the gateway on this port")
    port = arguments.parse_args().http
    found = faults() if port is None else gateway_fault(port)
    sys.stderr.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
