"""What is logged, with all of its fields, by whoever logs it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Log(logging.Handler):
    """Everything that was logged."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += f"{vars(record)}\n"


@contextmanager
def listening(service: str) -> Iterator[Log]:
    """Listen to everybody, and to the Powertools logger of a service, while this lasts."""
    log = Log()
    loggers = (logging.getLogger(), logging.getLogger(service))
    for logger in loggers:
        logger.addHandler(log)
    try:
        yield log
    finally:
        for logger in loggers:
            logger.removeHandler(log)
