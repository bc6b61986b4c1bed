"""The tracking server of `MLFLOW_TRACKING_URI`, waited for while it is away."""

from __future__ import annotations

import http.client
import logging
import os
import ssl
import time
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from fmerl.errors import InputError

_SECONDS = 5.0
_PAUSE = 2.0

_log = logging.getLogger(__name__)


def tracking_server(patience: float = 600.0) -> str | None:
    """URI of `MLFLOW_TRACKING_URI`, a server once it answers; None where there is none.

    A server that does not answer within 5 s is said at once, then asked again every 2 s.

    Args:
        patience: Most seconds to wait.

    Raises:
        InputError: It never answered.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri or not uri.startswith(("http://", "https://")) or _answers(uri):
        return uri or None
    _log.warning("the tracking server %s does not answer: waiting for it, at most %g s", uri, patience)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        time.sleep(_PAUSE)
        if _answers(uri):
            _log.info("the tracking server answers")
            return uri
    remedy = "start it, or unset MLFLOW_TRACKING_URI to keep everything in --storage"
    raise InputError(f"MLFLOW_TRACKING_URI={uri}", f"no server has answered for {patience:g} s", remedy)


def _answers(uri: str) -> bool:
    try:
        urlopen(f"{uri.rstrip('/')}/health", timeout=_SECONDS).close()
    except HTTPError:
        return True
    except URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # MLflow knows certificates of its own
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True
