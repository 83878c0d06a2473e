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
    """
    from imgkit.folder.steps import usable
    from imgkit.image import nearest
    from imgkit.registry import FUNCTIONS

    if name is not None:
        with options.usage("NAME"):
            if name not in FUNCTIONS:
                raise ValueError(f"{name!r} is no operation: {nearest(name, FUNCTIONS)}")
        click.echo(explain(name))
        return
    families = dict.fromkeys(FUNCTIONS[name].family for name in usable())
    for family in families:
        click.secho(family, bold=True)
        for op in (FUNCTIONS[n] for n in usable() if FUNCTIONS[n].family == family):
            click.echo(f"  {op.name} {parameters(op.name)}".rstrip())
            click.echo(f"      {summary(op.name)}")


def parameters(name: str) -> str:
    """Return the parameters of an operation as the command line writes them."""
    from imgkit.folder.steps import function

    shown = []
    for p in list(inspect.signature(function(name)).parameters.values())[1:]:
        shown.append(p.name if p.default is p.empty else f"[{p.name}={p.default}]")
    return " ".join(shown)


def summary(name: str) -> str:
    """Return the first line of an operation's documentation."""
    from imgkit.folder.steps import function

    return (inspect.getdoc(function(name)) or "").partition("\n")[0]


def explain(name: str) -> str:
    """Return the signature and the documentation of an operation."""
    from imgkit.folder.steps import function

    found = function(name)
    return f"{name}{inspect.signature(found)}\n\n{inspect.getdoc(found)}"
