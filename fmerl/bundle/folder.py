"""The folder of a bundle: weights and anchors as safetensors, beside the card that says what they are.

Nothing in it is code, and nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from fmerl.bundle.manifest import FORMAT, Manifest, Member
from fmerl.bundle.model import Bundle, build_bundle
from fmerl.card import CARD, content_digest, read_card, replaced_folder, write_card
from fmerl.errors import InputError
from fmerl.files import file_digest

KIND = "bundle"
ANCHORS = "anchors.safetensors"
_EXPORT_AGAIN = "export it again"


def write_bundle(
    folder: Path,
    manifest: Manifest,
    anchors: Tensor,
    weights: Mapping[tuple[int, str], Mapping[str, Tensor]],
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write a bundle; a reader meets the whole old one or the whole new one.

    Args:
        folder: Its folder, replaced if it is a bundle.
        manifest: What it holds; its members are filled in.
        anchors: Encoded descriptions in label order, [C, E].
        weights: State of each model by seed and fingerprint.
        texts: Further files by name, such as README.md.

    Raises:
        InputError: Something that is no bundle is in the way.
    """
    with replaced_folder(folder) as fresh:
        _save({"anchors": anchors}, fresh / ANCHORS)
        members = []
        for (seed, fingerprint), state in weights.items():
            file = f"seed-{seed}.safetensors"
            _save(state, fresh / file)
            members.append(Member(seed=seed, fingerprint=fingerprint, file=file, sha256=file_digest(fresh / file)))
        for name, text in (texts or {}).items():
            (fresh / name).write_text(text, encoding="utf-8")
        whole = replace(manifest, members=tuple(members))
        digest = content_digest([file_digest(fresh / ANCHORS), *(member.sha256 for member in members)])
        write_card(fresh, {"kind": KIND, "recipe": whole.as_json(), "content_digest": digest})


def _save(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors. Those that share memory are refused, so each is a copy; and `save_file` would make a file that its
    owner alone may read.
    """
    path.write_bytes(save({name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}))


def read_manifest(folder: Path) -> Manifest:
    """Read what a bundle holds, without its models.

    Raises:
        InputError: No such folder, a card of something else, or one that this version cannot read.
    """
    if not (folder / CARD).is_file():
        raise InputError(folder, f"no bundle: there is no {CARD}", "give a folder that fmerl export wrote")
    card = read_card(folder)
    if card["kind"] != KIND:
        raise InputError(folder, f"the card is of {card['kind']}, not of a bundle", "give a folder of fmerl export")
    if card["recipe"].get("format") != FORMAT:
        what = f"its format is {card['recipe'].get('format')}, this version reads {FORMAT}"
        raise InputError(folder, what, "use the version of fmerl that wrote it")
    try:
        manifest = Manifest.parse(card["recipe"])
        manifest.cell_config()
    except (ValidationError, ValueError) as error:
        what = f"the card cannot be read ({' '.join(str(error).split())[:200]})"
        raise InputError(folder / CARD, what, _EXPORT_AGAIN) from None
    if not manifest.members:
        raise InputError(folder, "it holds no model", _EXPORT_AGAIN)
    return manifest


def read_bundle(folder: Path | str) -> Bundle:
    """Read a bundle; its models are on the CPU.

    Raises:
        InputError: No bundle, or a file that is missing, damaged or of another configuration than the card says.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    for member in manifest.members:
        if Path(member.file).name != member.file:
            raise InputError(folder / CARD, f"{member.file!r} is no file of this folder", _EXPORT_AGAIN)
    files = [folder / ANCHORS, *(folder / member.file for member in manifest.members)]
    for path in files:
        if not path.is_file():
            raise InputError(path, "no such file", _EXPORT_AGAIN)
    digests = [file_digest(path) for path in files]
    told = [member.sha256 for member in manifest.members]
    if digests[1:] != told or content_digest(digests) != read_card(folder)["content_digest"]:
        changed = [path.name for path, now, then in zip(files[1:], digests[1:], told, strict=True) if now != then]
        what = f"{', '.join(changed) or ANCHORS}: the content is not what the card was written for"
        raise InputError(folder, what, _EXPORT_AGAIN)
    try:
        anchors = load_file(files[0])["anchors"]
        return build_bundle(manifest, anchors, [load_file(path) for path in files[1:]])
    except (SafetensorError, KeyError, RuntimeError, ValueError) as error:
        what = f"its files do not fit its configuration ({' '.join(str(error).split())[:200]})"
        raise InputError(folder, what, _EXPORT_AGAIN) from None


def joined(bundles: Sequence[Bundle]) -> tuple[Manifest, dict[tuple[int, str], dict[str, Tensor]]]:
    """Several seeds' bundles as one: its manifest, without members, and the weights by seed and fingerprint.

    Raises:
        InputError: They are of different configurations or data, or share a seed.
    """
    first = bundles[0].manifest
    weights: dict[tuple[int, str], dict[str, Tensor]] = {}
    for bundle in bundles:
        manifest = bundle.manifest
        if manifest.origin() != first.origin() or not torch.equal(bundle.anchors, bundles[0].anchors):
            what = f"seed {manifest.members[0].seed} is of another configuration or other data than the first"
            raise InputError("bundle", what, "export seeds of one study's variant")
        for member, model in zip(manifest.members, bundle.models, strict=True):
            if any(member.seed == seed for seed, _ in weights):
                raise InputError("bundle", f"seed {member.seed} stands twice", "give each seed once")
            weights[member.seed, member.fingerprint] = model.state_dict()
    return replace(first, members=()), weights
