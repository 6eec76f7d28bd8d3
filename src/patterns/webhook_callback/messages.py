"""What the third party may say of its job, in the body of a request.

`{"kind": "success", "result": {"transcript": "s3://…", "words": 812}}`,
`{"kind": "failure", "message": "the recording is silent"}` or `{"kind": "heartbeat"}`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

FAILED = "TranscriptionFailed"
LONGEST_MESSAGE = 1_000


class Transcript(BaseModel):
    """The result of the job.

    Parameters:
        transcript: where it is.
        words: how many there are.
    """

    model_config = ConfigDict(strict=True)

    transcript: str = Field(min_length=1, max_length=2_048)
    words: int = Field(ge=0, lt=2**53)


class Success(BaseModel):
    """The job is done."""

    kind: Literal["success"]
    result: Transcript


class Failure(BaseModel):
    """The job can't be done."""

    model_config = ConfigDict(strict=True)

    kind: Literal["failure"]
    message: str = Field(min_length=1, max_length=LONGEST_MESSAGE)


class Heartbeat(BaseModel):
    """The job goes on."""

    kind: Literal["heartbeat"]


Message = Annotated[Success | Failure | Heartbeat, Field(discriminator="kind")]
_message: TypeAdapter[Success | Failure | Heartbeat] = TypeAdapter(Message)


class Malformed(Exception):  # noqa: N818 - says what it is
    """A body that says none of this; the message names the field."""


def parse(body: bytes) -> Success | Failure | Heartbeat:
    """Read a body.

    Raises:
        Malformed: it is none of the three; nothing that was sent is part of the message.
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
    # The first part names the kind of message.
    field = ".".join(map(str, location[1:]))
    return f"{field}: missing" if kind == "missing" else f"{field}: not as documented"
