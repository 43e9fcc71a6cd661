"""How busy and full each host is, by the latest samples of the processes on it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.models import SystemSample
from mill_common.samples.sampler import WRITE_S

SAID = 3  # so many times the time between two writes may pass before a process is no longer counted


@dataclass(frozen=True)
class Host:
    """Used shares of a machine, in percent."""

    cpu: float
    memory: float
    disk: float  # of the fullest that any process writes to


def hosts_now(session: Session, *, sample_s: float) -> dict[str, Host]:
    """Every host that a process was heard of lately, by its name."""
    since = db_now(-SAID * max(sample_s, WRITE_S))
    who = (col(SystemSample.host), col(SystemSample.service), col(SystemSample.pid))
    shares = (SystemSample.cpu_percent, SystemSample.memory_percent, SystemSample.disk_percent)
    lately = select(*who, *(col(share) for share in shares)).where(col(SystemSample.taken_at) > since)
    latest: dict[str, tuple[float, float]] = {}
    disks: dict[str, dict[tuple[str, int], float]] = {}
    for host, service, pid, cpu, memory, disk in session.execute(lately.order_by(col(SystemSample.taken_at))):
        latest[host] = (cpu, memory)
        # Two processes of one host may keep their scratch on different disks.
        disks.setdefault(host, {})[service, pid] = disk
    return {host: Host(*both, disk=max(disks[host].values())) for host, both in latest.items()}
