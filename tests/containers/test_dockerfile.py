"""The Dockerfile, held to its rules without an engine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import pytest
from containers.compose import OURS, ROOT, read_compose

SHIPPED = (*OURS, "transcriber-gpu")
SERVICES = ("api", "transcoder", "transcriber", "watchdog")


@dataclass
class Stage:
    """One FROM and what follows it."""

    base: str
    lines: list[str] = field(default_factory=list)

    def said(self, instruction: str) -> list[str]:
        """What follows every use of an instruction."""
        return [line.split(maxsplit=1)[1] for line in self.lines if line.split(maxsplit=1)[0] == instruction]


def _stages() -> dict[str, Stage]:
    text = (ROOT / "Dockerfile").read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    stages: dict[str, Stage] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if found := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            stages[found[2]] = Stage(found[1])
        elif stages:
            next(reversed(stages.values())).lines.append(line)
    return stages


STAGES = _stages()


def _ancestors(name: str) -> list[str]:
    base = STAGES[name].base
    return [base, *_ancestors(base)] if base in STAGES else []


def test_there_is_a_target_for_every_service() -> None:
    built = {service["build"]["target"] for service in read_compose()["services"].values() if "build" in service}

    assert built == set(OURS)
    assert set(STAGES) >= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_no_stage_that_runs_comes_from_one_that_builds(name: str) -> None:
    assert set(_ancestors(name)) <= {"service", "watchdog"}
    # What is copied from those that build is the environment and nothing else.
    copied = [line for stage in (name, *_ancestors(name)) for line in STAGES[stage].said("COPY")]
    assert len(copied) == 1
    assert re.fullmatch(r"--from=(\S+)-environment /opt/mill /opt/mill", copied[0])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_gets_its_own_pinned_packages_and_members_alone(name: str) -> None:
    stage = STAGES[f"{name}-environment"]
    installs = [line for line in stage.said("RUN") if "uv pip install" in line]

    assert len(installs) == 2
    assert installs[0].endswith(f"--require-hashes -r requirements/{name}.txt")
    assert "--no-deps" in installs[1]
    assert "--no-index" in installs[1]
    assert re.findall(r"mill-\w+", installs[1]) == ["mill-common", f"mill-{name}"]


def test_nothing_is_installed_without_hashes_but_our_own_wheels() -> None:
    installs = [line for stage in STAGES.values() for line in stage.said("RUN") if "pip install" in line]

    assert installs
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)


@pytest.mark.parametrize("name", SHIPPED)
def test_an_image_runs_as_somebody_without_rights(name: str) -> None:
    users = [user for stage in (name, *_ancestors(name)) for user in STAGES[stage].said("USER")]

    assert users == ["10001:10001"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_signal_reaches_the_program(name: str) -> None:
    entrypoint = json.loads(STAGES[name].said("ENTRYPOINT")[-1])  # the shell's form is no JSON

    assert entrypoint[:2] == ["python", "-m"]


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "migrate"])
def test_an_image_says_how_it_is(name: str) -> None:
    [check] = STAGES[name].said("HEALTHCHECK")

    command = json.loads(check.split("CMD ", 1)[1])
    assert command[:3] == ["python", "-m", "mill_common.health"]
    assert ("--http" in command) == (name == "api")


def test_the_one_shot_is_never_healthy_or_ill() -> None:
    assert STAGES["migrate"].said("HEALTHCHECK") == ["NONE"]


def test_only_what_is_copied_is_sent_to_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sources = {line.split()[0] for stage in STAGES.values() for line in stage.said("COPY") if "--from" not in line}

    assert "*" in ignored
    for source in sources:
        assert any(ROOT.joinpath(source) in [*ROOT.glob(line[1:])] for line in ignored if line.startswith("!")), source
