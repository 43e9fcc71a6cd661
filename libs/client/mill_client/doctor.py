"""Whether a server can be used from here, check by check, and how to mend what cannot."""

from __future__ import annotations

from typing import Literal

from ._sync.client import Client
from .errors import ApiError, ConnectionFailed, MillClientError, Unauthenticated
from .models import Model


class Check(Model):
    """One thing looked at. `mend` says what to do unless it is ok."""

    name: str
    status: Literal["ok", "warning", "failed", "skipped"]
    detail: str
    mend: str = ""


def server_checks(url: str | None = None, api_key: str | None = None) -> list[Check]:
    """Check that a server answers, is ready, and takes the key. From the environment where None; never raises."""
    try:
        client = Client(url, api_key, timeout_s=10.0, retries=0)
    except ValueError as error:
        return [Check(name="server", status="failed", detail=str(error), mend="set MILL_URL and MILL_API_KEY")]
    with client:
        reached = _check_server(client)
        return [*reached, _check_key(client)] if all(check.status != "failed" for check in reached[:1]) else reached


def _check_server(client: Client) -> list[Check]:
    try:
        client.check_ready()
    except ConnectionFailed as error:
        mend = "start a server with `mill up`, or set MILL_URL to where one is"
        return [Check(name="server", status="failed", detail=str(error), mend=mend)]
    except ApiError as error:
        here = Check(name="server", status="ok", detail=f"{client.url} answers")
        mend = "see the server's log; `mill doctor` on its machine says more"
        return [here, Check(name="ready", status="failed", detail=error.detail, mend=mend)]
    except MillClientError as error:
        return [Check(name="server", status="failed", detail=str(error), mend="set MILL_URL to a Mediamill server")]
    return [
        Check(name="server", status="ok", detail=f"{client.url} answers"),
        Check(name="ready", status="ok", detail="it takes work"),
    ]


def _check_key(client: Client) -> Check:
    try:
        client.jobs.page(per_page=1)
    except Unauthenticated as error:
        mend = "set MILL_API_KEY to a key; `mill keys create NAME` makes one"
        return Check(name="key", status="failed", detail=error.detail, mend=mend)
    except MillClientError as error:
        return Check(name="key", status="failed", detail=str(error), mend="see the server's log")
    return Check(name="key", status="ok", detail="the server knows it")
