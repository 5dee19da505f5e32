"""The engines' options as options of a command, derived from ``nst_core.options``."""

import functools
import inspect
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from nst_core.options import OPTIONS, GatysOptions, default_of


def with_engine_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command one parameter per engine option and collects those that were set in its ``engine`` argument.

    On the command line a list is written with commas.  Only options that the user gave are passed on, so that a
    server's own defaults stay in force.
    """
    signature = inspect.signature(command)
    parameters = [p for p in signature.parameters.values() if p.name != "engine"]
    hints = get_type_hints(GatysOptions)
    engine = [_parameter(name, hints[name]) for name in OPTIONS]

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        values = {name: given.pop(name) for name in OPTIONS}
        command(**given, engine=_chosen(values, hints))

    wrapper.__signature__ = signature.replace(parameters=[*parameters, *engine])  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in [*parameters, *engine]}
    return wrapper


def _parameter(name: str, hint: Any) -> inspect.Parameter:
    option = OPTIONS[name]
    kind = get_args(hint)[0] if get_origin(hint) is UnionType else hint
    is_list = get_origin(kind) is tuple
    flags = [f"--{name.replace('_', '-')}"]
    if kind is bool:
        flags = [f"{flags[0]}/--no-{name.replace('_', '-')}"]
    default = ",".join(map(str, default_of(name))) if is_list else default_of(name)
    settings: dict[str, Any] = {"help": option.metadata["description"], "rich_help_panel": "Engine"}
    if default not in (None, ""):
        settings["help"] += f" [dim]\\[default: {str(default).lower() if kind is bool else default}][/dim]"
    if not is_list and kind in (int, float):
        settings |= {"min": option.metadata["minimum"], "max": option.metadata["maximum"]}
    annotation: Any = str if is_list or get_origin(kind) is Literal else kind
    if get_origin(kind) is Literal:
        settings["metavar"] = "|".join(get_args(kind))
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[annotation | None, typer.Option(*flags, **settings)],
    )


def _chosen(values: dict[str, Any], hints: dict[str, Any]) -> dict[str, Any]:
    chosen = {}
    for name, value in values.items():
        if value is None:
            continue
        hint = hints[name]
        if get_origin(hint) is tuple:
            item = get_args(hint)[0]
            try:
                value = [item(part.strip()) for part in value.split(",") if part.strip()]
            except ValueError:
                message = f"must be numbers with commas between, not {value!r}"
                raise typer.BadParameter(message, param_hint=f"--{name.replace('_', '-')}") from None
        chosen[name] = value
    return chosen
