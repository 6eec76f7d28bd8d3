"""Messages that the vendor sends in the body of a request.

`{"kind": "success", "result": {"transcript": "s3://…", "words": 812}}`,
`{"kind": "failure", "message": "the recording is silent"}` or `{"kind": "heartbeat"}`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

FAILED = "TranscriptionFailed"
MAX_MESSAGE_LENGTH = 1_000


class Transcript(BaseModel):
    """The result of the job.

    Parameters:
        transcript: URI of the transcript, at most 2,048 characters.
        words: number of words in it.
    """

    model_config = ConfigDict(strict=True)

    transcript: str = Field(min_length=1, max_length=2_048)
    words: int = Field(ge=0, lt=2**53)


class Success(BaseModel):
    """The job is done."""

    kind: Literal["success"]
    result: Transcript


class Failure(BaseModel):
    """The job failed."""

    model_config = ConfigDict(strict=True)

    kind: Literal["failure"]
    message: str = Field(min_length=1, max_length=MAX_MESSAGE_LENGTH)


class Heartbeat(BaseModel):
    """The job is still running."""

    kind: Literal["heartbeat"]


Message = Annotated[Success | Failure | Heartbeat, Field(discriminator="kind")]
_message: TypeAdapter[Success | Failure | Heartbeat] = TypeAdapter(Message)


class Malformed(Exception):  # noqa: N818 - reads as a fact
    """The body is not a valid message; the error names the field."""


def parse(body: bytes) -> Success | Failure | Heartbeat:
    """Parse a request body.

    Raises:
        Malformed: it is not a valid message; the error repeats nothing from the body.
    """
    try:
        return _message.validate_json(body)
    except ValidationError as error:
        (first, *_) = error.errors(include_input=False, include_url=False, include_context=False)
        raise Malformed(_name(first["type"], first["loc"])) from None


def _name(kind: str, location: tuple[int | str, ...]) -> str:
    if kind == "json_invalid":
        return "the body is not JSON"
    if kind.startswith("union_tag"):
        return "kind: must be success, failure or heartbeat"
    if not location:
        return "the body is not a JSON object"
    # The first element is the kind of message.
    field = ".".join(map(str, location[1:]))
    return f"{field}: missing" if kind == "missing" else f"{field}: invalid"
