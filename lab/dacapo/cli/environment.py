"""Environment variables of a function, for its handler: from a file, or from its template."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dacapo.cli.options import Mistake
from dacapo.service.functions import ACCOUNT, REGION
from dacapo.simulation.network_guard import KEPT_VARIABLES

_LINE = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<value>.*)")
_FUNCTIONS = ("AWS::Serverless::Function", "AWS::Lambda::Function")
_PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
"""Pseudo parameters that have one value in every run."""
_IN_TEXT = re.compile(r"\$\{(?!!)([^}]+)\}")


@dataclass
class Variables:
    """Variables of a function.

    Parameters:
        values: their values, by name.
        unresolved: what the template says of those that only a deployment has a value for.
    """

    values: dict[str, str] = field(default_factory=dict)
    unresolved: dict[str, str] = field(default_factory=dict)

    def add(self, values: Mapping[str, str]) -> None:
        """Add variables, which take the place of what is there; leave out what a run sets."""
        self.values.update({k: v for k, v in values.items() if k not in KEPT_VARIABLES})
        for name in values:
            self.unresolved.pop(name, None)


def read_file(path: Path) -> dict[str, str]:
    """Return the variables in a file: a line NAME=VALUE for each; # begins a comment.

    Raises:
        Mistake: it can't be read, or a line is neither.
    """
    variables = {}
    for number, line in enumerate(_text_of(path, "--env").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            # Without the line itself, which may hold a secret.
            raise Mistake(f"--env: {path}:{number} is not NAME=VALUE")
        variables[match["name"]] = _unquoted(match["value"])
    return variables


def _unquoted(value: str) -> str:
    quote = value[:1]
    if len(value) > 1 and quote in ("'", '"') and value.endswith(quote):
        return value[1:-1]
    return value.partition(" #")[0].rstrip()


def of_template(path: Path, function: str, target: str) -> Variables:
    """Return the variables of a function in a SAM or CloudFormation template.

    Parameters:
        path: the template, in YAML or JSON.
        function: the function's logical ID or FunctionName; "" for the one whose code the target
            is in, or the only one.
        target: the handler, as `FILE.py:NAME`.

    Raises:
        Mistake: it can't be read, or has no such function.
    """
    template = _parsed(path)
    functions, common = _functions(template), _common(template)
    properties = functions[_chosen(functions, function, target, common, path)]
    declared = {**_declared(common), **_declared(properties)}
    parameters = dict(_defaults(_dict(template.get("Parameters"))))
    variables = Variables()
    for name, value in declared.items():
        text = _resolved(value, parameters)
        if text is None:
            variables.unresolved[name] = _said(value)
        else:
            variables.add({name: text})
    return variables


def targets_in(path: Path) -> dict[str, str]:
    """Return the handlers of a template's functions in Python, as targets, by logical ID.

    Raises:
        Mistake: the template can't be read.
    """
    template = _parsed(path)
    common, targets = _common(template), {}
    for key, properties in _functions(template).items():
        file, name = _code_of({**common, **properties}, path.parent)
        if file.is_file():
            targets[key] = f"{os.path.relpath(file)}:{name}"
    return targets


def _functions(template: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        key: _dict(resource.get("Properties"))
        for key, resource in _dict(template.get("Resources")).items()
        if isinstance(resource, dict) and resource.get("Type") in _FUNCTIONS
    }


def _common(template: Mapping[str, Any]) -> dict[str, Any]:
    return _dict(_dict(template.get("Globals")).get("Function"))


def _chosen(
    functions: Mapping[str, Any],
    function: str,
    target: str,
    common: Mapping[str, Any],
    path: Path,
) -> str:
    if function:
        fits = [k for k, p in functions.items() if function in (k, p.get("FunctionName"))]
    else:
        fits = [k for k, p in functions.items() if _has_code({**common, **p}, target, path.parent)]
        fits = fits or (list(functions) if len(functions) == 1 else [])
    if not fits:
        known = ", ".join(functions) or "none"
        wanted = f"function {function!r}" if function else f"function for {target}"
        raise Mistake(f"--template: {path} has no {wanted}; write {path}:FUNCTION, one of: {known}")
    return fits[0]


def _has_code(properties: Mapping[str, Any], target: str, folder: Path) -> bool:
    """Return whether a function's handler is the target."""
    there, name = _code_of(properties, folder)
    file, _, target_name = target.rpartition(":")
    return name == target_name and there.resolve() == Path(file).resolve()


def _code_of(properties: Mapping[str, Any], folder: Path) -> tuple[Path, str]:
    """Return the file with a function's handler, and the handler's name."""
    code, handler = properties.get("CodeUri", "."), properties.get("Handler", "")
    if not isinstance(code, str) or not isinstance(handler, str):
        return folder / "unknown.py", ""  # an image, or code that is in S3
    module, _, name = handler.rpartition(".")
    return folder / code / f"{module.replace('.', '/')}.py", name


def _declared(properties: Mapping[str, Any]) -> dict[str, Any]:
    return _dict(_dict(properties.get("Environment")).get("Variables"))


def _defaults(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _PSEUDO.items()
    for name, parameter in parameters.items():
        default = _dict(parameter).get("Default")
        if default is not None:
            yield name, str(default)


def _resolved(value: Any, parameters: Mapping[str, str]) -> str | None:
    """Return a value as Lambda would have it; None if only a deployment knows."""
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value)
        case {"Ref": str(name)}:
            return parameters.get(name)
        case {"Fn::Sub": str(text)}:
            return _substituted(text, parameters)
        case {"Fn::Join": [str(separator), [*parts]]}:
            return _joined(separator, [_resolved(part, parameters) for part in parts])
    return None


def _substituted(text: str, parameters: Mapping[str, str]) -> str | None:
    if not all(part.strip() in parameters for part in _IN_TEXT.findall(text)):
        return None
    return _IN_TEXT.sub(lambda match: parameters[match[1].strip()], text)


def _joined(separator: str, parts: Iterable[str | None]) -> str | None:
    parts = list(parts)
    return None if None in parts else separator.join(part or "" for part in parts)


def _said(value: Any) -> str:
    """Return an intrinsic function as a template has it."""
    match value:
        case {"Ref": name}:
            return f"!Ref {name}"
        case dict() if len(value) == 1:
            ((name, argument),) = value.items()
            parts = argument if isinstance(argument, list) else [argument]
            text = ".".join(part for part in parts if isinstance(part, str))
            return f"!{str(name).removeprefix('Fn::')} {text}".rstrip()
    return "not a text"


def _parsed(path: Path) -> dict[str, Any]:
    text = _text_of(path, "--template")
    try:
        template = json.loads(text)
    except (ValueError, RecursionError):
        template = _yaml(text, path)
    if not isinstance(template, dict):
        raise Mistake(f"--template: {path} is not a template")
    return template


def _yaml(text: str, path: Path) -> Any:
    try:
        import yaml  # noqa: PLC0415 - only a template in YAML needs it
    except ImportError:
        raise Mistake(
            f"--template: {path} is not JSON, and to read YAML needs PyYAML: pip install pyyaml"
        ) from None

    class Loader(yaml.SafeLoader):
        """Reads intrinsic functions as JSON templates write them."""

    def intrinsic(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
        match node:
            case yaml.ScalarNode():
                value: Any = loader.construct_scalar(node)
            case yaml.SequenceNode():
                value = loader.construct_sequence(node, deep=True)
            case _:
                value = loader.construct_mapping(node, deep=True)
        return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}

    Loader.add_multi_constructor("!", intrinsic)
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a subclass of the safe one
    except (yaml.YAMLError, RecursionError) as error:
        raise Mistake(f"--template: {path} is neither YAML nor JSON") from error


def _text_of(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Mistake(f"{option}: {path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise Mistake(f"{option}: {path} is not a text in UTF-8") from error


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
