"""`mill up`: the gateway in front, the other three services behind it."""

from __future__ import annotations

import socket
import sys

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
from mill_standalone.folder import DataFolder
from mill_standalone.mill import TOOLS, Mill


class AddressInUse(MillError):
    """The address cannot be listened on."""

    code = "address_in_use"


def run(settings: Settings, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; port 0 takes a free one.

    Raises:
        FolderInUse: Another server uses the data folder.
        AddressInUse: The address cannot be listened on.
        AdminKeyRefused: `MILL_ADMIN_KEY` does not do as a key.
    """
    folder = DataFolder(settings.data_dir)
    listener = _listen(host, port)
    configure_logs(settings, "mill")
    init_sentry(settings, "mill")  # before the broker is made, or its messages carry no trace
    resources = open_resources(settings)
    mill = Mill(resources)
    try:
        mill.take_over()
        prepare(resources)
        signs = signs_of(resources, tools=TOOLS, whole=True)
        with observed("mill", resources, signs, lambda: mill.running):
            mill.start()
            sys.stderr.write(f"Mediamill serves at {_url(listener)}\n")
            run_until_stopped(make_server(create_app(resources, signs), host, port), [listener])
    finally:
        mill.stop()
        resources.close()
        folder.release()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise AddressInUse(f"Cannot listen on {host}:{port}: {error.strerror}.") from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
