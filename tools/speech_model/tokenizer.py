"""The vocabulary: bytes, the ten words as one token each, then Whisper's special tokens in Whisper's order."""

from __future__ import annotations

from dataclasses import dataclass

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from tools.speech_model.phrases import WORDS

TIMESTAMPS = 1501  # from 0 to 30 s in steps of 20 ms
_SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
_TEXT_TOKENS = 420  # more than the merges below need


def build() -> Tokenizer:
    """Train the byte pairs and add the special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=_TEXT_TOKENS, min_frequency=2, show_progress=False, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    stamps = [f"<|{step * 0.02:.2f}|>" for step in range(TIMESTAMPS)]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in (*_SPECIAL, *stamps)])
    return tokenizer


def _texts() -> list[str]:
    # faster-whisper suppresses tokens such as " -" and " ♪" by their first token. Without merges of their own that
    # would be the bare space, which silence needs.
    marks = [" -", " '", *(f" {note}" for note in "♩♪♫♬♭♮♯")]
    return [" " + " ".join(WORDS)] * 20 + [*WORDS] * 5 + marks * 5


@dataclass(frozen=True)
class Tokens:
    """The numbers of the tokens that training needs."""

    end: int
    start: int
    previous: int
    nobody: int
    untimed: int
    zero_s: int  # the first timestamp; all others follow it
    blank: int
    words: tuple[int, ...]
    count: int

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Tokens:
        """Look them up."""
        return cls(
            end=_number(tokenizer, "<|endoftext|>"),
            start=_number(tokenizer, "<|startoftranscript|>"),
            previous=_number(tokenizer, "<|startofprev|>"),
            nobody=_number(tokenizer, "<|nospeech|>"),
            untimed=_number(tokenizer, "<|notimestamps|>"),
            zero_s=_number(tokenizer, "<|0.00|>"),
            blank=_only(tokenizer, " "),
            words=tuple(_only(tokenizer, f" {word}") for word in WORDS),
            count=tokenizer.get_vocab_size(),
        )


def _number(tokenizer: Tokenizer, name: str) -> int:
    number = tokenizer.token_to_id(name)
    assert number is not None, name
    return number


def _only(tokenizer: Tokenizer, text: str) -> int:
    (token,) = tokenizer.encode(text).ids
    return int(token)
