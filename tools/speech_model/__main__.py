"""From nothing to a checked model: `python -m tools.speech_model [--smoke] [--work FOLDER] [--output FOLDER]`.

What is done already is not done again: delete the work folder to begin anew. Needs espeak-ng and the packages in
requirements.txt; `tools/speech_model/make` installs those first.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import torch

from tools.speech_model import corpus, tokenizer
from tools.speech_model.evaluate import check
from tools.speech_model.export import export
from tools.speech_model.recipe import FULL, SMOKE, Recipe
from tools.speech_model.training import Training


def make(recipe: Recipe, work: Path, output: Path, processes: int) -> float:
    """Synthesise, train, export and measure; returns the word error rate on held-out voices."""
    work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(processes)
    shards = corpus.synthesise(work / "speech", recipe.utterances, recipe.shards, recipe.seed, processes)
    vocabulary = tokenizer.build()
    training = Training(recipe, vocabulary, work / "training.pt")
    training.run(shards)
    export(training.network, vocabulary, recipe, output)
    return check(output)


def main() -> int:
    """Read the command line; 1 if the model is worse than the recipe allows."""
    parser = argparse.ArgumentParser(prog="python -m tools.speech_model", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="go through every stage with a pinch of speech")
    parser.add_argument("--work", type=Path, default=Path("build/speech-model"))
    parser.add_argument("--output", type=Path, help="the model's folder; `model` in the work folder if not given")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parsed = parser.parse_args()
    recipe = SMOKE if parsed.smoke else FULL
    errors = make(recipe, parsed.work, parsed.output or parsed.work / "model", parsed.processes)
    print(f"word error rate on held-out voices: {errors:.1%}")
    return int(recipe.most_errors is not None and errors > recipe.most_errors)


if __name__ == "__main__":
    sys.exit(main())
