"""Pinned packages of a logged model, and the turns that stand beside it as an example."""

from __future__ import annotations

from importlib.metadata import packages_distributions, version

from fmerl.bundle.licences import encoders_of
from fmerl.bundle.manifest import Manifest

_PACKAGES = (
    "fmerl",
    "torch",
    "transformers",
    "safetensors",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "scikit-learn",
    "scipy",
)
_OF_MODALITY = {"audio": ("av",), "visual": ("av", "opencv-python-headless")}
EXAMPLE = (
    {"speaker": "Ana", "text": "I got the job!"},
    {"speaker": "Ben", "text": "No way. That is wonderful!"},
    {"speaker": "Ana", "text": "And you said I should not even try."},
)
"""A conversation, kept with the model as its input example."""


def requirements(manifest: Manifest) -> list[str]:
    """Packages that prediction needs, at the versions at hand."""
    encoders = list(encoders_of(manifest.recipes, str(manifest.config["anchors.encoder"])).values())
    modules = [name.removeprefix("package:").partition(".")[0] for name in encoders if name.startswith("package:")]
    of_modules = [name for module in modules for name in packages_distributions().get(module, [])[:1]]
    opensmile = ["opensmile"] if "opensmile" in encoders else []
    of_modalities = [name for modality in manifest.widths for name in _OF_MODALITY.get(modality, ())]
    # A local label such as +cpu is no version of the package index.
    return [
        f"{name}=={version(name).partition('+')[0]}"
        for name in dict.fromkeys([*_PACKAGES, *of_modules, *of_modalities, *opensmile])
    ]
