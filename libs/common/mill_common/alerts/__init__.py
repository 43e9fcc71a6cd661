"""Alerts: rules find conditions, rows remember them, and silences and inhibitions keep them quiet.

The words are Alertmanager's: an alert is the same as long as its type and labels are; a condition fires once it has
held for a while; what explains it inhibits it; a silence mutes it until it expires.
"""

from mill_common.alerts.finding import Finding
from mill_common.alerts.ledger import acknowledge, clear_resolved, prune, raise_alert
from mill_common.alerts.matching import facts_of, matches
from mill_common.alerts.rules import Inhibition, Rule, Surroundings, View
from mill_common.alerts.state import evaluate, record

__all__ = [
    "Finding",
    "Inhibition",
    "Rule",
    "Surroundings",
    "View",
    "acknowledge",
    "clear_resolved",
    "evaluate",
    "facts_of",
    "matches",
    "prune",
    "raise_alert",
    "record",
]
