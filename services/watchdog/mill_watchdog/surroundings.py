"""What rules want to know that no row says: does storage answer, does Redis, how is this host?"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from mill_common.alerts import Surroundings
from mill_common.errors import MillError
from mill_common.health.probe import broker_answers
from mill_common.resources import Resources

LIMIT_S = 10.0  # how long storage may take


class Lookout:
    """Looks around for one watchdog."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._storage = Patient(resources.store.check)

    def look(self) -> Surroundings:
        """Find out everything; takes `LIMIT_S` seconds at the most, and as long again for Redis."""
        settings = self._resources.settings
        return Surroundings(
            storage=self._storage.fault(LIMIT_S),
            broker=None if broker_answers(settings.broker_url) else "Redis does not answer, or takes no writes.",
            host=socket.gethostname(),
            logs=list(_log_faults(settings.log_dir, settings.alert_log_bytes)),
        )


class Patient:
    """Asks something that may hang, in a thread of its own, and never twice at a time."""

    def __init__(self, check: Callable[[], object]) -> None:
        self._check = check
        self._asking: threading.Thread | None = None
        self._fault: str | None = None

    def fault(self, limit_s: float) -> str | None:
        """What is wrong, in words without addresses; None if nothing is."""
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=self._ask, name="lookout", daemon=True)
            self._asking.start()
        self._asking.join(limit_s)
        return f"It has not answered within {limit_s:g} s." if self._asking.is_alive() else self._fault

    def _ask(self) -> None:
        try:
            self._check()
            self._fault = None
        except MillError as error:
            self._fault = error.message
        except Exception as error:  # noqa: BLE001 - whatever it is, storage does not do
            self._fault = type(error).__name__


def _log_faults(folder: Path | None, limit: int) -> Iterator[str]:
    if folder is None:
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield f"the folder {folder.name} cannot be written to"
        return
    for path in sorted(folder.glob("*.log")):
        if not os.access(path, os.R_OK | os.W_OK):
            yield f"{path.name} cannot be read and written"
        elif (size := path.stat().st_size) > limit:
            yield f"{path.name} holds {size / 2**20:.0f} MiB, more than {limit / 2**20:.0f} MiB"
