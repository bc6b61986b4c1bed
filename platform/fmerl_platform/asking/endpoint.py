"""An OpenAI-compatible endpoint: one request at a time, and what its failure means."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from openai import APIConnectionError, APIStatusError, APITimeoutError, AsyncOpenAI, OpenAIError

from fmerl.errors import InputError
from fmerl_platform.asking.backoff import retry_after_seconds
from fmerl_platform.asking.prices import longest_answer
from fmerl_platform.asking.question import Call
from fmerl_platform.asking.reply import BadReplyError, Reply, read_reply
from fmerl_platform.asking.secret import Secret
from fmerl_platform.asking.ways import USUAL_WAYS, Refusal, Ways

_PUBLIC = "https://api.openai.com/v1"
_PASSING = {408, 409, 425, 429}
"""Statuses below 500 after which the same request may succeed."""
_HOPELESS = {401, 402, 403, 404}
"""Statuses that no request of this run will escape: key, payment, permission, model."""
_BROKEN = {404, 500, 501}
"""Statuses of a server that may stumble over a request's optional part."""
_DETAIL = 200
"""Characters kept of an endpoint's message."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class RequestFailedError(Exception):
    """A request without an answer; its text holds no key.

    Args:
        what: The reason.
        passing: The same request may succeed later.
        hopeless: No request of this run will succeed.
        obeyed: It names a field that is sent otherwise from now on: ask again at once.
        about_input: It is about what this one request says, and tells nothing of others.
        broken: The endpoint, or something before it, cannot make sense of the request, or makes no sense itself.
        charged: The endpoint may have charged for it.
        retry_after: Seconds the endpoint asks to wait.
    """

    def __init__(
        self,
        what: str,
        *,
        passing: bool = False,
        hopeless: bool = False,
        obeyed: bool = False,
        about_input: bool = False,
        broken: bool = False,
        charged: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what)
        self.passing, self.hopeless, self.broken, self.charged = passing, hopeless, broken, charged
        self.obeyed, self.about_input, self.retry_after = obeyed, about_input, retry_after

    @property
    def refused(self) -> bool:
        """True if this very request will fail each time, and others may not."""
        return not self.passing and not self.hopeless


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Address, key and time limit of an endpoint."""

    base_url: str
    key: Secret
    timeout: float
    """Limit of a whole request, in seconds."""

    @classmethod
    def from_environment(cls, timeout: float, base_url: str | None = None) -> Endpoint:
        """The endpoint of `OPENAI_BASE_URL` and `OPENAI_API_KEY`; without the first, OpenAI's own.

        Args:
            timeout: Limit of a whole request, in seconds.
            base_url: Address in place of the environment's.

        Raises:
            InputError: No key for OpenAI's own, or a base URL that is none or holds a key.
        """
        where = "OPENAI_BASE_URL" if base_url is None else "base_url"
        base_url = base_url or os.environ.get("OPENAI_BASE_URL") or _PUBLIC
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(where, "no http or https address", "set it as in http://127.0.0.1:8080/v1")
        if parts.username or parts.password or parts.query:
            remedy = "leave them out of the address and set OPENAI_API_KEY"
            raise InputError(where, "it holds credentials or a query", remedy)
        if not key and base_url == _PUBLIC:
            remedy = "set it, or OPENAI_BASE_URL to an endpoint of your own"
            raise InputError("OPENAI_API_KEY", f"not set for {_PUBLIC}", remedy)
        if not key.isascii() or any(character.isspace() for character in key):
            raise InputError("OPENAI_API_KEY", "it holds white space or other than ASCII", "copy it again")
        return cls(base_url=base_url, key=Secret(key or "none"), timeout=timeout)


class EndpointClient:
    """Sends single requests; the client's own retries are off, so that the limiter sees every one.

    Args:
        endpoint: Where requests go.
        ways: Known of the endpoint already.

    Attributes:
        ways: Known by now: a refusal that names a field is obeyed, once for each.
    """

    def __init__(self, endpoint: Endpoint, ways: Ways = USUAL_WAYS) -> None:
        self._endpoint, self.ways = endpoint, ways
        self._client = AsyncOpenAI(
            api_key=endpoint.key.reveal(),
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=endpoint.timeout,
        )

    async def send(self, call: Call, unreadable: int) -> Reply:
        """The endpoint's reply to one request.

        Raises:
            RequestFailedError: See `request`.
        """
        ways, body = self.ways, call.request(unreadable)
        raw = await self.request(lambda api: api.chat.completions.with_raw_response.create(**ways.fit(body)), sent=ways)
        return self.read(raw.http_response.text, longest_answer(body))

    async def request(
        self, send: Callable[[AsyncOpenAI], Awaitable[T]], seconds: float | None = None, sent: Ways | None = None
    ) -> T:
        """Result of one request of OpenAI's client.

        Args:
            send: Makes the request.
            seconds: Limit of the whole request; None for the endpoint's.
            sent: Ways by which a chat completion was asked for, which its refusal may mend; None for other requests.

        Raises:
            RequestFailedError: There is none. It has no cause or context: the client's errors hold the key.
        """
        failure: RequestFailedError
        limit = seconds or self._endpoint.timeout
        try:
            # Limits the whole request: the client's own timeout starts again with each byte of a slow body.
            async with asyncio.timeout(limit):
                return await send(self._client)
        except (TimeoutError, APITimeoutError):
            failure = RequestFailedError(f"no answer within {limit:g} s", passing=True, charged=True)
        except APIStatusError as error:
            words = f"{error.message} {error.code} {error.body}"
            refusal = Refusal(status=error.status_code, field=error.param or "", words=words)
            failure = self.failure_of(refusal, error.message, sent, retry_after_seconds(error.response.headers))
        except APIConnectionError as error:
            cause = type(error.__cause__ or error).__name__
            failure = RequestFailedError(f"connection failed ({cause})", passing=True, charged=cause != "ConnectError")
        except (OpenAIError, UnicodeError, ValueError) as error:
            failure = RequestFailedError(f"unreadable response ({type(error).__name__})", passing=True, charged=True)
        raise failure

    def read(self, body: str, budget: int) -> Reply:
        """The chat completion in a body, the key taken out.

        Args:
            body: As it came, with status 200.
            budget: Tokens that the answer could take.

        Raises:
            RequestFailedError: It is none; no cause or context, as `request`.
        """
        try:
            return read_reply(self.redact(body), budget)
        except BadReplyError as error:
            failure = self._reply_failure(error)
        raise failure

    def redact(self, text: str) -> str:
        """`text` without the key."""
        return self._endpoint.key.redact(text)

    def failure_of(
        self, refusal: Refusal, message: str, sent: Ways | None, retry_after: float | None = None
    ) -> RequestFailedError:
        """Meaning of an error that the endpoint sent; one about a field of a chat completion is obeyed.

        Args:
            refusal: The error.
            message: Its own words for the user.
            sent: Ways by which a chat completion was asked for; None for other requests.
            retry_after: Seconds the endpoint asks to wait.
        """
        status, detail = refusal.status, self.redact(" ".join(message.split()))[:_DETAIL]
        if sent is not None and sent.obey(refusal) != sent:
            return self._obey(refusal, sent, f"HTTP {status}: {detail}")
        hopeless = (status in _HOPELESS and not refusal.about_input) or "insufficient_quota" in refusal.words
        return RequestFailedError(
            f"HTTP {status}: {detail}",
            passing=not hopeless and (status in _PASSING or (status >= 500 and status != 501)),
            hopeless=hopeless,
            about_input=refusal.about_input,
            broken=status in _BROKEN,
            retry_after=retry_after,
        )

    async def close(self) -> None:
        await self._client.close()

    def _obey(self, refusal: Refusal, sent: Ways, what: str) -> RequestFailedError:
        # Requests that were in flight together are refused together: who comes second finds the lesson learned.
        if self.ways == sent:
            self.ways = sent.obey(refusal)
            _log.warning("%s: %s; obeyed from now on", self._endpoint.base_url, what)
        return RequestFailedError(what, passing=True, obeyed=True)

    def _reply_failure(self, error: BadReplyError) -> RequestFailedError:
        if error.out_of_quota:
            return RequestFailedError(f"bad reply: {error}", hopeless=True)
        where = self._endpoint.base_url
        remedy = "" if where.rstrip("/").endswith("/v1") else "; most addresses end in /v1"
        what = f"bad reply of {where}: {error}{remedy}"
        return RequestFailedError(what, passing=True, broken=True, charged=True)
