"""The restricted unpickler: what it reads, and that no pickle runs anything through it."""

from __future__ import annotations

import copyreg
import functools
import os
import pickle
import struct
import subprocess
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fmerl.corpus.readers.feature_pickles.unpickling import read_plain_pickle
from fmerl.errors import InputError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def load(content: bytes, folder: Path) -> Any:
    path = folder / "features.pkl"
    path.write_bytes(content)
    return read_plain_pickle(path)


class Reduced:
    """Pickles as a call of `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduction = function, arguments

    def __reduce__(self) -> Any:
        return self.reduction

    def __call__(self) -> None:
        """Never called: the pickler wants a callable where one call's result makes the next."""


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        kinds = {array.dtype.newbyteorder("=") for array in (one, other)}
        return one.shape == other.shape and len(kinds) == 1 and np.array_equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


NUMERIC = st.sampled_from(["f8", "f4", "f2", "<i8", ">f4", ">i2", "u1", "b1"])
ARRAYS = NUMERIC.flatmap(
    lambda code: arrays.arrays(
        np.dtype(code),
        arrays.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4),
        elements=None if code[-2] != "f" else {"allow_nan": False},
    )
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5) | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@given(value=PLAIN, protocol=st.sampled_from(PROTOCOLS))
def test_plain_data_of_every_protocol_comes_back(
    tmp_path_factory: pytest.TempPathFactory, value: Any, protocol: int
) -> None:
    assert same(load(pickle.dumps(value, protocol), tmp_path_factory.getbasetemp()), value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scalars_sets_bytearrays_and_column_order(tmp_path: Path, protocol: int) -> None:
    value = [np.float32(1.5), np.int64(-3), np.bool_(True), {1, 2}, frozenset({"a"}), bytearray(b"ab"), b""]
    assert load(pickle.dumps(value, protocol), tmp_path) == [1.5, -3, True, {1, 2}, frozenset({"a"}), b"ab", b""]
    columns = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    assert np.array_equal(load(pickle.dumps(columns, protocol), tmp_path), columns)


def test_python_2_pickles_of_numpy_1_are_read_as_latin1(tmp_path: Path) -> None:
    numbers = struct.pack("<2d", 1.5, -2.0)
    content = (
        b"\x80\x02}q\x00U\x03keyq\x01(cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85U\x01b"
        b"\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
        b"K\x00tb\x89U\x10" + numbers + b"tbU\x05It\x92s\xe9c__builtin__\nset\n]K\x07a\x85R"
        b"ccopy_reg\n_reconstructor\n(c__builtin__\nlist\nc__builtin__\nlist\n]K\x09atRts."
    )
    values, text, numbers_set, listed = load(content, tmp_path)["key"]
    assert values.tolist() == [1.5, -2.0]
    assert (text, numbers_set, listed) == ("It\x92sé", {7}, [9])


def touch(folder: Path) -> str:
    """What an attack runs; the file shows whether it did."""
    return f"touch {folder / 'executed'}"


def saved_attack(folder: Path) -> str:
    """An array file whose objects run a command when NumPy loads it."""
    np.save(folder / "stored.npy", np.array([Reduced(os.system, touch(folder))], dtype=object), allow_pickle=True)
    return str(folder / "stored.npy")


def run_string(folder: Path) -> Any:
    return Reduced(np.testing.runstring, f"import os; os.system({touch(folder)!r})", {})


CALLS: dict[str, Callable[[Path], Any]] = {
    f"{os.system.__module__}.system": lambda folder: Reduced(os.system, touch(folder)),
    "builtins.eval": lambda folder: Reduced(eval, f"__import__('os').system({touch(folder)!r})"),
    "builtins.exec": lambda folder: Reduced(exec, f"__import__('os').system({touch(folder)!r})"),
    "builtins.getattr": lambda folder: Reduced(Reduced(getattr, Reduced(__import__, "os"), "system"), touch(folder)),
    "builtins.__import__": lambda _: Reduced(__import__, "os"),
    "builtins.map": lambda folder: Reduced(map, os.system, [touch(folder)]),
    "io.open": lambda folder: Reduced(open, str(folder / "executed"), "w"),
    "subprocess.Popen": lambda folder: Reduced(subprocess.Popen, ["touch", str(folder / "executed")]),
    "functools.partial": lambda folder: functools.partial(os.system, touch(folder)),
    "numpy.load": lambda folder: Reduced(np.load, saved_attack(folder), None, True),
    "numpy.fromfile": lambda folder: Reduced(np.fromfile, saved_attack(folder)),
    "numpy.memmap": lambda folder: Reduced(np.memmap, str(folder / "executed"), "u1", "w+", 0, (4,)),
    "numpy.testing": run_string,
    "numpy.ndarray": lambda _: Reduced(np.ndarray, (10**9,)),
    "builtins.range": lambda _: Reduced(range, 10**12),
    "collections.OrderedDict": lambda _: OrderedDict(a=1),
    "'O8'": lambda folder: np.array([Reduced(os.system, touch(folder)), 1], dtype=object),
    "'V8'": lambda _: np.zeros(2, dtype=[("a", "f8")]),
    "'U2'": lambda _: np.array(["ab"]),
    "'M8'": lambda _: np.zeros(2, dtype="M8[s]"),
    "'c16'": lambda _: np.zeros(2, dtype="c16"),
    "matrix": lambda _: np.array([[1.0]]).view(np.matrix),
    "numpy.ma": lambda _: np.ma.masked_array([1.0]),
}
"""The name that a refusal must tell, and what asks for it."""


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", CALLS)
def test_anything_else_is_refused_by_name(tmp_path: Path, name: str, protocol: int) -> None:
    content = pickle.dumps({"key": [CALLS[name](tmp_path)]}, protocol, fix_imports=False)
    with pytest.raises(InputError) as caught:
        load(content, tmp_path)
    assert name in caught.value.what
    assert "do not trust this file" in caught.value.remedy
    assert not (tmp_path / "executed").exists()


SYSTEM = b"cos\nsystem\n"

OPCODES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "REDUCE": (lambda text: SYSTEM + b"(V" + text + b"\ntR.", "os.system"),
    "INST": (lambda text: b"(V" + text + b"\nios\nsystem\n.", "os.system"),
    "OBJ": (lambda text: b"(" + SYSTEM + b"V" + text + b"\no.", "os.system"),
    "NEWOBJ": (lambda text: b"\x80\x02csubprocess\nPopen\n(V" + text + b"\nt\x81.", "subprocess.Popen"),
    "NEWOBJ_EX": (lambda text: b"\x80\x04csubprocess\nPopen\n(V" + text + b"\nt}\x92.", "subprocess.Popen"),
    "dotted name": (lambda _: b"\x80\x04\x8c\x05numpy\x8c\x10f2py.os.system()\x93.", "numpy.f2py.os.system()"),
    "name within an admitted one": (lambda _: b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.tofile.x\x93.", "ndarray.tofile"),
    "method of a container": (lambda _: b"\x80\x04\x8c\x08builtins\x8c\x0elist.__class__\x93.", "list.__class__"),
    "persistent id": (lambda text: b"P" + text + b"\n.", "persistent object"),
    "persistent object": (lambda text: b"V" + text + b"\nQ.", "persistent object"),
    "BUILD on a type": (lambda _: b"cnumpy\ndtype\n}V__defaults__\nK\x01sb.", "a change of numpy.dtype"),
    "BUILD on a container": (lambda _: b"c__builtin__\nlist\nN}V__init__\nK\x01s\x86b.", "a change of list"),
    "array of a Python object": (
        lambda _: b"cnumpy.core.multiarray\n_reconstruct\n(c__builtin__\nlist\n(K\x00tU\x01btR.",
        "an array of class",
    ),
    "type that holds objects": (
        lambda _: b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb.",
        "an array type of state",
    ),
    "type of another size": (
        lambda _: b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01|NNNM\xff\xffJ\xff\xff\xff\xffK\x00tb.",
        "an array type of state",
    ),
    "type with fields": (
        lambda _: b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01|N(U\x01at}K\x08K\x01K\x00tb.",
        "an array type of state",
    ),
    "container of a size": (lambda _: b"c__builtin__\nlist\n(J\xff\xff\xff\x7ftR.", "a list of int"),
    "codec": (lambda text: b"c_codecs\nencode\n(V" + text + b"\nU\x05rot13tR.", "the encoding 'rot13'"),
    "reconstructor": (
        lambda _: b"ccopy_reg\n_reconstructor\n(cnumpy\ndtype\ncnumpy\ndtype\nU\x02f8tR.",
        "an object of class 'numpy.dtype'",
    ),
    "terminal codes": (lambda _: b"\x80\x04\x8c\x04\x1b[2J\x8c\x01x\x93.", " [2J.x"),
}


@pytest.mark.parametrize("attack", OPCODES)
def test_opcodes_that_could_run_or_break_something_are_refused(tmp_path: Path, attack: str) -> None:
    make, name = OPCODES[attack]
    with pytest.raises(InputError) as caught:
        load(make(touch(tmp_path).encode()), tmp_path)
    assert name in caught.value.what
    assert "do not trust this file" in caught.value.remedy
    assert not (tmp_path / "executed").exists()


def test_the_attacks_are_real(tmp_path: Path) -> None:
    for attack in ("REDUCE", "INST", "OBJ"):
        pickle.loads(OPCODES[attack][0](touch(tmp_path).encode()))
        (tmp_path / "executed").unlink()
    pickle.loads(pickle.dumps(CALLS["numpy.load"](tmp_path)))
    (tmp_path / "executed").unlink()


def test_extension_registry_gives_nothing_even_when_its_cache_is_warm(tmp_path: Path) -> None:
    code = 0xF3
    name = (os.system.__module__, "system")
    copyreg.add_extension(*name, code)
    try:
        content = b"\x80\x02\x82" + bytes([code]) + b"U" + bytes([len(touch(tmp_path))]) + touch(tmp_path).encode()
        assert pickle.loads(content[:4] + b".") is os.system
        with pytest.raises(InputError, match=r"\.system"):
            load(content + b"\x85R.", tmp_path)
    finally:
        copyreg.remove_extension(*name, code)
    assert not (tmp_path / "executed").exists()


def test_admitted_names_cannot_be_changed_for_later_pickles(tmp_path: Path) -> None:
    change = b"cnumpy\ndtype\nN}V_make\nK\x01s\x86b."
    with pytest.raises(InputError):
        load(change, tmp_path)
    assert load(pickle.dumps(np.arange(3)), tmp_path).tolist() == [0, 1, 2]


WHOLE = pickle.dumps({"a": [np.arange(4.0), "text"]})


@given(cut=st.integers(0, len(WHOLE) - 1))
def test_cut_pickle_is_one_error(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    with pytest.raises(InputError, match="no whole pickle") as caught:
        load(WHOLE[:cut], tmp_path_factory.getbasetemp())
    assert "\n" not in str(caught.value)


def error_line(content: bytes, folder: Path) -> str:
    """Of a pickle that may happen to be sound."""
    try:
        load(content, folder)
    except InputError as error:
        return str(error)
    return ""


@given(content=st.binary(max_size=40))
def test_garbage_is_one_line_and_no_other_exception(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    assert "\n" not in error_line(content, tmp_path_factory.getbasetemp())


@given(place=st.integers(0, len(WHOLE) - 1), value=st.integers(0, 255))
def test_changed_byte_is_one_line_and_no_other_exception(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int
) -> None:
    changed = WHOLE[:place] + bytes([value]) + WHOLE[place + 1 :]
    assert "\n" not in error_line(changed, tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("shape", [b"K\x05\x85", b"J\xff\xff\xff\xff\x85", b"J\xfe\xff\xff\xffJ\xfe\xff\xff\xff\x86"])
def test_array_that_its_bytes_do_not_fill_is_an_error(tmp_path: Path, shape: bytes) -> None:
    sound = pickle.dumps(np.arange(4.0), 2)
    assert sound.count(b"K\x04\x85") == 1
    with pytest.raises(InputError, match="no whole pickle"):
        load(sound.replace(b"K\x04\x85", shape), tmp_path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.pkl: cannot be read"):
        read_plain_pickle(tmp_path / "none.pkl")
