"""Media files: which may be opened, and how. Regular files of known containers, by FFmpeg's file protocol alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from fmerl.extras import optional_module

StreamKind = Literal["audio", "video"]

STREAM_NAMES = {"audio": "sound track", "video": "picture"}

_FORMATS = (
    # Sound and picture. A program stream is called mpeg, a transport stream mpegts.
    *("avi", "asf", "dv", "flv", "gxf", "matroska", "webm", "mov", "mp4", "mpeg", "mpegts", "mxf", "nut", "ogg", "rm"),
    *("wtv", "apng", "gif", "ivf", "h263", "h264", "hevc", "m4v", "mjpeg", "mpegvideo", "obu", "vc1", "yuv4mpegpipe"),
    # Sound.
    *("aac", "ac3", "aiff", "amr", "amrnb", "amrwb", "ape", "au", "caf", "dts", "eac3", "flac", "gsm", "loas", "mp3"),
    *("mpc", "mpc8", "nistsphere", "tak", "tta", "voc", "w64", "wav", "wv"),
)
"""Names of FFmpeg's demuxers that read a file and never what it points to."""
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": ",".join(_FORMATS)}
_HEAD = 4096
"""Bytes of a file that are looked at for a pointer to other files."""
_POINTERS = {
    b"#EXTM3U": "a playlist",
    b"[playlist]": "a playlist",
    b"<MPD": "a DASH manifest",
    b"<smil": "a playlist",
    b"ffconcat version": "a list of files to join",
    b"v=0": "a session description",
}
"""What a file of text that points to others begins with, or holds where it is XML, and what it is."""


class MediaError(Exception):
    """Media of one utterance that cannot be read; the text is the reason for its missing feature row.

    It does not name the file: utterances whose files are equal share it.
    """


def open_container(path: Path | None, kind: StreamKind) -> Any:
    """Open a file that should have a sound track or picture: an `av.container.InputContainer`.

    Raises:
        InputError: PyAV is not installed.
        MediaError: No file, no regular one, one that points to other files, or no media file.
    """
    av = optional_module("av", "audio" if kind == "audio" else "visual")
    if path is None:
        raise MediaError(f"the corpus names no file with a {STREAM_NAMES[kind]}")
    try:
        if not path.exists():
            raise MediaError("no such file")
        if not path.is_file():
            raise MediaError("no regular file, but a folder, pipe or device")
        pointer = _pointer(path)
        if pointer is not None:
            raise MediaError(f"{pointer}, which is not followed: name the media file itself")
        return av.open(f"file:{path.absolute()}", container_options=_OPTIONS)
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"no media file that can be read ({reason_of(error)})") from error


def reason_of(error: Exception) -> str:
    """FFmpeg's or the system's own words."""
    return getattr(error, "strerror", None) or str(error)


def _pointer(path: Path) -> str | None:
    """What a file that points to others is called."""
    with path.open("rb") as file:
        head = file.read(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, name in _POINTERS.items():
        if head.startswith(mark) or (head.startswith(b"<") and mark in head):
            return name
    return None
