"""What the gateway works with. Wired once, in `bootstrap.py`."""

from __future__ import annotations

from dataclasses import dataclass

from mill_common.database import Database
from mill_common.settings import Settings
from mill_common.signing import Signer
from mill_common.storage.base import ObjectStore
from starlette.requests import Request


@dataclass(frozen=True)
class Resources:
    """Everything that handlers reach through `request.app.state`."""

    settings: Settings
    database: Database
    store: ObjectStore
    signer: Signer


def resources(request: Request) -> Resources:
    """The resources of the application that serves `request`."""
    wired = request.app.state.resources
    assert isinstance(wired, Resources)
    return wired
