"""Reading of a pickle of arrays and containers without running any code that it names.

A pickle is a program: it may name any importable object and call it. The unpickler here knows a short list of names,
none of which stands for the real object: each is a callable of this module that checks its arguments, has no attribute
that a pickle could set, and makes nothing but numeric arrays, plain numbers and builtin containers. NumPy's own
`dtype` and `ndarray` are never handed to the pickle, whose forged states could break the process.
"""

from __future__ import annotations

import copyreg
import pickle
import re
import reprlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from fmerl.errors import InputError


def read_plain_pickle(path: Path) -> Any:
    """The content of a pickle of any protocol, by Python 2 or 3, that holds plain data only.

    Python 2's strings are read as latin-1.

    Returns:
        None, booleans, numbers, strings, bytes, numeric arrays, and lists, tuples, dicts and sets of these. A pickle
        made for it can also leave one of this module's stand-ins, which do nothing.

    Raises:
        InputError: No such file, one that names anything but numeric arrays and builtin containers, or one that
            is cut short or no pickle.
    """
    # The registry's cache would hand out objects without asking find_class.
    copyreg.clear_extension_cache()
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file, encoding="latin1").load()
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "check the path") from None
    except _RefusedError as refusal:
        what = (
            f"the pickle asks for {_one_line(refusal)}, which is neither a numeric NumPy array nor a builtin container"
        )
        raise InputError(
            path, what, "do not trust this file; take the features from where they were published"
        ) from None
    except Exception as error:
        # A broken program of opcodes may raise anything: pickle has no common base for its errors.
        what = f"no whole pickle ({type(error).__name__}: {_one_line(error)})"
        raise InputError(path, what, "copy or download the file again") from None


class _RefusedError(Exception):
    """A name that a pickle must not have."""


def _one_line(error: Exception) -> str:
    """Error message, which may quote the file, in one line fit for a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in str(error)[:200])


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> _Admitted:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise _RefusedError(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> NoReturn:
        raise _RefusedError(f"the persistent object {reprlib.repr(pid)}")


class _Admitted:
    """Stands for a name that a pickle may use; being called is all that it can do."""

    __slots__ = ("_make", "name")

    def __init__(self, name: str, make: Callable[..., Any]) -> None:
        self.name, self._make = name, make

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)

    def __setstate__(self, state: Any) -> NoReturn:
        raise _RefusedError(f"a change of {self.name}")


class _DType:
    """A numeric type in the making: `numpy.dtype('f8', 0, 1)`, then a state that tells the order of its bytes."""

    __slots__ = ("dtype",)

    def __init__(self, code: Any, *_: Any) -> None:
        if not isinstance(code, str) or not re.fullmatch("[<>|=]?(b1|[iu][1248]|f[248])", code):
            raise _RefusedError(f"an array of type {reprlib.repr(code)}")
        self.dtype: np.dtype[Any] = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        _, order, *parts = state
        if order not in ("<", ">", "|", "=") or parts != [None, None, None, -1, -1, 0]:
            raise _RefusedError(f"an array type of state {reprlib.repr(state)}")
        if order != "|":
            self.dtype = self.dtype.newbyteorder(order)


class _PlainArray(np.ndarray[Any, Any]):
    """An array that a pickle fills after making it, with numbers only."""

    def __setstate__(self, state: Any) -> None:
        *version, shape, kind, fortran, raw = state
        # NumPy itself refuses a shape that the bytes do not fill.
        super().__setstate__((*version, shape, _numeric(kind), fortran, _raw_bytes(raw)))


def _numeric(kind: Any) -> np.dtype[Any]:
    if not isinstance(kind, _DType):
        raise _RefusedError(f"an array of type {reprlib.repr(kind)}")
    return kind.dtype


def _raw_bytes(raw: Any) -> bytes:
    """The bytes of an array; Python 2 wrote them as a string."""
    if isinstance(raw, str):
        return raw.encode("latin1")
    # memoryview: a number would make as many zeros.
    return raw if isinstance(raw, bytes) else bytes(memoryview(raw))


def _empty_array(kind: Any, *_: Any) -> NDArray[Any]:
    if kind is not _NDARRAY:
        raise _RefusedError(f"an array of class {reprlib.repr(kind)}")
    return _PlainArray(0, np.int8)


def _array_from_buffer(raw: Any, kind: Any, shape: Any, order: Any) -> NDArray[Any]:
    return np.frombuffer(_raw_bytes(raw), _numeric(kind)).reshape(shape, order=order).view(_PlainArray)


def _number(kind: Any, raw: Any) -> bool | int | float:
    return np.frombuffer(_raw_bytes(raw), _numeric(kind), count=1)[0].item()


def _encoded(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _RefusedError(f"the encoding {reprlib.repr(encoding)}")
    return text.encode("latin1")


def _bytes(content: Any = b"", *encoding: Any) -> bytes:
    return _encoded(content, *encoding) if encoding else bytes(memoryview(content))


def _container(kind: type) -> Callable[..., Any]:
    def make(content: Any = ()) -> Any:
        # A number would size a container instead of filling it.
        if not isinstance(content, list | tuple):
            raise _RefusedError(f"a {kind.__name__} of {type(content).__name__}")
        return kind(content)

    return make


def _reconstructed(kind: Any, base: Any, content: Any) -> Any:
    """A container as protocols 0 and 1 of Python 2 write one that has no reduction of its own."""
    if kind is not base or kind not in _CONTAINERS:
        raise _RefusedError(f"an object of class {getattr(kind, 'name', '?')!r}")
    return kind(content)


def _no_call(*_: Any) -> NoReturn:
    raise _RefusedError("an array made by calling numpy.ndarray")


_NDARRAY = _Admitted("numpy.ndarray", _no_call)
_CONTAINERS = tuple(_Admitted(kind.__name__, _container(kind)) for kind in (list, tuple, dict, set, frozenset))

_ADMITTED: dict[tuple[str, str], _Admitted] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Admitted("numpy.dtype", _DType),
    ("_codecs", "encode"): _Admitted("_codecs.encode", _encoded),
    **{
        (f"numpy.{core}.{module}", name): _Admitted(name, make)
        for core in ("core", "_core")
        for module, name, make in (
            ("multiarray", "_reconstruct", _empty_array),
            ("multiarray", "scalar", _number),
            ("numeric", "_frombuffer", _array_from_buffer),
        )
    },
    **{
        (module, admitted.name): admitted
        for module in ("builtins", "__builtin__")
        for admitted in (
            *_CONTAINERS,
            _Admitted("bytes", _bytes),
            _Admitted("bytearray", lambda *content: bytearray(_bytes(*content))),
        )
    },
    **{(module, "_reconstructor"): _Admitted("_reconstructor", _reconstructed) for module in ("copyreg", "copy_reg")},
}
"""Admitted names by module and name, as spelled by Python 2 and 3 and by NumPy 1 and 2."""
