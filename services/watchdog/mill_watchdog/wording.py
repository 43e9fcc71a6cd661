"""What a notice says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mill_common.models import Alert

AT_MOST = 20  # alerts in one notice; the others are counted
LENGTH = 200


def title_of(firing: Sequence[Alert], resolved: Sequence[Alert]) -> str:
    """One line: what fires, or if nothing does, what is over."""
    alerts = firing or resolved
    worst = max((alert.level for alert in alerts), key=lambda level: level.rank)
    more = f" (+{len(alerts) - 1} more)" if len(alerts) > 1 else ""
    state = f"[{worst.upper()}]" if firing else "[RESOLVED]"
    return f"{state} {alerts[0].title}{more}"[:LENGTH]


def body_of(firing: Sequence[Alert], resolved: Sequence[Alert]) -> str:
    """A paragraph for each alert."""
    told = [*_paragraphs(firing, "is firing"), *_paragraphs(resolved, "is resolved")]
    more = len(firing) + len(resolved) - AT_MOST
    return "\n\n".join([*told[:AT_MOST], *([f"… and {more} more."] if more > 0 else [])])


def _paragraphs(alerts: Sequence[Alert], state: str) -> Iterator[str]:
    for alert in alerts:
        seen_to = f", seen to by {alert.acknowledged_by}" if alert.acknowledged_by and state == "is firing" else ""
        labels = " ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
        yield f"{alert.level.upper()} {alert.title} {state}{seen_to}\n{alert.message}\n{alert.type} {labels}".rstrip()
