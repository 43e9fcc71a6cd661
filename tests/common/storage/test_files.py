"""What only the file store must do: with its disk, its leftovers and its neighbours."""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mill_common.errors import SourceMissing, StorageUnavailable
from mill_common.settings import Settings
from mill_common.storage import FileStore, UploadInvalid, UploadPart, open_store
from mill_common.storage.file_links import PartTarget
from mill_common.storage.file_tree import path_of, segment_of
from mill_common.storage.file_types import FileTypes

MIB = 2**20


def put(store: FileStore, key: str, data: bytes = b"1", content_type: str = "video/mp4") -> None:
    store.put(key, io.BytesIO(data), size=len(data), content_type=content_type)


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def root(file_store: FileStore) -> Path:
    return Path(file_store.check()["folder"])


def test_a_local_file_is_linked_not_copied(file_store: FileStore, tmp_path: Path) -> None:
    local = tmp_path / "made"
    local.write_bytes(b"bytes")
    file_store.put_file("key", local, content_type="video/mp4")
    assert file_store.fetch("key", tmp_path / "unused").samefile(local)


def test_deleting_leaves_no_folder_and_no_note(file_store: FileStore, root: Path) -> None:
    put(file_store, "jobs/1/a.mp4", content_type="video/x-odd")
    put(file_store, "jobs/2/a.mp4")
    file_store.delete(["jobs/1/a.mp4"])
    assert [path.name for path in (root / "keys" / "jobs+").iterdir()] == ["2+"]
    assert files_below(root / "types") == []
    file_store.delete(["jobs/2/a.mp4"])
    assert list((root / "keys").iterdir()) == []
    assert list((root / "types").iterdir()) == []


def test_names_of_files_and_folders_never_meet(tmp_path: Path) -> None:
    segments = ["a", "a+", "a=", "a+=", "a==", "a+==", "a++", "a=+", "+", "="]
    files = [path_of(tmp_path, segment).name for segment in segments]
    folders = [path_of(tmp_path, segment + "/x").parent.name for segment in segments]
    assert len({*files, *folders}) == 2 * len(segments)
    assert [segment_of(name) for name in files] == segments
    assert [segment_of(name) for name in folders] == segments


def test_puts_and_deletes_in_one_folder_do_not_trip_each_other(file_store: FileStore) -> None:
    failures: list[BaseException] = []

    def come_and_go(number: int) -> None:
        try:
            for _ in range(40):
                put(file_store, f"shared/folder/{number}", content_type="video/x-odd")
                assert file_store.stat(f"shared/folder/{number}").content_type == "video/x-odd"
                list(file_store.list("shared/"))
                file_store.delete([f"shared/folder/{number}"])
        except BaseException as error:  # noqa: BLE001 - told to the main thread
            failures.append(error)

    threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(file_store.list("")) == []


def test_a_type_is_noted_under_the_lock_of_the_folder(
    file_store: FileStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce, held = FileTypes.announce, []

    def look(types: FileTypes, *about: Any) -> None:
        descriptor = os.open(root / "keys" / "jobs+", os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.append(about[0])
        finally:
            os.close(descriptor)
        announce(types, *about)

    monkeypatch.setattr(FileTypes, "announce", look)
    put(file_store, "jobs/a.mp4", content_type="video/x-odd")
    assert held == ["jobs/a.mp4"]
    assert file_store.stat("jobs/a.mp4").content_type == "video/x-odd"


def test_an_object_replaced_while_it_is_looked_at_is_looked_at_again(
    file_store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(file_store, "key", b"old", "video/x-old")
    find, puts = FileTypes.find, [(b"newest", "video/x-newest"), (b"newer", "video/x-newer")]

    def find_late(types: FileTypes, key: str, stat: os.stat_result) -> str:
        if puts:
            put(file_store, key, *puts.pop())
        return find(types, key, stat)

    monkeypatch.setattr(FileTypes, "find", find_late)
    found = file_store.stat("key")
    assert (found.size, found.content_type) == (6, "video/x-newest")


KILLED = """
import io, os, signal, sys
from mill_common.settings import Settings
from mill_common.storage import file_types, files, open_store

store = open_store(Settings())
die = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)

class Dying(io.BytesIO):
    def read(self, size=-1):
        return super().read(size) or die()

if sys.argv[1] == "writing":
    store.put("key.mp4", Dying(b"new"), size=None, content_type="video/x-new")
elif sys.argv[1] == "before its place is taken":
    files.Path.replace = lambda self, target: die() if "keys" in target.parts else os.replace(self, target)
    store.put("key.mp4", io.BytesIO(b"new"), size=3, content_type="video/x-new")
else:
    file_types.FileTypes.settle = die
    store.put("key.mp4", io.BytesIO(b"new"), size=3, content_type="video/x-new")
"""


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("writing", (b"old", "video/x-old")),
        ("before its place is taken", (b"old", "video/x-old")),
        ("after its place is taken", (b"new", "video/x-new")),
    ],
)
def test_a_kill_leaves_the_old_object_or_the_new_one_with_its_type(
    file_store: FileStore, root: Path, moment: str, expected: tuple[bytes, str]
) -> None:
    put(file_store, "key.mp4", b"old", "video/x-old")
    environment = {**os.environ, "MILL_DATA_DIR": str(root.parent)}
    killed = subprocess.run([sys.executable, "-c", KILLED, moment], env=environment, check=False)
    assert killed.returncode == -9
    found = (b"".join(file_store.get("key.mp4")), file_store.stat("key.mp4").content_type)
    assert found == expected
    open_store(Settings(data_dir=root.parent))
    assert list((root / "temporary").iterdir()) == []
    put(file_store, "key.mp4", b"newer", "video/mp4")
    assert file_store.stat("key.mp4").content_type == "video/mp4"
    assert files_below(root / "types") == []


def test_opening_a_store_spares_what_others_are_writing(file_store: FileStore, root: Path) -> None:
    class Opening(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            open_store(Settings(data_dir=root.parent))
            return super().read(size)

    (root / "temporary" / "left").write_bytes(b"by a dead process")
    file_store.put("key", Opening(b"bytes"), size=None, content_type="video/mp4")
    assert b"".join(file_store.get("key")) == b"bytes"
    assert list((root / "temporary").iterdir()) == []


FULL_DISK = """
import io, resource, sys
from pathlib import Path
from mill_common.errors import StorageUnavailable
from mill_common.settings import Settings
from mill_common.storage import open_store

store = open_store(Settings())
if len(sys.argv) > 1:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
for size in (None, 8 << 20):
    try:
        store.put("folder/big", io.BytesIO(bytes(8 << 20)), size=size, content_type="video/mp4")
    except StorageUnavailable as error:
        print(error)
print([found.key for found in store.list("")])
print([path.name for path in Path(store.check()["folder"], "temporary").iterdir()])
store.put("folder/small", io.BytesIO(b"fits"), size=4, content_type="video/mp4")
print([found.key for found in store.list("")])
"""


def run_full(data_dir: Path, *limit: str) -> list[str]:
    environment = {**os.environ, "MILL_DATA_DIR": str(data_dir)}
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, *limit], env=environment, capture_output=True, text=True, check=True
    )
    return child.stdout.splitlines()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small disk can only be mounted by root; the file size limit is tested without it")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_said_and_leaves_nothing(tiny_disk: Path) -> None:
    full = "the file store failed: No space left on device"
    assert run_full(tiny_disk / "data") == [full, full, "[]", "[]", "['folder/small']"]


def test_a_file_size_limit_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    large = "the file store failed: File too large"
    assert run_full(tmp_path, str(2 * MIB)) == [large, large, "[]", "[]", "['folder/small']"]


def test_a_folder_that_cannot_be_made_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable, match="File exists"):
        open_store(Settings(data_dir=tmp_path, storage_url=f"file://{tmp_path}/file/objects"))


def test_a_part_of_an_upload_that_is_gone_is_refused(file_store: FileStore, root: Path) -> None:
    upload_id = file_store.start_multipart("key", content_type="video/mp4")
    file_store.abort_multipart("key", upload_id)
    for wrong in (upload_id, "../keys", "0" * 32, ""):
        with pytest.raises(SourceMissing):
            file_store.put_part(PartTarget("key", wrong, 1), io.BytesIO(b"1"), size=1)
    assert [path for path in files_below(root) if "part" in path.name] == []


def test_a_completed_upload_leaves_no_parts(file_store: FileStore, root: Path) -> None:
    upload_id = file_store.start_multipart("key.mp4", content_type="video/mp4")
    etag = file_store.put_part(PartTarget("key.mp4", upload_id, 1), io.BytesIO(b"bytes"), size=5)
    with pytest.raises(UploadInvalid):
        file_store.complete_multipart("key.mp4", upload_id, [UploadPart(1, etag), UploadPart(1, etag)])
    file_store.complete_multipart("key.mp4", upload_id, [UploadPart(1, f'"{etag}"')])
    assert files_below(root) == [root / "keys" / "key.mp4"]
    with pytest.raises(SourceMissing):
        file_store.complete_multipart("key.mp4", upload_id, [UploadPart(1, etag)])


def test_links_start_with_the_public_address(tmp_path: Path) -> None:
    store = open_store(Settings(data_dir=tmp_path, public_url="https://mill.example/"))
    assert store.presign_get("a b/ü", expires_s=60).startswith("https://mill.example/objects/a%20b/%C3%BC?expires=")
    bare = open_store(Settings(data_dir=tmp_path))
    assert bare.presign_get("key", expires_s=60).startswith("/objects/key?")
