"""Files that are written whole or not at all, lists, digests, and packages that an extra brings."""

from __future__ import annotations

import csv
import errno
import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fmerl.errors import InputError, path_error
from fmerl.extras import optional_module
from fmerl.files import check_writable, file_digest, replaced_file, write_csv


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")

    def write_half() -> None:
        with replaced_file(path) as file:
            file.write(b"half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_takes_the_old_ones_place(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    for content in (b"old", b"new"):
        with replaced_file(path) as file:
            file.write(content)
    assert path.read_bytes() == b"new"
    assert file_digest(path) == hashlib.sha256(b"new").hexdigest()
    assert list(tmp_path.iterdir()) == [path]


def test_a_list_reads_back_as_it_was_written(tmp_path: Path) -> None:
    rows = [("a,b", 'he said "no"'), ("two\nlines", "Käse")]
    write_csv(tmp_path / "problems.csv", ("where", "what"), rows)
    with (tmp_path / "problems.csv").open(newline="", encoding="utf-8") as file:
        assert list(map(tuple, csv.reader(file))) == [("where", "what"), *rows]
    write_csv(tmp_path / "problems.csv", ("where", "what"), [])
    assert (tmp_path / "problems.csv").read_bytes() == b"where,what\n"


def test_a_package_that_is_absent_is_named_with_its_extra() -> None:
    assert optional_module("json", "audio").loads("1") == 1
    with pytest.raises(InputError, match=r"no_such_module.*pip install 'fmerl\[visual\]'"):
        optional_module("no_such_module", "visual")


def test_a_full_disk_is_told_with_the_file_that_it_has_no_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as caught:
        write_csv(tmp_path / "problems.csv", ("where",), [])
    told = str(path_error(caught.value))
    assert told.startswith(f"{tmp_path / 'problems.csv'}: no space is left on its disk; make room")
    assert list(tmp_path.iterdir()) == []


def test_a_path_of_arrow_is_told_and_what_concerns_no_path_is_not(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent") as caught:
        pq.write_table(pa.table({}), tmp_path / "absent" / "table.parquet")
    assert str(path_error(caught.value)) == f"{tmp_path / 'absent' / 'table.parquet'}: no such file; check the path"
    assert path_error(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")) is None


def test_a_folder_is_writable_if_it_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    check_writable(tmp_path)
    check_writable(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    for folder in (tmp_path / "file", tmp_path / "file" / "a" / "b"):
        with pytest.raises(InputError, match="file: a file stands where a folder is meant; move it"):
            check_writable(folder)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="no permission to write in it"):
        check_writable(tmp_path / "a")
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(InputError, match="its file system is read-only"):
        check_writable(tmp_path / "a")
