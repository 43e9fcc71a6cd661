"""Who speaks: the voices of espeak-ng, and those that training never hears."""

from __future__ import annotations

import random

ACCENTS = ("en", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029", "en-us-nyc")
HELD_OUT_ACCENT = "en-gb-x-gbclan"
HELD_OUT_VARIANTS = (
    "f3", "m4", "Annie", "Andy", "linda", "Michael", "ed", "Hugo", "m8", "john", "antonio", "grandma",
)  # fmt: skip
# These whisper, growl or change their speed: nobody would call their digits clear.
_ODD_VARIANTS = ("Demonic", "whisper", "whisperf", "Mr serious", "UniRobot", "fast", "AnxiousAndy", "Tweaky")
_PLAIN_SHARE = 0.08


def training_variants(installed: list[str]) -> list[str]:
    """The variants of a voice that training may use, of those installed."""
    return sorted(set(installed) - set(HELD_OUT_VARIANTS) - set(_ODD_VARIANTS))


def training_voice(rng: random.Random, variants: list[str]) -> str:
    """Draw an accent, mostly with a variant of the speaker."""
    accent = rng.choice(ACCENTS)
    return accent if rng.random() < _PLAIN_SHARE else f"{accent}+{rng.choice(variants)}"
