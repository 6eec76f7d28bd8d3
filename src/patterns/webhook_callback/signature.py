"""Signs a request, and tells whether one was signed with a key that counts.

A signature is the HMAC-SHA256 of the method, the path, the time and the body, so none of them can
be changed, and a request that was overheard can be sent again for five minutes at the most.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

TIMESTAMP_HEADER = "x-timestamp"
SIGNATURE_HEADER = "x-signature"
MOST_SKEW_SECONDS = 300

_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


def sign(key: str, method: str, path: str, timestamp: str, body: bytes) -> str:
    """The signature of a request, in hexadecimal digits.

    Parameters:
        timestamp: when it was signed, epoch seconds, digits only.
        body: exactly the bytes that are sent.
    """
    # No two requests give one message: a digest has a fixed length, a timestamp only digits, and
    # a method no line break.
    digest = hashlib.sha256(body).hexdigest()
    message = "\n".join((method, path, timestamp, digest))
    return hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()


def headers(key: str, method: str, path: str, now: float, body: bytes) -> dict[str, str]:
    """The two headers that a signed request carries.

    Parameters:
        now: epoch seconds.
    """
    timestamp = str(int(now))
    return {
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(key, method, path, timestamp, body),
    }


def is_fresh(timestamp: str, now: float) -> bool:
    """Whether a request that was signed at `timestamp` still counts.

    Parameters:
        now: epoch seconds.
    """
    is_readable = _TIMESTAMP.fullmatch(timestamp) is not None
    return is_readable and abs(now - int(timestamp)) <= MOST_SKEW_SECONDS


def is_signed(
    keys: Iterable[str], given: str, method: str, path: str, timestamp: str, body: bytes
) -> bool:
    """Whether `given` is the request's signature by one of the keys.

    Every key is tried, and compared in constant time, so how long it takes tells nothing.
    """
    # As bytes, because a header may hold characters that compare_digest refuses in text.
    claimed = given.encode(errors="surrogatepass")
    expected = (sign(key, method, path, timestamp, body).encode() for key in keys)
    matches = [hmac.compare_digest(signature, claimed) for signature in expected]
    return any(matches)
