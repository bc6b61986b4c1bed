"""Files that are written whole or not at all, lists, digests, and packages that an extra brings."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest

from fmerl.errors import InputError
from fmerl.extras import optional_module
from fmerl.files import file_digest, replaced_file, write_csv


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
