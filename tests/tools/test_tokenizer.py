"""The vocabulary has Whisper's layout, in what the recipe builds and in what ships."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

import mill_transcriber
from tools.speech_model.phrases import WORDS
from tools.speech_model.tokenizer import TIMESTAMPS, Tokens, build

SHIPPED = Path(mill_transcriber.__file__).parent / "model" / "tokenizer.json"
ORDER = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
    "<|0.00|>",
    "<|0.02|>",
]


@pytest.fixture(scope="module", params=["built", "shipped"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return build() if request.param == "built" else Tokenizer.from_file(str(SHIPPED))


def test_each_digit_with_its_space_is_one_token(tokenizer: Tokenizer) -> None:
    text = " " + " ".join(WORDS)
    numbers = tokenizer.encode(text).ids
    assert len(numbers) == len(set(numbers)) == len(WORDS)
    assert tokenizer.decode(numbers) == text
    assert tuple(numbers) == Tokens.of(tokenizer).words


def test_special_tokens_follow_the_text_in_the_order_that_faster_whisper_expects(tokenizer: Tokenizer) -> None:
    first = Tokens.of(tokenizer).end
    assert [tokenizer.id_to_token(first + index) for index in range(len(ORDER))] == ORDER
    assert tokenizer.id_to_token(tokenizer.get_vocab_size() - 1) == "<|30.00|>"
    assert tokenizer.get_vocab_size() == Tokens.of(tokenizer).zero_s + TIMESTAMPS


def test_any_text_survives_the_built_vocabulary(tokenizer: Tokenizer) -> None:
    text = "Grüße, 東京 ♪ 42\n"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
