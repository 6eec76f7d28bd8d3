"""Captures every log record, with all of its fields, from any logger."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Log(logging.Handler):
    """A handler that keeps everything that is logged, as text."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += f"{vars(record)}\n"


@contextmanager
def listening(service: str) -> Iterator[Log]:
    """Context manager that captures the root logger and the Powertools logger of a service."""
    log = Log()
    loggers = (logging.getLogger(), logging.getLogger(service))
    for logger in loggers:
        logger.addHandler(log)
    try:
        yield log
    finally:
        for logger in loggers:
            logger.removeHandler(log)
