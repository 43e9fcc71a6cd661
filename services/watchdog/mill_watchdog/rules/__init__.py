"""The rules that come with the mill, and those that `MILL_ALERT_RULES` adds."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from mill_common.alerts import Rule
from mill_common.errors import MillError
from mill_common.settings import Settings
from mill_watchdog.rules.api import ApiErrorRate
from mill_watchdog.rules.dependencies import BrokerUnreachable, LogFiles, ProgramBroken, StorageUnreachable
from mill_watchdog.rules.hosts import Cpu, Disk, Memory
from mill_watchdog.rules.processing import ErrorRate, ProcessingFailure, SlowProcessing, StuckTask
from mill_watchdog.rules.queues import DeadLetters, NoWorker, QueueAge, QueueDepth
from mill_watchdog.rules.watching import NoticesFailing, ScheduleFailed, ScheduleMissed
from mill_watchdog.rules.webhooks import WebhookEndpointFailing

RULES: Sequence[Rule] = (
    StorageUnreachable(),
    BrokerUnreachable(),
    ProgramBroken(),
    LogFiles(),
    Cpu(),
    Memory(),
    Disk(),
    ProcessingFailure(),
    SlowProcessing(),
    StuckTask(),
    ErrorRate(),
    ApiErrorRate(),
    QueueDepth(),
    QueueAge(),
    DeadLetters(),
    NoWorker(),
    ScheduleMissed(),
    ScheduleFailed(),
    NoticesFailing(),
    WebhookEndpointFailing(),
)


class RulesUnusable(MillError):
    """A module that MILL_ALERT_RULES names has no RULES."""

    code = "rules_unusable"


def all_rules(settings: Settings) -> list[Rule]:
    """Every rule; of two of one type the later one counts, so that an own rule may take the place of one of these.

    Raises:
        RulesUnusable: A module cannot be imported, or what it calls RULES are none.
    """
    own = [rule for name in settings.alert_rules.split(",") if name.strip() for rule in _rules_of(name.strip())]
    return list({rule.type: rule for rule in (*RULES, *own)}.values())


def _rules_of(module: str) -> Sequence[Rule]:
    try:
        rules = list(import_module(module).RULES)
    except (ImportError, AttributeError, TypeError) as error:
        raise RulesUnusable(f"MILL_ALERT_RULES names {module}, which has no RULES: {error}") from error
    if not all(isinstance(rule, Rule) and isinstance(getattr(rule, "type", None), str) for rule in rules):
        raise RulesUnusable(f"MILL_ALERT_RULES names {module}, whose RULES are not all rules with a type.")
    return rules
