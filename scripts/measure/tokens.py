"""Tokens and keys that the load presents, in files of one line per request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .machine import load_cores, pinned

ISSUER = "https://auth.example.com/"
SECRET_ISSUER = "https://secret.example.com/"
STUDENT_ISSUER = "https://students.example.com/"
KID = "bench"
# For the tokens that any process can sign in no time. The tests' keys sign the others.
SECRET = "worthless-secret-of-the-bench-of-64-bytes-or-more-0123456789-0123456789"
KEYS = {"RS256": "tests/keys/rsa-1.pem", "ES256": "tests/keys/p256-1.pem"}
# 2100: signed tokens are kept from run to run.
EXP = 4102444800
# A tenth of a day before `max_lifetime` of the Student Data API ends.
STUDENT_LIFETIME_S = 21 * 3600


class Minter:
    """Signs tokens and keeps the files."""

    def __init__(self, signer: Path, files: Path) -> None:
        self._signer = signer
        self._files = files

    def jwks(self) -> dict[str, Any]:
        """The public keys of RS256 and ES256; each has a `kid` of its own."""
        return {"keys": [json.loads(self._tool("jwk", alg)) for alg in KEYS]}

    def signed(self, alg: str, count: int) -> Path:
        """Tokens of the Education Data Platform under a public key, each another client's. Kept, as RSA is slow."""
        path = self._files / f"{alg}-{count}.tokens"
        if not path.exists():
            payloads = "".join(json.dumps(claims(i)) + "\n" for i in range(count))
            part = path.with_suffix(".part")
            part.write_text(self._tool("sign", alg, payloads))
            part.rename(path)
        return path

    def mismatched(self, alg: str, signed: int, count: int) -> Path:
        """The first of so many signed tokens, each with the signature of the next."""
        lines = self.signed(alg, signed).read_text().split()
        pairs = zip(lines, [*lines[1:], lines[0]])
        bad = (f"{own.rsplit('.', 1)[0]}.{others.rsplit('.', 1)[1]}" for own, others in pairs)
        return self._write(f"{alg}-{count}-bad.tokens", list(bad)[:count])

    def shared(self, count: int, schools: int) -> Path:
        """Tokens under a shared secret, each another client's, with so many schools."""
        lines = (hmac_token("HS256", claims(i, schools)) for i in range(count))
        return self._write(f"HS256-{count}-{schools}.tokens", lines)

    def students(self, count: int) -> Path:
        """API key and permission token, each another vendor's."""
        now = int(time.time())
        lines = (f"{api_key(i)} {hmac_token('HS512', student_claims(i, now))}" for i in range(count))
        return self._write(f"students-{count}.tokens", lines)

    def stream(self, kind: str, alg: str, first: int) -> subprocess.Popen[bytes]:
        """Distinct tokens without end, see tests/bench/tokens; the one numbered `first` comes first."""
        if alg == "HS256":
            key, payload = self._write("secret", [SECRET], end=""), claims(0) | {"iss": SECRET_ISSUER}
        else:
            key, payload = Path(KEYS[alg]), claims(0)
        command = [*pinned(load_cores(1)), str(self._signer), "stream", alg, str(key), f"{KID}-{alg}", kind, str(first)]
        signer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert signer.stdin
        signer.stdin.write(json.dumps(payload).encode())
        signer.stdin.close()
        return signer

    def _tool(self, command: str, alg: str, payloads: str = "") -> str:
        args = [str(self._signer), command, alg, KEYS[alg], f"{KID}-{alg}"]
        return subprocess.run(args, input=payloads, text=True, stdout=subprocess.PIPE, check=True).stdout

    def _write(self, name: str, lines: Iterable[str], end: str = "\n") -> Path:
        path = self._files / name
        path.write_text("".join(f"{line}{end}" for line in lines))
        return path


def school(i: int) -> str:
    """A school's id: eight digits."""
    return str(15030001 + i)


def client(i: int) -> str:
    """A client's id."""
    return f"client-{i:06}"


def claims(i: int, schools: int = 3) -> dict[str, Any]:
    """What a token of the Education Data Platform says."""
    return {
        "iss": ISSUER,
        "client_id": client(i),
        "tier": "standard",
        "schools": [school(s) for s in range(schools)],
        "exp": EXP,
    }


def student_claims(i: int, now: int) -> dict[str, Any]:
    """What a permission token of the Student Data API says."""
    return {
        "iss": STUDENT_ISSUER,
        "vendor": client(i),
        "districts": ["1503000"],
        "schools": ["15040001"],
        "permissions": ["students.read"],
        "jti": f"{i:032x}",
        "iat": now,
        "exp": now + STUDENT_LIFETIME_S,
    }


def api_key(i: int) -> str:
    """A vendor's API key, as `openssl rand -hex 32` makes them."""
    return hashlib.sha256(f"bench key {i}".encode()).hexdigest()


def hmac_token(alg: str, payload: dict[str, Any]) -> str:
    """A token under the shared secret."""
    header = _encode(json.dumps({"alg": alg, "typ": "JWT"}).encode())
    signed = f"{header}.{_encode(json.dumps(payload).encode())}"
    digest = hmac.new(SECRET.encode(), signed.encode(), f"sha{alg[2:]}").digest()
    return f"{signed}.{_encode(digest)}"


def secret_jwks(alg: str) -> dict[str, Any]:
    """The shared secret as a key set, for Envoy's own filter."""
    return {"keys": [{"kty": "oct", "alg": alg, "k": _encode(SECRET.encode())}]}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
