"""`imgkit ops`: the operations, read from the registry."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
from typing import Any

import click

from imgkit.cli import options
from imgkit.cli.values import usage


@click.command(short_help="List the operations, or explain one.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
@options.import_option
def ops(name: str | None, as_json: bool) -> None:
    """List every operation with its parameters, or with NAME print its full help.

    Operations that have no device kernel say so: on CUDA they move the batch to the host and back.

    \b
    Examples:
      imgkit ops
      imgkit ops max_pool
      imgkit ops Rotate --json
    """
    from imgkit.augment.exchange.document import functions, known_names
    from imgkit.augment.transforms.custom import registered_names
    from imgkit.checks import suggest
    from imgkit.registry import CONTROLS, FUNCTIONS, SYNONYMS, TRANSFORMS

    known = [*FUNCTIONS, *known_names()]
    transforms = [*TRANSFORMS, *CONTROLS, *registered_names()]
    if name is not None:
        with usage("NAME"):
            if name not in known:
                raise ValueError(f"unknown operation {name!r}: {suggest(name, known, SYNONYMS)}")
        click.echo(json.dumps(entry(name), indent=2) if as_json else explain(name))
        return
    listed = families(functions(), transforms)
    if as_json:
        entries = [entry(op) for names in listed.values() for op in names]
        click.echo(json.dumps(entries, indent=2))
        return
    for title, names in listed.items():
        click.secho(title, bold=True)
        for op in names:
            click.echo(f"  {op} {parameters(op)}".rstrip())
            click.echo(f"      {summary(op)}{host_note(op)}")


def families(functions: list[str], transforms: list[str]) -> dict[str, list[str]]:
    """Return the operations below the title of their family."""
    found: dict[str, list[str]] = {}
    for group, names in (("", functions), ("transforms: ", transforms)):
        for name in names:
            found.setdefault(group + family(name), []).append(name)
    return found


def family(name: str) -> str:
    """Return the family of an operation."""
    return str(find(name).__module__).rpartition(".")[2]


def find(name: str) -> Any:
    """Return the function or the transform of a name."""
    from imgkit.augment.transforms.custom import registered
    from imgkit.registry import PUBLIC, public

    return public(name) if name in PUBLIC else registered(name)


def is_transform(name: str) -> bool:
    """Return whether a name is that of a transform rather than a function."""
    return isinstance(find(name), type)


def listed_parameters(name: str) -> list[inspect.Parameter]:
    """Return the parameters of an operation, without the image of a function."""
    listed = list(inspect.signature(find(name)).parameters.values())
    return listed if is_transform(name) else listed[1:]


def parameters(name: str) -> str:
    """Return the parameters of an operation as the command line writes them."""
    return " ".join(
        p.name if p.default is p.empty else f"[{p.name}={written(p.default)}]"
        for p in listed_parameters(name)
    )


def written(value: object) -> str:
    """Return a default as the command line writes it: a pair is 0,1."""
    return ",".join(f"{v:.4g}" for v in value) if isinstance(value, tuple) else str(value)


def summary(name: str) -> str:
    """Return the first line of an operation's documentation."""
    return (inspect.getdoc(find(name)) or "").partition("\n")[0]


def host_note(name: str) -> str:
    """Return the note that an operation has no device kernel, or nothing."""
    reason = host_reason(name)
    return f" Host only on CUDA: {reason}." if reason else ""


def host_reason(name: str) -> str | None:
    """Return why an operation has no device kernel; None if it has one."""
    from imgkit.registry import HOST_ONLY

    return HOST_ONLY.get(name) or getattr(find(name), "host_only", "") or None


def explain(name: str) -> str:
    """Return the parameters and the documentation of an operation."""
    found = find(name)
    listed = inspect.signature(found).replace(return_annotation=inspect.Signature.empty)
    if is_transform(name):
        plain = [p.replace(annotation=p.empty) for p in listed.parameters.values()]
        listed = listed.replace(parameters=plain)
    note = host_note(name).strip()
    return f"{name}{listed}\n\n{inspect.getdoc(found)}" + (f"\n\n{note}" if note else "")


# --- for programs -------------------------------------------------------------------------


def entry(name: str) -> dict[str, Any]:
    """Return an operation as plain values.

    `host_only` says why it has no device kernel, or is null; `result` is what a function returns
    (`registry.Op`); a parameter has the limits that its transform declares.
    """
    from imgkit.registry import FUNCTIONS

    transform = is_transform(name)
    limits = _limits(find(name)) if transform else {}
    listed = [
        {"name": p.name, "required": p.default is p.empty}
        | ({} if p.default is p.empty else {"default": _plain(p.default)})
        | limits.get(p.name, {})
        for p in listed_parameters(name)
    ]
    return {
        "name": name,
        "kind": "transform" if transform else "function",
        "family": family(name),
        "summary": summary(name),
        "parameters": listed,
        **({} if transform else {"result": FUNCTIONS[name].result}),
        "host_only": host_reason(name),
    }


def _limits(transform: Any) -> dict[str, dict[str, Any]]:
    """Return the declared limits of each parameter of a transform."""
    return {
        spec.name: {
            name: _plain(value)
            for name, value in spec.metadata.get("limits", {}).items()
            if value is not False and value not in (math.inf, -math.inf)
        }
        for spec in dataclasses.fields(transform)
    }


def _plain(value: Any) -> Any:
    """Return a value for JSON: a `Choice` becomes its options."""
    value = getattr(value, "options", value)
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)
