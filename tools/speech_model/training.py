"""The training itself: resumes from its last checkpoint, and then takes the same steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from tools.speech_model.batches import Batch, Batches
from tools.speech_model.beginning import begin
from tools.speech_model.labels import IGNORE
from tools.speech_model.losses import Losses, frame_loss, look_loss, text_loss
from tools.speech_model.network import Network
from tools.speech_model.recipe import Recipe
from tools.speech_model.tokenizer import Tokens

_SAVE_EVERY = 100
_REPORT_EVERY = 50


class Training:
    """A network, its optimizer and the number of steps taken."""

    def __init__(self, recipe: Recipe, tokenizer: Tokenizer, checkpoint: Path) -> None:
        self.tokens = Tokens.of(tokenizer)
        self.network = Network(recipe, self.tokens.count)
        begin(self.network, self.tokens, recipe.seed)
        self._optimizer = torch.optim.AdamW(self.network.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
        self._recipe, self._checkpoint, self._taken = recipe, checkpoint, 0
        if checkpoint.exists():
            self._resume()

    def run(self, shards: Sequence[Path]) -> None:
        """Take all steps that are left."""
        steps = self._recipe.steps()
        batches = Batches(shards, self.tokens, steps, self._recipe.seed)
        loader = DataLoader(
            batches, batch_size=None, sampler=range(self._taken, len(steps)), num_workers=1, prefetch_factor=4
        )
        begun = time.monotonic()
        for batch in loader:
            step = steps[self._taken]
            losses = self._step(batch, step.rate)
            self._taken += 1
            if self._taken % _SAVE_EVERY == 0 or self._taken == len(steps):
                self._save()
            if self._taken % _REPORT_EVERY == 0 or self._taken == len(steps):
                _report(self._taken, len(steps), step.phase, losses, time.monotonic() - begun)

    def _step(self, batch: Batch, rate: float) -> Losses:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        losses = self._losses(*(torch.from_numpy(array) for array in astuple(batch)))
        self._optimizer.zero_grad()
        losses.total().backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimizer.step()
        return losses

    def _losses(
        self, logs: Tensor, frame_words: Tensor, inputs: Tensor, targets: Tensor, spans: Tensor, offsets: Tensor
    ) -> Losses:
        network = self.network
        learnt = targets != IGNORE
        with torch.autocast("cpu", dtype=torch.bfloat16):
            heard = network.encode(logs, offsets)
            states, looks = network.decode(inputs, heard)
            logits = F.linear(states[learnt], network.embedding.weight)
            frame_logits = network.frame_words(heard)
        text, right = text_loss(logits, targets[learnt], self.tokens)
        return Losses(text, frame_loss(frame_logits, frame_words), look_loss(looks, spans), right)

    def _save(self) -> None:
        partial = self._checkpoint.with_suffix(".part")
        network, optimizer = self.network.state_dict(), self._optimizer.state_dict()
        torch.save({"taken": self._taken, "network": network, "optimizer": optimizer}, partial)
        partial.replace(self._checkpoint)

    def _resume(self) -> None:
        saved = torch.load(self._checkpoint, weights_only=True)
        self.network.load_state_dict(saved["network"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self._taken = saved["taken"]


def _report(taken: int, steps: int, phase: str, losses: Losses, seconds: float) -> None:
    parts = f"text {losses.text:.3f} frames {losses.frames:.3f} looks {losses.looks:.3f}"
    print(f"step {taken}/{steps} {phase}: {parts} words right {losses.words_right:.0%} ({seconds:.0f} s)", flush=True)
