"""`imgkit ops`: the operations, read from the registry."""

from __future__ import annotations

import inspect

import click

from imgkit.cli import options


@click.command(short_help="List the operations, or explain one.")
@click.argument("name", required=False)
def ops(name: str | None) -> None:
    """List every operation with its parameters, or with NAME print its full help.

    \b
    Examples:
      imgkit ops
      imgkit ops max_pool
      imgkit ops Rotate
    """
    from imgkit.folder.steps import transforms, usable
    from imgkit.image import nearest
    from imgkit.registry import FUNCTIONS

    known = [*FUNCTIONS, *transforms()]
    if name is not None:
        with options.usage("NAME"):
            if name not in known:
                raise ValueError(f"{name!r} is no operation: {nearest(name, known)}")
        click.echo(explain(name))
        return
    for title, names in families(usable(), transforms()).items():
        click.secho(title, bold=True)
        for op in names:
            click.echo(f"  {op} {parameters(op)}".rstrip())
            click.echo(f"      {summary(op)}")


def families(functions: list[str], transforms: list[str]) -> dict[str, list[str]]:
    """Return the operations below the title of their family."""
    from imgkit.registry import PUBLIC

    found: dict[str, list[str]] = {}
    for group, names in (("", functions), ("transforms: ", transforms)):
        for name in names:
            found.setdefault(group + PUBLIC[name].rpartition(".")[2], []).append(name)
    return found


def parameters(name: str) -> str:
    """Return the parameters of an operation as the command line writes them."""
    from imgkit.folder.steps import Step, function, is_transform

    listed = list(inspect.signature(function(name)).parameters.values())
    shown = []
    for p in listed if is_transform(Step(name, {})) else listed[1:]:
        shown.append(p.name if p.default is p.empty else f"[{p.name}={written(p.default)}]")
    return " ".join(shown)


def written(value: object) -> str:
    """Return a default as the command line writes it: a pair is 0,1."""
    return ",".join(f"{v:.4g}" for v in value) if isinstance(value, tuple) else str(value)


def summary(name: str) -> str:
    """Return the first line of an operation's documentation."""
    from imgkit.folder.steps import function

    return (inspect.getdoc(function(name)) or "").partition("\n")[0]


def explain(name: str) -> str:
    """Return the parameters and the documentation of an operation."""
    from imgkit.folder.steps import Step, function, is_transform

    found = function(name)
    listed = inspect.signature(found).replace(return_annotation=inspect.Signature.empty)
    if is_transform(Step(name, {})):
        plain = [p.replace(annotation=p.empty) for p in listed.parameters.values()]
        listed = listed.replace(parameters=plain)
    return f"{name}{listed}\n\n{inspect.getdoc(found)}"
