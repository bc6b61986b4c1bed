"""Text and JSON that users supply: every encoding with a byte order mark is read, every fault is one line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from fmerl.corpus.id_lists import read_id_list
from fmerl.errors import InputError
from fmerl.supervision.descriptions import DEFAULT_DESCRIPTIONS, read_descriptions
from fmerl.user_text import read_json, read_json_lines, read_text

MARKED = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]


@pytest.mark.parametrize("encoding", MARKED)
def test_text_is_read_in_the_encoding_that_its_mark_names(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "file"
    path.write_bytes("Käse\r\n€ 12\n".encode(encoding))
    assert read_text(path) == "Käse\r\n€ 12\n"


@pytest.mark.parametrize("encoding", MARKED)
def test_json_lines_are_numbered_and_blank_ones_left_out(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "file.jsonl"
    path.write_bytes('{"a": "Käse"}\n\n[1]\n{"a"\n'.encode(encoding))
    lines = read_json_lines(path, "write objects")
    assert [next(lines), next(lines)] == [(1, {"a": "Käse"}), (3, [1])]
    with pytest.raises(InputError, match=r"file\.jsonl, row 4: no JSON .*; write objects"):
        next(lines)


def test_nan_is_read_where_data_frames_may_have_written_it(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"a": NaN}')
    assert math.isnan(read_json(path, "write it", nan=True)["a"])
    with pytest.raises(InputError, match="NaN is no number"):
        read_json(path, "write it")


@pytest.mark.parametrize("encoding", MARKED)
def test_lists_and_descriptions_take_every_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "ids.txt").write_bytes("Ses01M_script01_1\n # note\n\nSes02F_impro01\n".encode(encoding))
    assert read_id_list(tmp_path / "ids.txt") == {"Ses01M_script01_1", "Ses02F_impro01"}
    descriptions = read_descriptions(DEFAULT_DESCRIPTIONS)
    (tmp_path / "own.json").write_bytes(json.dumps(descriptions, ensure_ascii=False).encode(encoding))
    assert read_descriptions(tmp_path / "own.json") == descriptions


def test_bytes_of_another_encoding_are_named_or_left_to_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one\ncaf\xe9\n")
    with pytest.raises(InputError, match="row 2: byte 7 is not UTF-8; save the file as UTF-8"):
        read_text(path)
    assert read_text(path, errors="surrogateescape") == "one\ncaf\udce9\n"
    path.write_bytes("odd".encode("utf-16") + b"\x00")
    with pytest.raises(InputError, match="is not UTF-16"):
        read_text(path, errors="surrogateescape")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"{", "no JSON"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": 1, "a": 2}', "a is there twice"),
        (b'["\\ud800"]', "half of a surrogate pair"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5000, "no JSON"),
    ],
)
def test_what_is_no_json_is_one_line_with_the_form(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=what) as caught:
        read_json(tmp_path / "a.json", "write {}")
    assert "\n" not in str(caught.value)
    assert caught.value.remedy == "write {}"


def test_paths_that_are_no_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, where, what in (
        (tmp_path / "absent", tmp_path / "absent", "no such file"),
        (tmp_path, tmp_path, "a folder stands where a file is meant"),
        (tmp_path / "file" / "a" / "b", tmp_path / "file", "a file stands where a folder is meant"),
        (tmp_path / ("x" * 300), tmp_path / ("x" * 300), "the name is too long"),
    ):
        with pytest.raises(InputError) as caught:
            read_text(path)
        assert (caught.value.where, caught.value.what) == (str(where), what)
