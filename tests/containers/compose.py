"""What compose.yaml says, as a compose engine would read it: variables filled in, anchors merged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
OURS = ("api", "transcoder", "transcriber", "watchdog", "migrate")
_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::-([^}]*))?\}")
_UNITS = {"s": 1, "m": 60, "h": 3600}


def read_compose(name: str = "compose.yaml", variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One compose file as a mapping."""
    text = (ROOT / name).read_text()
    whole = _filled(yaml.safe_load(text), variables or {})
    assert isinstance(whole, dict)
    return whole


def seconds(duration: str) -> int:
    """The seconds of a duration such as `90s` or `2m`."""
    return int(duration[:-1]) * _UNITS[duration[-1]]


def flags(service: Mapping[str, Any]) -> list[str]:
    """What `podman run` needs to run a container as this service says, without its network and secrets."""
    given = [f"--user={service['user']}"]
    if service.get("read_only"):
        given.append("--read-only")
    given += [f"--cap-drop={name}" for name in service.get("cap_drop", [])]
    given += [f"--security-opt={option.replace(':true', '')}" for option in service.get("security_opt", [])]
    given += [f"--tmpfs={mount}" for mount in service.get("tmpfs", [])]
    given += [f"--env={name}={value}" for name, value in service.get("environment", {}).items()]
    # A volume with a name is shared by compose; here every container gets one of its own.
    given += [f"--volume={mount.rpartition(':')[2]}" for mount in service.get("volumes", [])]
    return given


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, variables) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, variables) for inner in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _one(found, variables), value)
    return value


def _one(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name, default = found.groups()
    return "$" if name is None else variables.get(name) or default or ""
