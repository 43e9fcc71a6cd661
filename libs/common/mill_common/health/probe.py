"""The questions of a container's probe, answered yes or no."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

LIMIT_S = 5.0


def faults() -> list[str]:
    """What a worker needs and does not have, in words without addresses: they may hold passwords."""
    # Imported here: a gateway is asked every few seconds, and these take longer than the question.
    from mill_common.settings import Settings  # noqa: PLC0415 - a probe loads only what it asks

    settings = Settings()
    found = {"database": database_answers(settings.database_url), "broker": broker_answers(settings.broker_url)}
    return [f"the {name} does not answer" for name, answers in found.items() if not answers]


def database_answers(url: str) -> bool:
    """Whether a query is answered."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - a probe loads only what it asks

    from mill_common.database import Database  # noqa: PLC0415 - a probe loads only what it asks

    database = Database(url, pool_size=1)
    try:
        database.check()
    except SQLAlchemyError:
        return False
    finally:
        database.close()
    return True


def broker_answers(url: str) -> bool:
    """Whether Redis answers and takes writes; an in-process broker always does."""
    from redis import Redis  # noqa: PLC0415 - a probe loads only what it asks
    from redis.exceptions import RedisError  # noqa: PLC0415 - a probe loads only what it asks

    if urlsplit(url).scheme == "memory":
        return True
    try:
        with Redis.from_url(url, socket_timeout=LIMIT_S, socket_connect_timeout=LIMIT_S) as broker:
            # A replica or a server with a full disk answers pings and refuses everything else.
            return bool(broker.set("mill:health", 1, px=1000))
    except RedisError:
        return False


def gateway_fault(port: int) -> list[str]:
    """Why the gateway on this machine cannot take work, if it cannot."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return [] if answer.status == http.HTTPStatus.OK else [answer.read().decode(errors="replace")[:1000]]
    except (OSError, http.client.HTTPException) as error:
        return [f"the gateway does not answer: {type(error).__name__}"]
    finally:
        connection.close()
