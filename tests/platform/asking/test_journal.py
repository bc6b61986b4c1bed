"""The journal: what was appended is there, what was torn is not, and a live writer is noticed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.errors import InputError
from fmerl.supervision.answers import Answer
from fmerl_platform.asking.journal import Entry, JournalReader, JournalWriter, await_writers


def entry(key: str, text: str = "3") -> Entry:
    answer = Answer(text=text, first_token=(("3", -0.1), (" 4", -2.5)))
    return Entry(
        key=key, at="2026-01-01T00:00:00+00:00", model="m", prompt_tokens=4, completion_tokens=1, answer=answer
    )


def write(folder: Path, *entries: Entry) -> Path:
    async def run() -> None:
        writer = JournalWriter(folder)
        await asyncio.gather(*map(writer.append, entries))
        writer.close()

    before = set(folder.glob("*"))
    asyncio.run(run())
    [path] = set(folder.glob("*")) - before
    return path


@given(st.text())
def test_entries_come_back_whole(text: str) -> None:
    line = entry("k", text).to_line()
    assert line.count(b"\n") == 1
    assert Entry.from_line(line) == entry("k", text)


def test_writers_have_files_of_their_own_and_readers_see_all(tmp_path: Path) -> None:
    write(tmp_path, entry("a"), entry("b"))
    reader = JournalReader(tmp_path)
    write(tmp_path, entry("a", "4"))
    assert [answer.text for answer in reader.answers("a")] == ["3"]
    reader.refresh()
    assert sorted(answer.text for answer in reader.answers("a")) == ["3", "4"]
    assert len(list(tmp_path.iterdir())) == 2


def test_line_torn_anywhere_is_passed_over_and_read_once_it_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path, entry("a"), entry("b"))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole)):
        path.write_bytes(whole[:end])
        reader = JournalReader(tmp_path)
        assert list(reader.entries) == ["a"]
    path.write_bytes(whole)
    reader.refresh()
    assert sorted(reader.entries) == ["a", "b"]
    assert len(reader.entries["a"]) == 1


def test_broken_line_within_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, entry("a"), entry("b"))
    path.write_bytes(path.read_bytes().replace(b'"key":"b"', b'"kex":"b"'))
    with pytest.raises(InputError, match="no journal entry; delete this line") as caught:
        JournalReader(tmp_path)
    assert (caught.value.where, caught.value.row) == (str(path), 2)


def test_answer_is_on_disk_before_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = []
    monkeypatch.setattr("os.fsync", lambda descriptor: events.append("fsync"))

    async def run() -> None:
        writer = JournalWriter(tmp_path)
        events.clear()
        await writer.append(entry("a"))
        events.append("used")
        assert list(JournalReader(tmp_path).entries) == ["a"]

    asyncio.run(run())
    assert events == ["fsync", "used"]


def test_full_disk_is_told_to_whoever_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    async def run() -> list[object]:
        writer = JournalWriter(tmp_path)
        monkeypatch.setattr("os.fsync", full)
        return await asyncio.gather(*(writer.append(entry(key)) for key in "ab"), return_exceptions=True)

    assert [type(error) for error in asyncio.run(run())] == [OSError] * 2


def test_a_run_waits_for_writers_of_another(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from fmerl_platform.asking.journal import JournalWriter\n"
        "writer = JournalWriter(Path(sys.argv[1])); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(InputError, match="another process is writing"):
            await_writers(tmp_path, 0.2)
        other.kill()
        await_writers(tmp_path, 5.0)
