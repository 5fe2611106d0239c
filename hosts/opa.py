"""The Data API of Open Policy Agent: `POST /v1/data/PATH` with an `input`, for clients that are there already.

The path, with dots for slashes, is what is called, and the input is its arguments. A path that ends in `allow` is
answered with true or false, others with an object that has `allow` in it.
"""

from __future__ import annotations

from typing import Any

from hosts.call import Answer, Call
from hosts.neutral import to_json
from hosts.read_json import an_object


def call_of(path: str, body: Any) -> Call:
    """Raises `BadRequestError`."""
    given = an_object(body, "the body").get("input", {})
    arguments = an_object(given, "`input`")
    return Call(tool=path.strip("/").replace("/", "."), arguments=arguments)


def result(path: str, answer: Answer) -> dict[str, Any]:
    """What the client is told. There always is a result: an undefined one would have to be taken for a denial."""
    if path.rstrip("/").endswith("allow"):
        # SOUND: true and false have no room for new arguments or obligations, so what comes with some is false.
        return {"result": answer.plain}
    return {"result": {"allow": answer.allowed, **to_json(answer)}}
