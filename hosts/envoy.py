"""Envoy's external authorization over HTTP (`ext_authz`, `http_service`): the request that Envoy holds back is sent
here under a prefix, and 200 lets it pass.

What is called is `http`; its arguments are method, host, path, query and headers. Envoy sends no body unless it is told
to, and nothing here looks at one.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from hosts.call import Answer, Call
from hosts.convert import as_path

PREFIX = "/ext_authz"


def call_of(method: str, raw_path: str, query: str, headers: Mapping[str, str]) -> Call:
    """A call of the request that Envoy asks about. The path has one spelling: without `..`, `//` and `%41`."""
    path = as_path(unquote(raw_path.removeprefix(PREFIX) or "/", errors="strict"), "/")
    arguments = {
        "method": method.upper(),
        "host": headers.get("host", "").lower(),
        "path": path,
        "query": query,
        "headers": {name.lower(): value for name, value in headers.items()},
    }
    return Call(tool="http", arguments=arguments, id=headers.get("x-request-id", ""))


def reply(answer: Answer) -> tuple[int, dict[str, str]]:
    """The status, and headers with the reason. A request cannot be rewritten this way, so one that would have to be,
    or that obliges to something, is denied."""
    return (200 if answer.plain else 403), {
        "x-policyctl-code": answer.code,
        "x-policyctl-reason": _plain(answer.reason),
    }


def _plain(text: str) -> str:
    """A text that may stand in a header."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:500]
