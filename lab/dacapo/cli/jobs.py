"""From the arguments of `dacapo check` to handlers, and the histories that belong to each."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dacapo.cli.environment import Variables, of_template, read_file, targets_in
from dacapo.cli.options import Mistake
from dacapo.history import files
from dacapo.scenario.target import load
from dacapo.verify.configuration import Configuration, FunctionSettings
from dacapo.verify.deploy_check.checker import Job, Source

_USAGE = (
    "give a recording and a target: dacapo check RECORDING… MODULE:HANDLER; or a template that "
    "has your functions (--template FILE); or describe them in pyproject.toml "
    "([tool.dacapo.functions.NAME])"
)
_HISTORIES = "histories"
"""Directory with a directory for each function, where no other is options."""


@dataclass(frozen=True)
class Jobs:
    """Everything that one command checks.

    Parameters:
        jobs: a handler each, with its histories.
        notes: what the user should know of them.
    """

    jobs: list[Job]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class EnvironmentOptions:
    """Options that concern the environment.

    Parameters:
        env: file with variables, for all functions; None for none.
        template: `FILE` or `FILE:FUNCTION`; "" for none.
    """

    env: Path | None = None
    template: str = ""


def jobs_of(
    arguments: Sequence[str], configuration: Configuration, options: EnvironmentOptions
) -> Jobs:
    """Return the jobs that the arguments of `dacapo check` name.

    Parameters:
        arguments: files and directories; the last one may be a target, or the name of a function in
            pyproject.toml. None of them checks every function there.

    Raises:
        Mistake: they name nothing that can be checked, or a history that belongs to no function.
        HistoryError: there is no such file.
    """
    paths, last = _split(arguments)
    functions = configuration.functions or _of_template(options, last)
    if last in functions:
        chosen = {last: _files_in(paths) or _own(functions[last], configuration)}
    elif last:
        if not paths:
            raise Mistake(_USAGE)
        functions = {last: FunctionSettings(last, last)}
        chosen = {last: _files_in(paths)}
    elif not functions:
        raise Mistake(_USAGE)
    elif paths:
        chosen = _assigned(_files_in(paths), functions)
    else:
        chosen = {name: _own(one, configuration) for name, one in functions.items()}
    settings = [(functions[name], histories) for name, histories in chosen.items() if histories]
    return _with_environment(settings, configuration.folder, options, is_alone=len(settings) == 1)


def _of_template(options: EnvironmentOptions, target: str) -> dict[str, FunctionSettings]:
    """Return the functions of a template, if it is all that there is to go by."""
    if target or not options.template:
        return {}
    path, logical_id = _parted(options.template)
    targets = targets_in(path).items()
    return {name: FunctionSettings(name, to) for name, to in targets if logical_id in ("", name)}


def _split(arguments: Sequence[str]) -> tuple[list[str], str]:
    """Return the files and directories, and the target; "" if there is none."""
    if not arguments:
        return [], ""
    *paths, last = arguments
    is_target = not Path(last).exists() and not last.endswith(".json")
    return (paths, last) if is_target else ([*arguments], "")


def _files_in(paths: Sequence[str]) -> list[Path]:
    histories = [file for path in paths for file in files.find(Path(path))]
    return list(dict.fromkeys(histories))


def _own(function: FunctionSettings, configuration: Configuration) -> list[Path]:
    path = configuration.folder / (function.histories or f"{_HISTORIES}/{function.name}")
    if not path.exists() and not function.histories:
        raise Mistake(
            f"there are no histories of {function.name}: fetch them into "
            f"{os.path.relpath(path)}, or name their directory in pyproject.toml"
        )
    return files.find(Path(os.path.relpath(path)))


def _assigned(
    histories: Sequence[Path], functions: Mapping[str, FunctionSettings]
) -> dict[str, list[Path]]:
    """Return the files of each function: a file says whose it is, or a directory above it does."""
    assigned: dict[str, list[Path]] = {name: [] for name in functions}
    for file in histories:
        name = _function_of(file, functions)
        if name is None:
            known = ", ".join(functions)
            raise Mistake(
                f"{file} belongs to none of the functions ({known}) by its contents or its "
                "directories: name the target last"
            )
        assigned[name].append(file)
    return assigned


def _function_of(file: Path, functions: Collection[str]) -> str | None:
    folders = reversed(file.absolute().parent.parts)
    names = (files.declared_function(file), *folders)
    histories = next((name for one in names if (name := _known(one, functions))), None)
    return histories or _known(files.function_of(file), functions)


def _known(name: str, functions: Collection[str]) -> str | None:
    """Return the function that a name means: CloudFormation makes STACK-LOGICALID-RANDOM of one."""
    fits = (one for one in functions if one == name or f"-{one}-" in name)
    return next(fits, None)


def _with_environment(
    settings: Sequence[tuple[FunctionSettings, list[Path]]],
    folder: Path,
    options: EnvironmentOptions,
    *,
    is_alone: bool,
) -> Jobs:
    jobs: list[Job] = []
    notes: list[str] = []
    for function, histories in settings:
        target = _from(folder, function.target)
        variables = _variables(function, target, folder, options)
        jobs.append(_job(function, target, histories, variables.values, is_alone=is_alone))
        notes += _notes(variables)
    return Jobs(jobs, notes)


def _job(
    function: FunctionSettings,
    target: str,
    histories: Sequence[Path],
    values: Mapping[str, str],
    *,
    is_alone: bool,
) -> Job:
    sources = [Source(str(file), partial(files.load, file)) for file in histories]
    if not is_alone:
        return Job(function.name, partial(load, target), sources, values)
    os.environ.update(values)
    scenario = load(target)  # once, and not in each process
    return Job(function.name, lambda: scenario, sources)


def _from(folder: Path, target: str) -> str:
    """Return a target of pyproject.toml as seen from the working directory."""
    place, colon, name = target.rpartition(":")
    if not place.endswith(".py") or (Path(place).exists() and folder == Path.cwd()):
        return target
    there = folder / place
    return f"{os.path.relpath(there)}{colon}{name}" if there.exists() else target


def _variables(
    function: FunctionSettings, target: str, folder: Path, options: EnvironmentOptions
) -> Variables:
    variables = Variables()
    template = options.template or (function.template and str(folder / function.template))
    if template:
        path, logical_id = _parted(template)
        variables = of_template(path, logical_id, target)
    if function.env:
        variables.add(read_file(folder / function.env))
    variables.add(function.environment)
    if options.env:
        variables.add(read_file(options.env))
    return variables


def _parted(template: str) -> tuple[Path, str]:
    """Return the file and the function of FILE:FUNCTION."""
    file, _, function = template.rpartition(":")
    has_function = bool(file) and "/" not in function and "." not in function
    return (Path(file), function) if has_function else (Path(template), "")


def _notes(variables: Variables) -> Iterator[str]:
    if variables.unresolved:
        said = ", ".join(f"{name} ({text})" for name, text in variables.unresolved.items())
        names = " ".join(f"{name}=…" for name in variables.unresolved)
        yield (
            f"only a deployment has values for {said}: if the handler needs them, write {names} "
            "into a file, and give it with --env"
        )
