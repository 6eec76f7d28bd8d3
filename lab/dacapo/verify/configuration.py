"""What pyproject.toml says to the verifier: `[tool.dacapo]`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from dacapo.errors import ConfigurationError, DacapoError
from dacapo.verify.findings import ExperimentName

_FILE = "pyproject.toml"


@dataclass(frozen=True)
class Ignore:
    """One `[[tool.dacapo.ignore]]`.

    Parameters:
        code: the code of the findings that it suppresses.
        reason: why; "" if none is given, and then it suppresses nothing.
        path: glob of the files that it is about, from the folder of pyproject.toml; "" for all.
    """

    code: str
    reason: str
    path: str = ""


@dataclass(frozen=True)
class FunctionSettings:
    """One `[tool.dacapo.functions.NAME]`.

    Parameters:
        name: the function's name, as its histories have it.
        target: its handler: `FILE.py:NAME` or `MODULE:NAME`.
        scenarios: its scenarios, as targets; the world of the first one is there in a check.
        histories: file or directory of its histories, from the folder of pyproject.toml; "" for
            `histories/NAME`.
        template: its SAM or CloudFormation template, from there: `FILE`, or `FILE:LOGICAL_ID`.
        env: file with environment variables, from there.
        environment: further environment variables.
    """

    name: str
    target: str
    scenarios: Sequence[str] = ()
    histories: str = ""
    template: str = ""
    env: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Configuration:
    """The settings of a project.

    Parameters:
        folder: the folder of its pyproject.toml.
        waivers: experiments that need not be made, each with the reason.
        ignores: findings that are accepted.
        functions: its functions, by name.
    """

    folder: Path
    waivers: Mapping[str, str] = field(default_factory=dict)
    ignores: Sequence[Ignore] = ()
    functions: Mapping[str, FunctionSettings] = field(default_factory=dict)


NO_CONFIGURATION = Configuration(Path())


def load(start: Path) -> Configuration:
    """Load the settings of the nearest pyproject.toml in a folder or one around it.

    Raises:
        ConfigurationError: they are not valid.
    """
    folders = (start, *start.parents)
    folder = next((folder for folder in folders if (folder / _FILE).is_file()), None)
    if folder is None:
        return Configuration(start)
    try:
        content = tomllib.loads((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{folder / _FILE} can't be read: {error}") from error
    settings = content.get("tool", {}).get("dacapo", {})
    for name in settings:
        if name not in ("waive", "ignore", "functions"):
            raise ConfigurationError(f"{_FILE}: there is no [tool.dacapo.{name}]")
    return Configuration(
        folder,
        dict(map(_waiver, _tables(settings, "waive"))),
        [_ignore(table) for table in _tables(settings, "ignore")],
        dict(_functions(settings.get("functions", {}))),
    )


def check_waivers(waivers: Mapping[str, str], error: type[DacapoError]) -> None:
    """Refuse waivers of what is not an experiment.

    Parameters:
        error: raised if there is no such experiment.
    """
    names = [name.value for name in ExperimentName]
    for name in waivers:
        if name not in names:
            known = ", ".join(map(repr, names))
            raise error(f"there is no experiment {name!r} to waive; there are: {known}")


def _tables(settings: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    tables = settings.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(f"{_FILE}: write [[tool.dacapo.{name}]], once for each")
    yield from tables


def _functions(tables: object) -> Iterator[tuple[str, FunctionSettings]]:
    if not isinstance(tables, dict):
        raise ConfigurationError(f"{_FILE}: write [tool.dacapo.functions.NAME] for each function")
    for name, table in tables.items():
        yield name, _function(name, table)


def _function(name: str, table: object) -> FunctionSettings:
    known = {one.name for one in fields(FunctionSettings)} - {"name"}
    settings = dict(table) if isinstance(table, dict) else {}
    environment, scenarios = settings.get("environment", {}), settings.get("scenarios", [])
    texts = [value for key, value in settings.items() if key not in ("environment", "scenarios")]
    texts += environment.values() if isinstance(environment, dict) else [None]
    texts += scenarios if isinstance(scenarios, list) else [None]
    is_valid = "target" in settings and settings.keys() <= known
    if not is_valid or not all(isinstance(text, str) for text in texts):
        raise ConfigurationError(
            f"{_FILE}: [tool.dacapo.functions.{name}] has a target, and may have histories, "
            "template, env (texts), scenarios (a list) and environment (a table of texts)"
        )
    return FunctionSettings(name, **settings)


def _waiver(table: Mapping[str, Any]) -> tuple[str, str]:
    name, reason = table.get("experiment"), table.get("reason")
    if not isinstance(name, str) or not isinstance(reason, str) or not reason.strip():
        raise ConfigurationError(
            f"{_FILE}: [[tool.dacapo.waive]] needs an experiment and a reason, not {dict(table)}"
        )
    return name, reason


def _ignore(table: Mapping[str, Any]) -> Ignore:
    code, reason, path = table.get("code"), table.get("reason", ""), table.get("path", "")
    texts = (code, reason, path)
    if not code or not all(isinstance(text, str) for text in texts) or {*table} - _IGNORE_KEYS:
        raise ConfigurationError(
            f"{_FILE}: [[tool.dacapo.ignore]] has a code, a reason and a path, not {dict(table)}"
        )
    return Ignore(str(code), reason.strip(), path)


_IGNORE_KEYS = {"code", "reason", "path"}
