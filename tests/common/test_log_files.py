"""The four log files, shared by processes. Requirement P5."""

from __future__ import annotations

import json
import logging
import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from mill_common.log_files import FILES, LogFile, SharedFileHandler, log_files, open_log_files
from mill_common.logs import configure_logs, set_level
from mill_common.settings import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where logs go, configured as a service does it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logs(Settings(data_dir=tmp_path, log_dir=tmp_path / "logs"), "transcoder")
    yield tmp_path / "logs"
    for handler in root.handlers:
        if isinstance(handler, SharedFileHandler):
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("mill_transcoder", "mill_transcriber", "mill_common.worker"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


def _lines(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def _events(folder: Path) -> dict[str, list[str]]:
    return {file.name: [line["event"] for line in _lines(folder, file.name)] for file in FILES if _there(folder, file)}


def _there(folder: Path, file: LogFile) -> bool:
    return (folder / file.name).exists()


def test_the_sizes_and_backups_are_those_asked_for() -> None:
    mib = 2**20
    assert [(file.name, file.max_bytes, file.backups) for file in FILES] == [
        ("application.log", 50 * mib, 5),
        ("media_processing.log", 100 * mib, 10),
        ("errors.log", 20 * mib, 5),
        ("performance.log", 20 * mib, 3),
    ]


def test_each_file_takes_what_is_its_own(folder: Path) -> None:
    structlog.get_logger("mill_api.jobs").info("created")
    structlog.get_logger("mill_api.jobs").debug("detail")
    structlog.get_logger("mill_transcoder.encode").debug("frame")
    structlog.get_logger("mill_transcoder.encode").error("crashed")
    structlog.get_logger("mill.performance").warning("slow_step")
    logging.getLogger("library").warning("foreign")
    assert _events(folder) == {
        "application.log": ["created", "crashed", "slow_step", "foreign"],
        "media_processing.log": ["frame", "crashed"],
        "errors.log": ["crashed"],
        "performance.log": ["slow_step"],
    }


def test_a_line_says_where_in_the_program_it_comes_from(folder: Path) -> None:
    structlog.get_logger("mill_api.jobs").info("created", password="s3cr3t")
    [line] = _lines(folder, "application.log")
    assert (line["module"], line["function"]) == ("test_log_files", sys._getframe().f_code.co_name)
    assert {"timestamp", "level", "logger", "line", "process_id", "thread_id", "service"} <= line.keys()
    assert "s3cr3t" not in json.dumps(line)


def test_the_level_of_the_console_is_not_that_of_the_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_level("ERROR")
    structlog.get_logger("mill_api.jobs").info("created")
    set_level("DEBUG")
    structlog.get_logger("mill_api.jobs").debug("detail")
    assert _events(folder)["application.log"] == ["created"]


def test_a_full_file_is_turned_over_and_the_oldest_goes(tmp_path: Path) -> None:
    handler = SharedFileHandler(tmp_path, LogFile("a.log", logging.INFO, 25, 2))
    for number in range(9):
        handler.emit(logging.makeLogRecord({"msg": f"line {number}", "levelno": logging.INFO}))
    handler.close()
    kept = {path.name: path.read_text().split("\n")[:-1] for path in tmp_path.iterdir() if path.name[0] != "."}
    assert kept == {
        "a.log": ["line 6", "line 7", "line 8"],
        "a.log.1": ["line 3", "line 4", "line 5"],
        "a.log.2": ["line 0", "line 1", "line 2"],
    }


def _write_many(folder: Path, who: int, count: int) -> None:
    handler = SharedFileHandler(folder, LogFile("a.log", logging.INFO, 150, 900))
    for number in range(count):
        handler.emit(logging.makeLogRecord({"msg": f"{who}:{number}", "levelno": logging.INFO}))
    handler.close()


def test_no_line_of_several_processes_is_lost_or_torn(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write_many, args=(tmp_path, who, 600)) for who in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    files = [path for path in tmp_path.iterdir() if path.name[0] != "."]
    found = [line for path in files for line in path.read_text().splitlines()]
    assert len(files) > 30
    assert max(path.stat().st_size for path in files) <= 150
    assert sorted(found) == sorted(f"{who}:{number}" for who in range(3) for number in range(600))


def test_a_file_that_somebody_else_moved_away_is_made_again(tmp_path: Path) -> None:
    handler = SharedFileHandler(tmp_path, FILES[0])
    handler.emit(logging.makeLogRecord({"msg": "before", "levelno": logging.INFO}))
    (tmp_path / "application.log").rename(tmp_path / "moved")
    handler.emit(logging.makeLogRecord({"msg": "after", "levelno": logging.INFO}))
    handler.close()
    assert (tmp_path / "application.log").read_text() == "after\n"


def test_a_folder_that_is_gone_costs_the_line_alone(tmp_path: Path) -> None:
    handler = SharedFileHandler(tmp_path / "nowhere", FILES[0])
    handler.emit(logging.makeLogRecord({"msg": "lost", "levelno": logging.INFO}))
    handler.close()
    assert list(tmp_path.iterdir()) == []


def test_the_settings_give_every_file_another_size_and_number(tmp_path: Path) -> None:
    """P7: `MILL_LOG_ROTATION_BYTES` and `MILL_LOG_BACKUP_COUNT`."""
    chosen = Settings(data_dir=tmp_path, log_rotation_bytes=2048, log_backup_count=1)
    assert {(file.max_bytes, file.backups) for file in log_files(chosen)} == {(2048, 1)}
    none_kept = Settings(data_dir=tmp_path, log_rotation_bytes=1024, log_backup_count=0)
    handler = open_log_files(tmp_path / "logs", none_kept)[0]
    for number in range(40):
        handler.emit(logging.LogRecord("x", logging.INFO, __file__, 1, f"{number} " + "x" * 100, None, None))
    handler.close()
    assert [path.name for path in (tmp_path / "logs").glob("application*")] == ["application.log"]
    assert (tmp_path / "logs" / "application.log").stat().st_size <= 1024
