"""HTTP with JSON, as plain data: what servers send is often not what the protocol's types say."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import certifi
from yarl import URL

from src.core.errors import UserError
from src.generation.base_url import check_url
from src.generation.refusals import NoAnswer, Refusal, Unreadable, refusal_in

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 4.0  # uvicorn, which most local servers run on, closes an idle connection after 5


class Client:
    """Connections to one server, kept open. Made and used within one event loop. The key is in no exception."""

    def __init__(self, base_url: str, headers: dict[str, str], seconds: float):
        self._seconds = seconds
        self._base_url, _, query = base_url.strip().partition("?")
        self._base_url, self._query = self._base_url.rstrip("/"), f"?{query}" if query else ""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS, ssl=_certificates(base_url)),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(seconds, CONNECT_SECONDS)),
            proxy=_proxy(base_url),
        )

    async def post(self, path: str, body: Any) -> dict[str, Any]:
        """Raises Refusal, NoAnswer or Unreadable."""
        data = json.dumps(body).encode()
        return self._read(*await self._send("POST", path, data=data, headers={"Content-Type": "application/json"}))

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        return self._read(*await self._send("GET", path, params=query))

    async def download(self, path: str) -> bytes:
        """A file's bytes, also where the server sends us on to a storage. Raises Refusal for anything else."""
        status, headers, content = await self._send("GET", path)
        if 300 <= status < 400 and (elsewhere := Refusal(status, None, headers).elsewhere):
            url = urljoin(self._base_url + path, elsewhere)
            storage = Client(url, {}, self._seconds)  # without the key: the address is signed
            try:
                status, headers, content = await storage._fetch("GET", URL(url, encoded=True))  # as it was signed
            finally:
                await storage.close()
        if status != 200:
            raise Refusal(status, _parsed(content), headers)
        return content

    async def upload(self, path: str, name: str, content: bytes, **fields: str) -> dict[str, Any]:
        form = aiohttp.FormData(fields)
        form.add_field("file", content, filename=name, content_type="application/jsonl")
        return self._read(*await self._send("POST", path, data=form))

    async def close(self) -> None:
        await self._session.close()

    async def _send(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, str], bytes]:
        return await self._fetch(method, f"{self._base_url}{path}{self._query}", **options)

    async def _fetch(self, method: str, url: str | URL, **options: Any) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and content. The limit holds for the whole call: a server may also answer for ever."""
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._session.request(method, url, allow_redirects=False, **options) as reply,
            ):
                return reply.status, dict(reply.headers), await reply.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NoAnswer(f"no connection: {error}", sent=False) from None
        except aiohttp.ClientHttpProxyError as error:  # it lets nothing through
            raise NoAnswer(f"no connection: the proxy says {error.status} {error.message}", sent=False) from None
        except TimeoutError:
            raise NoAnswer(f"timeout: no answer in {self._seconds:g} s") from None
        except aiohttp.ClientError as error:
            raise NoAnswer(f"broken connection: {error or type(error).__name__}") from None

    @staticmethod
    def _read(status: int, headers: dict[str, str], content: bytes) -> dict[str, Any]:
        body = _parsed(content)
        if status >= 300:
            raise Refusal(status, body, headers)
        if (refusal := refusal_in(body, headers)) is not None:
            raise refusal
        if not isinstance(body, dict):
            if not content.strip():
                raise Unreadable("an empty reply")
            sort = next((value for name, value in headers.items() if name.lower() == "content-type"), "no type")
            raise Unreadable(f"no JSON object, but {sort.partition(';')[0]}")
        return body


def _certificates(base_url: str) -> ssl.SSLContext | bool:
    """The system's and Mozilla's; not loaded where nothing is encrypted."""
    if not base_url.startswith("https:"):
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _proxy(base_url: str) -> str | None:
    """That of HTTPS_PROXY and its like, unless NO_PROXY names the host; UserError for one of another sort. Asked once:
    with `trust_env` aiohttp reads the environment and looks for ~/.netrc at each call, in other threads, which took
    half of the client's processor time (6.1 s for 4,000 calls, 3.1 s without)."""
    server = urlsplit(base_url)
    found = getproxies().get(server.scheme)
    if not found or proxy_bypass(server.hostname or ""):
        return None
    proxy = found if "://" in found else f"http://{found}"
    try:
        check_url(proxy)
    except ValueError as problem:
        name = f"{server.scheme.upper()}_PROXY"
        raise UserError(
            f"The proxy that the environment names for {base_url} is of no use: it {problem}.",
            f"Set {name}=http://host:port, or keep {server.hostname} from it: export NO_PROXY={server.hostname}",
        ) from None
    return proxy


def _parsed(content: bytes) -> Any:
    """JSON where it is JSON, also with a byte-order mark or a bare line end in a text, else the text."""
    text = content.decode("utf-8-sig", errors="replace")
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text
