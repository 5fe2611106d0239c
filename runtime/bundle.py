"""Bundles: policies, certificates of their proofs, perhaps a signature, in one file that says if it was changed.

A bundle is a zip archive: `bundle.json` (canonical JSON: the other files with their digests), `core/NAME.json` and
`certificate/NAME.json` for each policy, and `signature.json` (Ed25519 over `bundle.json`) if it is signed. There is one
way only to write it (sorted, not compressed), so the same policies and proofs make the same bytes everywhere.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from policydsl.core.expr import Expr
from policydsl.core.from_json import from_data, from_json
from policydsl.core.read_json import Reader, parse
from policydsl.core.system import Expected, System
from policydsl.core.to_json import digest, dumps, to_json
from runtime.heads import SigningError, key_id, read_private, read_public

FORMAT = "policyctl-bundle/1"
CERTIFICATE = "policyctl-certificate/2"
MANIFEST = "bundle.json"
SIGNATURE = "signature.json"
MOST_BYTES = 256 * 1024 * 1024
"""An archive that would unpack to more is refused."""
PROVED = "proved"
KEPT = "kept"
"""The rule of obligations by which a formula is shown to hold after every step."""
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


class BundleError(Exception):
    """The file is not a bundle, or not as it was built. The text says what is wrong with which part."""


class ForgedError(BundleError):
    """The file is a bundle that says of its policies what was not proved of them, or not signed."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy of a bundle. `proof` is the text of the certificate and `certificate` its digest, `unproved` names the
    promised properties that it does not show to hold, `lemmas` are what its proofs by induction show of every state."""

    system: System
    digest: str
    certificate: str
    unproved: tuple[str, ...]
    lemmas: tuple[Expr, ...] = ()
    proof: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was read. `signer` identifies the key that signed it, and is "" when no key was asked for."""

    digest: str
    policies: tuple[Policy, ...]
    signer: str = ""

    @property
    def verified(self) -> bool:
        """Whether everything that the policies promise is proved."""
        return not any(p.unproved for p in self.policies)


def build(parts: Iterable[tuple[System, str]], private_key: str | None = None) -> bytes:
    """A bundle of systems, each with the text of its certificate ("" for none). `private_key` is a PEM text."""
    files: dict[str, bytes] = {}
    for system, certificate in parts:
        if f"core/{system.name}.json" in files:
            raise BundleError(f"there are two policies called `{system.name}`")
        files[f"core/{system.name}.json"] = to_json(system).encode()
        if certificate:
            files[f"certificate/{system.name}.json"] = certificate.encode()
    if not files:
        raise BundleError("there is no policy to build a bundle of")
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    manifest = dumps({"format": FORMAT, "files": sums}).encode()
    files[MANIFEST] = manifest
    if private_key is not None:
        files[SIGNATURE] = _signature(manifest, private_key)
    return pack(files)


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of these files. Not compressed: what compression makes of them depends on the library."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.create_system = _UNIX
            archive.writestr(entry, files[name])
    return out.getvalue()


def read(data: bytes, public_key: str | None = None) -> Bundle:
    """The bundle in `data`, every digest checked; with a `public_key` (PEM), only one signed by that key.

    Raises `BundleError` for everything else.
    """
    try:
        files = _unpacked(data)
        # SOUND: what no digest covers would be read past, and could then be anything.
        if pack(files) != data:
            raise BundleError("it is not written as bundles are: something beside its files was changed")
        manifest = files.pop(MANIFEST)
        signature = files.pop(SIGNATURE, None)
        r = Reader(parse(manifest.decode()), MANIFEST)
        r.fields("format", "files")
        if r["format"].text() != FORMAT:
            raise BundleError(f"this is a `{r['format'].text()}`, and not `{FORMAT}`")
        sums = {name: r["files"][name].text() for name in r["files"].names()}
        signer = "" if public_key is None else _signer(manifest, signature, public_key)
        _compare(files, sums)
        systems = [name for name in sums if name.startswith("core/")]
        policies = tuple(_policy(files, name.removeprefix("core/")) for name in sorted(systems))
    except BundleError:
        raise
    except KeyError as error:
        raise BundleError(f"{error.args[0]} is missing") from error
    except Exception as error:
        # Unpacking alone raises a dozen kinds of exceptions, by what is wrong with the bytes.
        raise BundleError(f"this is no bundle: {str(error) or type(error).__name__}") from error
    if not policies:
        raise BundleError("there is no policy in it")
    return Bundle(hashlib.sha256(manifest).hexdigest(), policies, signer)


def _unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if len({e.filename for e in entries}) < len(entries):
            raise BundleError("a file is in it twice")
        if sum(e.file_size for e in entries) > MOST_BYTES:
            raise BundleError(f"it would unpack to more than {MOST_BYTES:_} bytes")
        return {e.filename: archive.read(e) for e in entries}


def _signed(manifest: bytes) -> bytes:
    """What is signed: nothing else that the same key signs begins like this."""
    return f"{FORMAT} signature\n".encode() + manifest


def _signature(manifest: bytes, private_key: str) -> bytes:
    try:
        key = read_private(private_key)
    except SigningError as error:
        raise BundleError(str(error)) from error
    return dumps({"key": key_id(key.public_key()), "signature": key.sign(_signed(manifest)).hex()}).encode()


def _signer(manifest: bytes, signature: bytes | None, public_key: str) -> str:
    """The name of the key that signed; raises `BundleError` unless it is the one that is trusted."""
    if signature is None:
        raise BundleError("it is not signed, and a signature is asked for")
    try:
        trusted = read_public(public_key)
    except SigningError as error:
        raise BundleError(str(error)) from error
    r = Reader(parse(signature.decode()), SIGNATURE)
    r.fields("key", "signature")
    if r["key"].text() != key_id(trusted):
        raise BundleError(f"it is signed with key `{r['key'].text()}`, and the trusted one is `{key_id(trusted)}`")
    from cryptography.exceptions import InvalidSignature

    try:
        trusted.verify(bytes.fromhex(r["signature"].text()), _signed(manifest))
    except InvalidSignature:
        raise ForgedError("the signature does not hold") from None
    return key_id(trusted)


def _compare(files: Mapping[str, bytes], sums: Mapping[str, str]) -> None:
    for name in sorted(files.keys() | sums.keys()):
        if name not in sums:
            raise BundleError(f"{name} does not belong to it")
        if name not in files:
            raise BundleError(f"{name} is missing")
        if hashlib.sha256(files[name]).hexdigest() != sums[name]:
            raise ForgedError(f"{name} was changed")


def _policy(files: Mapping[str, bytes], name: str) -> Policy:
    system = from_json(files[f"core/{name}"].decode())
    if f"{system.name}.json" != name:
        raise BundleError(f"core/{name} is the policy `{system.name}`")
    # SOUND: a policy is enforced as proved only if each property that it promises is proved of this very core.
    promised = [p.name for p in system.properties if p.expected is Expected.PROVED]
    text = files.get(f"certificate/{name}")
    own = digest(system)
    verdicts, lemmas = ({}, ()) if text is None else _certified(name, text, own)
    flawed = [p.name for p in system.properties if p.expected is Expected.REFUTED]
    unproved = [n for n in promised if verdicts.get(n) != PROVED]
    sha = "" if text is None else hashlib.sha256(text).hexdigest()
    return Policy(system, own, sha, (*unproved, *flawed), lemmas, "" if text is None else text.decode())


def _certified(name: str, text: bytes, own: str) -> tuple[dict[str, str], tuple[Expr, ...]]:
    """The verdicts of a certificate by property, and the formulas that it proves by induction. That the proofs hold
    is for `policyctl recheck` to say; here it is seen that they are about the policy with the digest `own`."""
    r = Reader(parse(text.decode()), f"certificate/{name}")
    if r["format"].text() != CERTIFICATE:
        raise BundleError(f"certificate/{name} is a `{r['format'].text()}`, and not `{CERTIFICATE}`")
    if r["digest"].text() != own:
        raise ForgedError(f"certificate/{name} is not one of the policy beside it")
    records = r["properties"].items()
    verdicts = {p["name"].text(): p["verdict"].text() for p in records}
    if len(verdicts) < len(records):
        raise ForgedError(f"certificate/{name} says two things of one property")
    asked = [o for p in [*records, *r["facts"].items()] for o in p["obligations"].items()]
    inductive = {o["goal"].text() for o in asked if o["rule"].value == KEPT}
    formulas = from_data(r["formulas"].value).properties
    return verdicts, tuple(f.expr for f in formulas if f.name in inductive)
