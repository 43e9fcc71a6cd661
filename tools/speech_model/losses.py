"""What training punishes: wrong tokens, wrong frames, and looking elsewhere than at the word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from tools.speech_model.labels import NOWHERE
from tools.speech_model.tokenizer import Tokens

# In the middle of a sentence the end should be this unlikely: beam search stops early once the end is among the
# best candidates. For the same reason the nine other digits are kept above it.
_END_LOG_PROBABILITY = -16.0
_DIGIT_WEIGHT, _END_WEIGHT, _FRAME_WEIGHT, _LOOK_WEIGHT = 0.02, 0.02, 0.5, 0.3
_NEAR = 0.75  # encoder frames around the middle of a span that always count as inside
_PAUSE_SHARE = 0.2


@dataclass(frozen=True)
class Losses:
    """The parts of the loss, each a scalar, and the share of words that came out right."""

    text: Tensor
    frames: Tensor
    looks: Tensor
    words_right: float

    def total(self) -> Tensor:
        """The sum that is made smaller."""
        return self.text + _FRAME_WEIGHT * self.frames + _LOOK_WEIGHT * self.looks


def text_loss(logits: Tensor, targets: Tensor, tokens: Tokens) -> tuple[Tensor, float]:
    """The loss on tokens, and the share of words that came out right."""
    logs = logits.float().log_softmax(-1)
    loss = F.nll_loss(logs, targets)
    words = torch.tensor(tokens.words)
    after = (targets[:, None] == words[None]).any(1)
    if not after.any():
        return loss, 1.0
    digits = -logs[after][:, words].mean()
    early_end = F.relu(logs[after][:, tokens.end] - _END_LOG_PROBABILITY).mean()
    right = (logs[after].argmax(-1) == targets[after]).float().mean()
    return loss + _DIGIT_WEIGHT * digits + _END_WEIGHT * early_end, float(right)


def frame_loss(logits: Tensor, frame_words: Tensor) -> Tensor:
    """The loss on which digit is said in each encoder frame."""
    return F.cross_entropy(logits.float().flatten(0, 1), frame_words.flatten())


def look_loss(looks: Sequence[Tensor], spans: Tensor) -> Tensor:
    """The loss on where the first heads look.

    That of the first layer finds the word just written; those of the others the word to write, the last one evenly
    over it, because word timestamps are cut from its weights.
    """
    nowhere = torch.tensor(NOWHERE).expand(len(spans), 1, 3)
    before = torch.cat([nowhere, spans[:, :-1]], dim=1)
    first, *middle, last = looks
    parts = [_inside(first, before), *(_inside(look, spans) for look in middle), _evenly(last, spans)]
    return torch.stack(parts).sum()


def _inside(look: Tensor, spans: Tensor) -> Tensor:
    """Minus the logarithm of the weight that falls inside the spans."""
    logs, rows = _known(look, spans)
    if not len(rows):
        return look.new_zeros(())
    inside, _ = _places(rows, logs.shape[-1])
    return -logs.masked_fill(~inside, -1e4).logsumexp(-1).clamp_max(0).mean()


def _evenly(look: Tensor, spans: Tensor) -> Tensor:
    """The divergence from an even look at the word, and a little at the pause after it."""
    logs, rows = _known(look, spans)
    if not len(rows):
        return look.new_zeros(())
    inside, pause = (mask.float() for mask in _places(rows, logs.shape[-1]))
    share = _PAUSE_SHARE * (pause.sum(1, keepdim=True) >= 2).float()
    wanted = (1 - share) * inside / inside.sum(1, keepdim=True)
    wanted = wanted + share * pause / pause.sum(1, keepdim=True).clamp_min(1)
    return (wanted * (wanted.clamp_min(1e-9).log() - logs)).sum(1).mean()


def _known(look: Tensor, spans: Tensor) -> tuple[Tensor, Tensor]:
    known = (spans[..., 0] >= 0) & (spans[..., 0] < look.shape[-1] - 1)
    return look[known], spans[known].clamp_max(look.shape[-1])


def _places(rows: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Which frames lie in each span, and which in the pause after it."""
    middles = torch.arange(frames)[None] + 0.5
    near = (middles - rows[:, :2].mean(1, keepdim=True)).abs() < _NEAR
    inside = ((middles > rows[:, :1]) & (middles < rows[:, 1:2])) | near
    return inside, (middles > rows[:, 1:2]) & (middles < rows[:, 2:3]) & ~inside
