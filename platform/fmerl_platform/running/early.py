"""A local Ray that starts while a command imports what it needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Thread

_OF_DRIVER = "fmerl_platform.studies.run"


@contextmanager
def early_session(*, dashboard: bool) -> Iterator[None]:
    """A local Ray for the block; a cluster (`RAY_ADDRESS`) is there already, and connected to when cells wait.

    Args:
        dashboard: See `ray_session`.

    Raises:
        InputError: Ray does not start.
    """
    if os.environ.get("RAY_ADDRESS", "local") not in ("", "local"):
        yield
        return
    from fmerl_platform.running.session import ray_session

    # After Ray is imported: two threads that import the same modules may meet them half made.
    imports = Thread(target=import_module, args=(_OF_DRIVER,))
    imports.start()
    with ray_session(dashboard=dashboard):
        imports.join()
        yield
