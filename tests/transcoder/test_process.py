from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from folder_job import FolderTask
from transcoder.conftest import Left, MakeJob

from mill_common.errors import ChildFailed, ChildStalled, SourceTooLarge, TaskCancelled
from mill_transcoder.process import Ended, run_child
from mill_transcoder.progress import ProgressLines
from mill_transcoder.verdict import machine_at_fault

TESTS = Path(__file__).parents[1]


@pytest.fixture
def task_of(job_of: MakeJob) -> Callable[..., FolderTask]:
    def make(**settings: object) -> FolderTask:
        return job_of(Path(__file__), **settings).task("encode-000")

    return make


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def run(task: FolderTask, code: str, terminate_s: float = 0.3) -> Ended:
    return run_child(task, python(code), cwd=task.scratch, terminate_s=terminate_s)


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "what was waited for did not happen"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def read_pid(path: Path) -> int:
    wait_until(lambda: path.exists() and path.read_text().endswith("."))
    return int(path.read_text().rstrip("."))


def put_down_when(task: FolderTask, path: Path) -> threading.Thread:
    def wait() -> None:
        wait_until(path.exists)
        task.put_down(TaskCancelled())

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_child_hands_back_its_words_status_and_use(task_of: Callable[..., FolderTask]) -> None:
    task = task_of()
    ended = run(task, "import sys; sum(range(3_000_000)); print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (ended.code, ended.stdout, ended.stderr) == (3, "out\n", "err\n")
    assert ended.cpu_s > 0
    assert ended.peak_memory > 2**20
    assert task.cpu_s == pytest.approx(ended.cpu_s)
    assert task.log_tail == "err\n"


def test_what_a_child_uses_is_known_while_it_runs(task_of: Callable[..., FolderTask]) -> None:
    task = task_of(stall_s=2.0)
    seen: list[tuple[float, int, str]] = []

    def look() -> None:
        wait_until(lambda: task.cpu_s > 0 and task.peak_memory > 0 and task.log_tail != "")
        seen.append((task.cpu_s, task.peak_memory, task.log_tail))
        task.put_down(TaskCancelled())

    looking = threading.Thread(target=look)
    looking.start()
    code = "import sys\nsys.stderr.write('words\\n')\nwhile True: print(sum(range(100_000)), flush=True)"
    with pytest.raises(TaskCancelled):
        run_child(task, python(code), cwd=task.scratch, on_line=lambda _: True, terminate_s=0.3)
    looking.join()
    assert seen[0][2] == "words\n"
    assert task.cpu_s >= seen[0][0]


def test_a_small_child_of_a_large_worker_is_small(task_of: Callable[..., FolderTask]) -> None:
    ballast = b"x" * (64 * 2**20)
    task = task_of()
    ended = run_child(task, ["sleep", "0.5"], cwd=task.scratch)
    assert 0 < ended.peak_memory < len(ballast)
    ended = run(task, "import time; x = b'x' * (200 * 2**20); time.sleep(0.5)")
    assert ended.peak_memory > 200 * 2**20


def test_a_child_that_floods_stderr_ends_and_only_the_last_of_it_is_kept(task_of: Callable[..., FolderTask]) -> None:
    ended = run(task_of(), "import sys\nfor n in range(400_000): sys.stderr.write(f'line {n} of a flood\\n')")
    assert ended.code == 0
    assert ended.stderr.endswith("line 399999 of a flood\n")
    assert len(ended.stderr) <= 16 * 1024


def test_a_child_that_floods_stdout_is_stopped(task_of: Callable[..., FolderTask], left: Left) -> None:
    with pytest.raises(ChildFailed, match="standard output"):
        run(task_of(), "import os\nwhile True: os.write(1, b'x' * 65536)")
    assert left() == set()


def test_repeated_progress_lines_are_no_progress(task_of: Callable[..., FolderTask], left: Left) -> None:
    task = task_of(stall_s=0.5)
    code = "import time\nwhile True: print('frame=5\\nout_time_us=7\\nprogress=continue', flush=True); time.sleep(.05)"
    seen: list[tuple[int, int]] = []
    lines = ProgressLines(lambda frames, out_us: seen.append((frames, out_us)))
    with pytest.raises(ChildStalled):
        run_child(task, python(code), cwd=task.scratch, on_line=lines, terminate_s=0.3)
    assert set(seen) == {(5, 7)}
    assert left() == set()


def test_a_child_whose_files_grow_is_not_stalled(task_of: Callable[..., FolderTask]) -> None:
    code = "import time\nwith open('grows', 'wb', 0) as f:\n for n in range(30): f.write(b'x'); time.sleep(.1)"
    assert run(task_of(stall_s=1.5), code).code == 0


def test_a_child_that_ignores_sigterm_is_killed(task_of: Callable[..., FolderTask]) -> None:
    task = task_of()
    code = "import os, signal, time; signal.signal(15, signal.SIG_IGN); open('pid', 'w').write(f'{os.getpid()}.')"
    thread = put_down_when(task, task.scratch / "pid")
    with pytest.raises(TaskCancelled):
        run(task, code + "; time.sleep(600)")
    thread.join()
    assert not is_alive(read_pid(task.scratch / "pid"))


def test_a_child_may_end_in_order_when_it_is_told_to_stop(task_of: Callable[..., FolderTask]) -> None:
    task = task_of()
    code = """
import signal, sys, time
def end(*_):
    open('ended', 'w').close()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open('ready', 'w').close()
time.sleep(600)
"""
    thread = put_down_when(task, task.scratch / "ready")
    with pytest.raises(TaskCancelled):
        run(task, code, terminate_s=60)
    thread.join()
    assert (task.scratch / "ended").exists()


def test_what_the_child_started_ends_with_it(task_of: Callable[..., FolderTask]) -> None:
    task = task_of()
    code = """
import subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
open('pid', 'w').write(f'{child.pid}.')
"""
    assert run(task, code).code == 0
    grandchild = read_pid(task.scratch / "pid")
    wait_until(lambda: not is_alive(grandchild))


def test_killing_the_worker_kills_its_child(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from folder_job import FolderJob
from transcoder.test_process import python
from mill_transcoder.process import run_child
task = FolderJob.of(Path({str(tmp_path)!r}), Path({__file__!r})).task('encode-000')
code = "import os, time; open('../../pid', 'w').write(f'{{os.getpid()}}.'); time.sleep(600)"
run_child(task, python(code), cwd=task.scratch)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    worker = subprocess.Popen([sys.executable, "-c", script], env=environment)
    child = read_pid(tmp_path / "pid")
    assert is_alive(child)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not is_alive(child))


def test_a_child_may_not_take_more_memory_than_allowed(task_of: Callable[..., FolderTask]) -> None:
    ended = run(task_of(child_memory=256 * 2**20), "x = bytearray(2**30)")
    assert ended.code != 0
    assert "MemoryError" in ended.stderr


def test_a_file_may_not_grow_larger_than_allowed(task_of: Callable[..., FolderTask]) -> None:
    task = task_of(child_file_size=100_000)
    ended = run_child(task, ["head", "-c", "1000000", "/dev/zero"], cwd=task.scratch, on_line=lambda line: False)
    assert ended.code == 0  # a pipe is no file
    ended = run_child(task, ["dd", "if=/dev/zero", "of=big", "bs=1000", "count=1000"], cwd=task.scratch)
    assert isinstance(machine_at_fault(ended, "dd"), SourceTooLarge)
    assert (task.scratch / "big").stat().st_size == 100_000


def test_a_child_sees_no_secret_of_the_worker(
    task_of: Callable[..., FolderTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILL_SIGNING_KEY", "secret")
    ended = run(task_of(), "import os; print(sorted(os.environ))")
    assert "PATH" in ended.stdout
    assert "MILL" not in ended.stdout


def test_a_command_that_is_not_there_may_be_there_later(task_of: Callable[..., FolderTask]) -> None:
    task = task_of()
    with pytest.raises(ChildFailed, match="not there"):
        run_child(task, ["/nowhere/ffmpeg"], cwd=task.scratch)


def test_nothing_starts_once_the_task_is_put_down(task_of: Callable[..., FolderTask]) -> None:
    task = task_of()
    task.put_down(TaskCancelled())
    with pytest.raises(TaskCancelled):
        run(task, "open('started', 'w')")
    assert not (task.scratch / "started").exists()


def test_a_killed_child_is_no_fault_of_the_source() -> None:
    ended = Ended(code=-9, stdout="", stderr="", cpu_s=0, peak_memory=0)
    error = machine_at_fault(ended, "ffmpeg")
    assert isinstance(error, ChildFailed)
    assert "SIGKILL" in error.message
