"""Schemathesis on a running gateway: whatever is sent, the answer is one that the document describes."""

from __future__ import annotations

