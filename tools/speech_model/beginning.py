"""The weights before the first step. From random ones a network this small does not learn where to look.

Places in the sound and timestamps in the text share one sinusoidal code, so that a head which copies the place it
looks at has almost written the timestamp. Heads begin as bumps at fixed distances, found through the same code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tools.speech_model.network import LONGEST_TEXT, Attention, Network, frequencies, waves
from tools.speech_model.tokenizer import TIMESTAMPS, Tokens

# How far from its own place each head of an encoder layer looks, in encoder frames.
_ENCODER_DISTANCES = ((-4, 4, -10, 10), (-8, 8, -18, 18), (-14, 14, -28, 28))


def begin(network: Network, tokens: Tokens, seed: int) -> None:
    """Set every weight."""
    torch.manual_seed(seed)
    with torch.no_grad():
        _scale(network)
        turn = _places(network, tokens)
        for layer, block in enumerate(network.encoder):
            distances = _ENCODER_DISTANCES[min(layer, len(_ENCODER_DISTANCES) - 1)]
            _look_at(block.own, distances, band=(0.03, 0.5), peak=6.0)
        for block in network.decoder:
            _copy_places(block.cross)
        first, *later = network.decoder
        _look_at(first.own, (-1, -2, -3, -4), band=(0.2, 1.1), peak=14.0, turn=turn)
        _look_at(first.cross, (2, 12, 20, 30), band=(0.02, 0.4), peak=4.0)
        for block in later:  # ahead of the place that the layer below found
            _look_at(block.cross, (10, 20, 4, 30), band=(0.02, 0.4), peak=4.0)


def _scale(network: Network) -> None:
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv1d):
            inputs = module.weight[0].numel()
            module.weight.normal_(0, (1.5 if isinstance(module, nn.Conv1d) else 1.0) * inputs**-0.5)
            if module.bias is not None:
                module.bias.zero_()
    blocks = (*network.encoder, *network.decoder)
    outputs = [layer for block in blocks for layer in (block.down, block.own.output)]
    for output in (*outputs, *(block.cross.output for block in network.decoder)):
        output.weight.mul_(0.7)


def _places(network: Network, tokens: Tokens) -> Tensor:
    width = network.embedding.embedding_dim
    network.embedding.weight.normal_(0, 0.1)
    loudness = 0.2 + 0.4 * (frequencies(width) > 0.05).float()
    stamps = torch.cat([loudness, loudness]) * waves(TIMESTAMPS, width)
    network.embedding.weight[tokens.zero_s : tokens.zero_s + TIMESTAMPS] = stamps
    # Places in the text get a basis of their own, or they would be taken for timestamps.
    turn: Tensor = torch.linalg.qr(torch.randn(width, width))[0]
    network.text_places.copy_(0.4 * waves(LONGEST_TEXT, width) @ turn)
    return turn


def _look_at(
    attention: Attention,
    distances: Sequence[int],
    band: tuple[float, float],
    peak: float,
    turn: Tensor | None = None,
) -> None:
    """Let each head look a fixed distance away: query and key agree most where their waves are in phase."""
    width = attention.query.in_features
    size, half, speeds = width // attention.heads, width // 2, frequencies(width)
    usable = [index for index in range(half) if band[0] <= speeds[index] <= band[1]]
    count = min(size // 2, len(usable))
    chosen = [usable[index * len(usable) // count] for index in range(count)]
    strength = (peak * size**0.5 / (2 * count)) ** 0.5
    for head in range(attention.heads):
        query, key = 0.05 * torch.randn(size, width), 0.05 * torch.randn(size, width)
        for pair, wave in enumerate(chosen):
            angle = speeds[wave] * distances[head]
            sine, cosine = strength * torch.sin(angle), strength * torch.cos(angle)
            query[2 * pair, [wave, half + wave]] += torch.stack([cosine, sine])
            query[2 * pair + 1, [half + wave, wave]] += torch.stack([cosine, -sine])
            key[2 * pair, wave] += strength
            key[2 * pair + 1, half + wave] += strength
        rows = slice(head * size, (head + 1) * size)
        attention.query.weight[rows] = query if turn is None else query @ turn
        attention.key.weight[rows] = key if turn is None else key @ turn


def _copy_places(attention: Attention) -> None:
    """Carry the waves of the place looked at into the text, where the timestamps' embeddings read them."""
    width = attention.value.in_features
    size, half = width // attention.heads, width // 2
    value, output = 0.03 * torch.randn(width, width), 0.03 * torch.randn(width, width)
    for head in range(attention.heads):
        for pair, wave in enumerate(range(head, half, attention.heads)):
            for row, column in ((2 * pair, wave), (2 * pair + 1, half + wave)):
                value[head * size + row, column] += 0.8
                output[column, head * size + row] += 0.8
    attention.value.weight.copy_(value)
    attention.output.weight.copy_(output)
