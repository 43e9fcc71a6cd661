"""What a client says of a webhook, and where one may lead."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mill_api.auth import Caller
from mill_api.fields import LINE
from mill_common.hooks.secrets import check_secret, new_secret
from mill_common.models import WebhookEndpoint
from mill_common.models.webhooks import PayloadSize, WebhookEvent
from mill_common.outgoing import AddressRefused, Target, is_allowed, parse_networks
from mill_common.settings import Settings

CHOSEN = (WebhookEvent.JOB_COMPLETED, WebhookEvent.JOB_FAILED)  # if nobody chooses


def _can_be_chosen(event: WebhookEvent) -> WebhookEvent:
    if event in (WebhookEvent.TEST, WebhookEvent.DISABLED):
        raise ValueError("comes unasked and cannot be chosen")
    return event


HookUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2048,
        json_schema_extra={"format": "uri"},
        description="http or https; public addresses only, besides those that the operator allows.",
    ),
]
Event = Annotated[
    WebhookEvent,
    AfterValidator(_can_be_chosen),
    Field(json_schema_extra={"enum": [event for event in WebhookEvent if not event.startswith("webhook.")]}),
]
Events = Annotated[list[Event], Field(min_length=1, max_length=6)]
Description = Annotated[str, Field(max_length=255, pattern=LINE)]
Secret = Annotated[
    str,
    Field(max_length=128, description="`whsec_` and the base64 of 24 to 64 bytes."),
    AfterValidator(check_secret),
]


class JobWebhook(BaseModel):
    """A URL to be told of this job alone, besides the owner's webhooks."""

    model_config = ConfigDict(extra="forbid")

    url: HookUrl
    events: Events = list(CHOSEN)
    payload: PayloadSize = PayloadSize.SMALL
    secret: Secret | None = Field(
        default=None, description="What signs; if absent one is made and shown in the answer as `webhook_secret`."
    )


class WebhookRequest(BaseModel):
    """A URL to be told of the owner's jobs."""

    model_config = ConfigDict(extra="forbid")

    url: HookUrl
    description: Description = ""
    events: Events = list(CHOSEN)
    payload: PayloadSize = Field(
        default=PayloadSize.SMALL, description="`small`: ids, status, links. `full`: source, outputs, metadata, too."
    )
    enabled: bool = True


class WebhookChange(BaseModel):
    """What is to be different; what is absent stays."""

    model_config = ConfigDict(extra="forbid")

    url: HookUrl | None = None
    description: Description | None = None
    events: Events | None = None
    payload: PayloadSize | None = None
    enabled: bool | None = Field(default=None, description="true also ends what failures or a 410 brought about.")


def check_url(settings: Settings, url: str) -> None:
    """Refuse a URL that can never be sent to. What a name leads to is checked whenever something is sent.

    Raises:
        AddressRefused: It is no plain http or https URL, or names an address that is not public.
    """
    target = Target.parse(url)
    if target.address is not None and not is_allowed(target.address, parse_networks(settings.webhook_networks)):
        raise AddressRefused(f"{target.shown} leads to an address that is not public.")


def new_endpoint(caller: Caller, asked: WebhookRequest | JobWebhook, **more: Any) -> WebhookEndpoint:
    """The row for a webhook, not yet written."""
    given = asked.model_dump(exclude={"secret"})
    secret = getattr(asked, "secret", None) or new_secret()
    given["events"] = sorted({event.value for event in asked.events})
    return WebhookEndpoint(owner_id=caller.owner_id, key_id=caller.key_id, **{"secret": secret, **given, **more})


def job_endpoint(caller: Caller, asked: JobWebhook, job_id: UUID, secret: str) -> WebhookEndpoint:
    """The row for a job's own webhook, not yet written."""
    return new_endpoint(caller, asked, job_id=job_id, secret=secret)
