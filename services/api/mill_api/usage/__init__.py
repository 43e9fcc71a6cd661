"""Who asks for what, how often and how long it takes: counted in memory, written down every few seconds."""

from mill_api.usage.meter import Meter, Tally

__all__ = ["Meter", "Tally"]
