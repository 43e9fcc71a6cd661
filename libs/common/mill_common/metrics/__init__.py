"""What a process counts and measures, for Prometheus.

Names follow Prometheus' rules: base units, `_total` for what only rises, no ids as labels. What is counted where it
happens is in `instruments`: a line there, and a call where it happens, make a new one. What only the rows know is read
when somebody asks, by a collector.
"""

from mill_common.metrics.exposition import CONTENT_TYPE, Exposition
from mill_common.metrics.instruments import REGISTRY

__all__ = ["CONTENT_TYPE", "REGISTRY", "Exposition"]
