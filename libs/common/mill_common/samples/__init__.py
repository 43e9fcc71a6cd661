"""CPU, memory, disk and scratch of every process's machine, over time."""

from mill_common.samples.history import Point, Series, forget_samples, sample_history, step_s
from mill_common.samples.hosts import Host, hosts_now
from mill_common.samples.sampler import Sampler

__all__ = ["Host", "Point", "Sampler", "Series", "forget_samples", "hosts_now", "sample_history", "step_s"]
