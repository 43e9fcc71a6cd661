"""Whisper's network, small. A window may be shorter than half a minute and start anywhere in it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tools.speech_model.mel import BANDS
from tools.speech_model.recipe import FULL_WINDOW, Recipe

LONGEST_TEXT = 448  # tokens


def waves(count: int, width: int) -> Tensor:
    """Whisper's sinusoidal code of the places 0 to `count` - 1: sines, then cosines."""
    angles = torch.arange(count)[:, None] * frequencies(width)[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def frequencies(width: int) -> Tensor:
    """The angle per place of each sine, falling from 1 to 1/10000."""
    half = width // 2
    return 10_000.0 ** (-torch.arange(half) / (half - 1))


class Attention(nn.Module):
    """Heads that look from one sequence at another, or at itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, own: Tensor, other: Tensor, causal: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """What each place of `own` reads in `other`, and the queries and keys by which it found it."""
        query, key, value = self._split(self.query(own)), self._split(self.key(other)), self._split(self.value(other))
        read = F.scaled_dot_product_attention(query, key, value, is_causal=causal)
        return self.output(read.transpose(1, 2).flatten(2)), query, key

    def _split(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def first_look(query: Tensor, key: Tensor) -> Tensor:
    """The logarithms of the first head's weights: where each place looks."""
    query, key = query[:, 0].float(), key[:, 0].float()
    return ((query * query.shape[-1] ** -0.5) @ key.transpose(1, 2)).log_softmax(-1)


class Layer(nn.Module):
    """What the layers of encoder and decoder share: a look at the sequence itself, then a thought on each place."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.own_norm, self.own = nn.LayerNorm(width), Attention(width, heads)
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def _remember(self, states: Tensor, causal: bool) -> Tensor:
        normed = self.own_norm(states)
        read, _, _ = self.own(normed, normed, causal)
        return states + read

    def _think(self, states: Tensor) -> Tensor:
        return states + self.down(F.gelu(self.up(self.norm(states))))


class Block(Layer):
    """One layer of the encoder."""

    def forward(self, states: Tensor) -> Tensor:
        """The next states."""
        return self._think(self._remember(states, causal=False))


class CrossBlock(Layer):
    """One layer of the decoder: it also looks at what the encoder heard."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.cross_norm, self.cross = nn.LayerNorm(width), Attention(width, heads)

    def forward(self, states: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        """The next states, and where the first head looks."""
        states = self._remember(states, causal=True)
        read, query, key = self.cross(self.cross_norm(states), heard)
        return self._think(states + read), first_look(query, key)


class Network(nn.Module):
    """Encoder and decoder, and a reader of single frames that only training uses."""

    def __init__(self, recipe: Recipe, tokens: int) -> None:
        super().__init__()
        width = recipe.width
        self.first = nn.Conv1d(BANDS, width, 3, padding=1)
        self.second = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.register_buffer("frame_places", 0.5 * waves(FULL_WINDOW, width))
        self.encoder = nn.ModuleList(Block(width, recipe.encoder_heads) for _ in range(recipe.encoder_layers))
        self.heard_norm = nn.LayerNorm(width)
        self.frame_words = nn.Linear(width, 11)
        self.embedding = nn.Embedding(tokens, width)
        self.text_places = nn.Parameter(torch.zeros(LONGEST_TEXT, width))
        self.decoder = nn.ModuleList(CrossBlock(width, recipe.decoder_heads) for _ in range(recipe.decoder_layers))
        self.text_norm = nn.LayerNorm(width)

    def encode(self, logs: Tensor, offsets: Tensor) -> Tensor:
        """What is heard in windows of bands × frames that start `offsets` encoder frames into the half minute."""
        states = F.gelu(self.second(F.gelu(self.first(logs)))).transpose(1, 2)
        states = states + self.frame_places[offsets[:, None] + torch.arange(states.shape[1])]
        for block in self.encoder:
            states = block(states)
        return self.heard_norm(states)

    def decode(self, inputs: Tensor, heard: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The states after each token, and where the first head of each layer looks."""
        states = self.embedding(inputs) + self.text_places[: inputs.shape[1]]
        looks = []
        for block in self.decoder:
            states, look = block(states, heard)
            looks.append(look)
        return self.text_norm(states), looks
