from collections.abc import Iterator
from pathlib import Path

import pytest

from mill_common.settings import Settings
from mill_transcriber.handlers import engine_for, options_from


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings with the model that knows the digits; its engine is shared by the whole run."""
    made = Settings(data_dir=Path(tmp_path_factory.mktemp("data")), whisper_model="tiny-digits", whisper_batch=2)
    yield made
    engine_for(options_from(made)).close()
