"""`mill webhooks`: URLs that are told of jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import typer

from ..models import Delivery, Webhook
from .options import ApiKey, Json, Url, connect
from .output import json_line, json_or_table, moment, out_line, say

webhooks = typer.Typer(no_args_is_help=True, help="Have URLs told of your jobs, and see what was sent.")
Id = Annotated[str, typer.Argument(metavar="ID", help="The id of a webhook, from mill webhooks list.")]
Events = Annotated[
    list[str] | None, typer.Option("--event", help="Like `job.completed`; may be repeated. By default the ends.")
]
Payload = Annotated[Literal["small", "full"] | None, typer.Option(help="How much each event tells.")]
Description = Annotated[str | None, typer.Option(help="What it is for.")]


@webhooks.command()
def add(
    context: typer.Context,
    target: Annotated[str, typer.Argument(metavar="URL", help="What is told.")],
    *,
    event: Events = None,
    payload: Payload = None,
    description: Description = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Have a URL told of every job, and print its secret. It cannot be shown again."""
    with connect(context, url, api_key) as client:
        made = client.webhooks.create(target, events=event or None, payload=payload, description=description)
    _tell(made, as_json=as_json)


@webhooks.command("list")
def list_webhooks(context: typer.Context, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """List the webhooks, without their secrets."""
    with connect(context, url, api_key) as client:
        json_or_table(client.webhooks.all(), ["id", "url", "events", "state"], _row, as_json=as_json)


@webhooks.command()
def edit(
    context: typer.Context,
    webhook_id: Id,
    *,
    target: Annotated[str | None, typer.Option("--to", metavar="URL", help="What is told from now on.")] = None,
    event: Events = None,
    payload: Payload = None,
    description: Description = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it is told at all.")] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Change a webhook."""
    with connect(context, url, api_key) as client:
        found = client.webhooks.change(
            webhook_id, url=target, events=event or None, payload=payload, description=description, enabled=enabled
        )
    json_line(found) if as_json else say(f"webhook {webhook_id} is {_state(found)}")


@webhooks.command()
def rotate(
    context: typer.Context,
    webhook_id: Id,
    *,
    grace: Annotated[
        int | None, typer.Option(min=0, metavar="SECONDS", help="How long the old one signs as well; a day by default.")
    ] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Give a webhook a new secret and print it. It cannot be shown again."""
    with connect(context, url, api_key) as client:
        made = client.webhooks.rotate_secret(webhook_id, grace_seconds=grace)
    _tell(made, as_json=as_json)


@webhooks.command()
def test(
    context: typer.Context, webhook_id: Id, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None
) -> None:
    """Send a `webhook.test`."""
    with connect(context, url, api_key) as client:
        sent = client.webhooks.test(webhook_id)
    json_line(sent) if as_json else say(f"delivery {sent.id} is {sent.status}")


@webhooks.command()
def deliveries(
    context: typer.Context,
    webhook_id: Id,
    *,
    status: Annotated[str | None, typer.Option(help="Only those, like `failed`.")] = None,
    event: Annotated[str | None, typer.Option(help="Only of this event.")] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """List what was sent, the newest first."""
    columns = ["delivery", "event", "job", "status", "tries", "answer", "created"]
    with connect(context, url, api_key) as client:
        found = client.webhooks.deliveries(webhook_id, status=status, event=event)
        json_or_table(found, columns, _delivery, as_json=as_json)


@webhooks.command()
def redeliver(
    context: typer.Context,
    webhook_id: Id,
    delivery_id: Annotated[str, typer.Argument(metavar="DELIVERY", help="From mill webhooks deliveries.")],
    *,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Send one delivery again."""
    with connect(context, url, api_key) as client:
        sent = client.webhooks.redeliver(webhook_id, delivery_id)
    json_line(sent) if as_json else say(f"delivery {sent.id} is {sent.status}")


@webhooks.command()
def recover(
    context: typer.Context,
    webhook_id: Id,
    since: Annotated[datetime, typer.Argument(help="In local time.")],
    *,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Send everything again that failed since then."""
    with connect(context, url, api_key) as client:
        count = client.webhooks.recover(webhook_id, since)
    json_line({"count": count}) if as_json else say(f"{count} deliveries are sent again")


@webhooks.command()
def delete(
    context: typer.Context, webhook_id: Id, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None
) -> None:
    """Tell a URL nothing more."""
    with connect(context, url, api_key) as client:
        client.webhooks.delete(webhook_id)
    json_line({"id": webhook_id, "deleted": True}) if as_json else say(f"webhook {webhook_id} is deleted")


def _tell(made: Webhook, *, as_json: bool) -> None:
    if as_json:
        json_line(made)
        return
    say(f"webhook {made.id}; keep its secret now, it is not shown again:")
    out_line(made.secret or "")


def _state(found: Webhook) -> str:
    return "enabled" if found.enabled else f"disabled ({found.disabled_reason or 'asked'})"


def _row(found: Webhook) -> list[object]:
    return [found.id, found.url, ",".join(found.events), _state(found)]


def _delivery(sent: Delivery) -> list[object]:
    answer = sent.last_status or sent.last_error
    return [sent.id, sent.event, sent.job_id, sent.status, sent.attempts, answer, moment(sent.created_at)]
