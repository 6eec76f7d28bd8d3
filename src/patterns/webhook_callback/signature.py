"""Sign requests and verify signatures.

A signature is the HMAC-SHA256 of the method, path, timestamp, and body. None of them can be changed
without the key, and an intercepted request can be resent for at most five minutes (and the second
that the timestamp omits).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

TIMESTAMP_HEADER = "x-timestamp"
SIGNATURE_HEADER = "x-signature"
MAX_SKEW_SECONDS = 300
"""How far a request's timestamp may be from our clock, either way and inclusive."""

_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


def sign(key: str, method: str, path: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a request, as hexadecimal digits.

    Parameters:
        timestamp: time of signing, epoch seconds, digits only.
        body: the exact bytes sent.
    """
    # No two requests share a message: a digest has a fixed length, a timestamp has only digits,
    # and a method has no line break.
    digest = hashlib.sha256(body).hexdigest()
    message = "\n".join((method, path, timestamp, digest))
    return hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()


def headers(key: str, method: str, path: str, now: float, body: bytes) -> dict[str, str]:
    """Return the two headers of a signed request.

    Parameters:
        now: time of signing, epoch seconds.
    """
    timestamp = str(int(now))
    return {
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(key, method, path, timestamp, body),
    }


def is_fresh(timestamp: str, now: float) -> bool:
    """Return whether a timestamp is valid and within five minutes of `now`, either way, inclusive.

    Both are compared in whole seconds, as `headers` writes them. So every request that is at most
    five minutes old or ahead is fresh, at any fraction of a second.

    Parameters:
        timestamp: time of signing, from the request's header.
        now: epoch seconds.
    """
    is_valid = _TIMESTAMP.fullmatch(timestamp) is not None
    return is_valid and abs(int(now) - int(timestamp)) <= MAX_SKEW_SECONDS


def is_signed(
    keys: Iterable[str], claim: str, method: str, path: str, timestamp: str, body: bytes
) -> bool:
    """Return whether `claim` is the request's signature under one of the keys.

    Every key is tried, and compared in constant time, so the duration reveals nothing.
    """
    # As bytes, because a header may hold characters that compare_digest rejects in text.
    claim_bytes = claim.encode(errors="surrogatepass")
    expected = (sign(key, method, path, timestamp, body).encode() for key in keys)
    matches = [hmac.compare_digest(signature, claim_bytes) for signature in expected]
    return any(matches)
