"""Small pictures of one line: bars and sparklines, in letters where the terminal knows no better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Marks:
    """The characters that pictures are made of. `steps` go from nothing to all."""

    steps: str
    full: str
    empty: str
    pointer: str

    @classmethod
    def for_encoding(cls, encoding: str) -> Marks:
        """Those that the terminal can show."""
        if encoding.lower().replace("-", "").startswith("utf"):
            return cls(" ▁▂▃▄▅▆▇█", "█", "░", "›")
        return cls(" .:-=+*#@", "#", "-", ">")

    def bar(self, part: float, width: int) -> str:
        """A bar of which `part`, 0 to 1, is full."""
        full = int(max(0.0, min(1.0, part)) * width)
        return self.full * full + self.empty * (width - full)

    def sparkline(self, counts: Sequence[int]) -> str:
        """A character for each count, the highest at its full height. What is not zero is seen."""
        top = max(counts, default=0)
        last = len(self.steps) - 1
        return "".join(self.steps[-(-count * last // top)] if count > 0 else self.steps[0] for count in counts)
