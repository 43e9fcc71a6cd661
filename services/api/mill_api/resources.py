"""What handlers work with. Wired once, in `app.py`."""

from __future__ import annotations

from starlette.requests import Request

from mill_api.live.hub import Hub
from mill_common.resources import Resources
from mill_common.signing import Signer
from mill_common.signs import Signs

__all__ = ["Hub", "Resources", "Signs", "hub", "resources", "signer", "signs"]


def resources(request: Request) -> Resources:
    """The connections of the application that serves `request`."""
    wired = request.app.state.resources
    assert isinstance(wired, Resources)
    return wired


def signer(request: Request) -> Signer:
    """What signs the links of the application that serves `request`."""
    wired = request.app.state.signer
    assert isinstance(wired, Signer)
    return wired


def hub(request: Request) -> Hub:
    """What tells the news in the application that serves `request`."""
    wired = request.app.state.hub
    assert isinstance(wired, Hub)
    return wired


def signs(request: Request) -> Signs:
    """What the application that serves `request` shows of itself."""
    wired = request.app.state.signs
    assert isinstance(wired, Signs)
    return wired
