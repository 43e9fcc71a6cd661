"""Servers by name, kept in `$XDG_CONFIG_HOME/mediamill/config.toml`, which only its owner can read."""

from __future__ import annotations

import json
import os
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import typer


@dataclass(frozen=True)
class Profile:
    """A server, and as whom it is asked."""

    url: str
    api_key: str = field(default="", repr=False)


@dataclass
class Profiles:
    """What the file holds. `current` is what is used where none is named."""

    current: str = ""
    by_name: dict[str, Profile] = field(default_factory=dict)

    def find(self, name: str) -> Profile:
        """The profile of that name.

        Raises:
            typer.BadParameter: There is none.
        """
        if name not in self.by_name:
            known = f"there are {', '.join(sorted(self.by_name))}" if self.by_name else "there is none yet"
            raise typer.BadParameter(f"there is no profile {name!r}; {known} (mill profile add)")
        return self.by_name[name]

    def save(self) -> None:
        """Write the file. Somebody who reads meanwhile finds the old or the new one, whole."""
        # A string of JSON without escaped letters is one of TOML.
        told = [f"current = {_quoted(self.current)}"] if self.current else []
        for name, profile in sorted(self.by_name.items()):
            told += ["", f"[profiles.{_quoted(name)}]", f"url = {_quoted(profile.url)}"]
            told += [f"api_key = {_quoted(profile.api_key)}"] if profile.api_key else []
        write_private(config_path(), "\n".join(told) + "\n")


def load() -> Profiles:
    """The profiles of this user.

    Raises:
        typer.BadParameter: The file cannot be understood.
    """
    path = config_path()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        by_name = {name: _profile(fields) for name, fields in found.get("profiles", {}).items()}
        return Profiles(str(found.get("current", "")), by_name)
    except FileNotFoundError:
        return Profiles()
    except (ValueError, AttributeError, KeyError) as error:
        raise typer.BadParameter(f"{path} cannot be understood: {error}") from error


def check_name(name: str) -> str:
    """The name, if a profile may be called so."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        raise typer.BadParameter("a profile's name is of letters, digits, dots, dashes and underscores")
    return name


def config_path() -> Path:
    """Where the profiles are kept."""
    return _home("XDG_CONFIG_HOME", ".config") / "config.toml"


def state_path() -> Path:
    """Where is kept what a later run may go on with."""
    return _home("XDG_STATE_HOME", ".local/state")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(opened, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _home(variable: str, otherwise: str) -> Path:
    given = Path(os.environ.get(variable) or "")
    # A relative one is to be ignored. Source: XDG Base Directory Specification.
    return (given if given.is_absolute() else Path.home() / otherwise) / "mediamill"


def _profile(fields: Mapping[str, object]) -> Profile:
    return Profile(str(fields["url"]), str(fields.get("api_key", "")))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
