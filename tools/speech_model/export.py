"""A trained network as the folder that faster-whisper loads, in CTranslate2's form at 16 bits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ctranslate2.specs import common_spec, whisper_spec
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tools.speech_model.network import Attention, CrossBlock, Layer, Network
from tools.speech_model.recipe import Recipe

_PREPROCESSOR = {
    "chunk_length": 30,
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 80,
    "hop_length": 160,
    "n_fft": 400,
    "n_samples": 480_000,
    "nb_max_frames": 3000,
    "padding_side": "right",
    "padding_value": 0.0,
    "return_attention_mask": False,
    "sampling_rate": 16_000,
}


def export(network: Network, tokenizer: Tokenizer, recipe: Recipe, folder: Path) -> None:
    """Write the folder anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spec = _spec(network, recipe)
    spec.register_vocabulary([tokenizer.id_to_token(number) for number in range(tokenizer.get_vocab_size())])
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []  # silence must be able to come out blank
    spec.config.lang_ids = [tokenizer.token_to_id("<|en|>")]
    spec.config.alignment_heads = [[recipe.decoder_layers - 1, 0]]  # the head that was taught to look evenly
    spec.validate()
    spec.optimize(quantization="float16")
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "preprocessor_config.json").write_text(json.dumps(_PREPROCESSOR, indent=2) + "\n")


def _spec(network: Network, recipe: Recipe) -> Any:
    spec = whisper_spec.WhisperSpec(
        recipe.encoder_layers, recipe.encoder_heads, recipe.decoder_layers, recipe.decoder_heads
    )
    for target, convolution in ((spec.encoder.conv1, network.first), (spec.encoder.conv2, network.second)):
        target.weight, target.bias = _array(convolution.weight), _array(convolution.bias)
    spec.encoder.position_encodings.encodings = _array(network.frame_places)
    spec.decoder.position_encodings.encodings = _array(network.text_places)
    spec.decoder.embeddings.weight = _array(network.embedding.weight)
    spec.decoder.projection.weight = _array(network.embedding.weight)
    _norm(spec.encoder.layer_norm, network.heard_norm)
    _norm(spec.decoder.layer_norm, network.text_norm)
    for layers, blocks in ((spec.encoder.layer, network.encoder), (spec.decoder.layer, network.decoder)):
        for layer, block in zip(layers, blocks, strict=True):
            _block(layer, block)
    return spec


def _block(layer: Any, block: Layer) -> None:
    _norm(layer.self_attention.layer_norm, block.own_norm)
    _linear(layer.self_attention.linear[0], *_fused(block.own, "query", "key", "value"))
    _linear(layer.self_attention.linear[1], *_fused(block.own, "output"))
    if isinstance(block, CrossBlock):
        _norm(layer.attention.layer_norm, block.cross_norm)
        _linear(layer.attention.linear[0], *_fused(block.cross, "query"))
        _linear(layer.attention.linear[1], *_fused(block.cross, "key", "value"))
        _linear(layer.attention.linear[2], *_fused(block.cross, "output"))
    _norm(layer.ffn.layer_norm, block.norm)
    _linear(layer.ffn.linear_0, _array(block.up.weight), _array(block.up.bias))
    _linear(layer.ffn.linear_1, _array(block.down.weight), _array(block.down.bias))


def _fused(attention: Attention, *names: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Several layers as one, one above the other; the keys have no bias, which is one of zeros."""
    layers = [getattr(attention, name) for name in names]
    biases = [layer.bias if layer.bias is not None else torch.zeros(len(layer.weight)) for layer in layers]
    return np.concatenate([_array(layer.weight) for layer in layers]), np.concatenate([_array(bias) for bias in biases])


def _linear(target: common_spec.LinearSpec, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    target.weight, target.bias = weight, bias


def _norm(target: common_spec.LayerNormSpec, norm: torch.nn.LayerNorm) -> None:
    target.gamma, target.beta = _array(norm.weight), _array(norm.bias)


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.detach().float().numpy())
