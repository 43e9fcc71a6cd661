"""Serves the gateway: `python -m mill_api [--host H] [--port P]`."""

from __future__ import annotations

import argparse
import sys

import mill_common.starting  # noqa: F401 - first, for signals that come while the rest is loaded
from mill_api.app import create_app
from mill_api.bootstrap import prepare
from mill_api.server import make_server, run_until_stopped
from mill_common.errors import MillError
from mill_common.logs import configure_logs
from mill_common.observing import observed
from mill_common.resources import open_resources
from mill_common.sentry import init_sentry
from mill_common.settings import Settings
from mill_common.signs import signs_of


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    arguments = argparse.ArgumentParser(prog="mill_api", description="Serve the HTTP gateway.")
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--port", type=int, default=8000)
    given = arguments.parse_args()
    settings = Settings()
    configure_logs(settings, "api")
    init_sentry(settings, "api")  # before the broker is made, or its messages carry no trace
    resources = open_resources(settings)
    try:
        prepare(resources)
        signs = signs_of(resources, whole=True)
        with observed("api", resources, signs, lambda: 0):
            run_until_stopped(make_server(create_app(resources, signs), given.host, given.port))
    except MillError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    finally:
        resources.database.hang_up()  # on those that still wait for an answer nobody asks for any more
        resources.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
