"""The options of the engines and of the training of styles as those of a command, derived from ``nst_core.options``."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from nst_core.errors import InvalidOptions
from nst_core.options import OPTIONS, AutoMask, FastOptions, GatysOptions, StyleTrainingOptions

Command = Callable[..., None]
Engine = type[GatysOptions] | type[FastOptions]
Options = Engine | type[StyleTrainingOptions]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The image files that a command was given, and what stands for some.

    Attributes:
        content: none where the options need none.
        styles, style_ids: of these, one is empty at least, unless the trained styles make the start (``init=fast``).
        method: the engine.
        auto_mask: what a mask shall be found for, instead of ``masks``.
    """

    content: Path | None
    styles: list[Path]
    style_ids: list[str]
    method: Literal["gatys", "fast"] = "gatys"
    masks: list[Path] = field(default_factory=list)
    auto_mask: AutoMask | None = None
    initial: Path | None = None


#: What on the command line asks for each engine.
_ASKED_BY: dict[Options, str] = {GatysOptions: "a STYLE image", FastOptions: "--style-id"}


def with_options_of(*engines: Options) -> Callable[[Command], Command]:
    """Gives a command one parameter per option of these classes and collects those that were set in its ``engine``.

    On the command line a list is written with commas.  Only options that the user gave are passed on, so that a
    server's own defaults stay in force.
    """
    options = {option.name: option for engine in engines for option in fields(engine)}
    hints = {name: hint for engine in engines for name, hint in get_type_hints(engine).items()}

    def panel(name: str) -> str:
        own = [engine for engine in engines if name in get_type_hints(engine)]
        if len(own) == len(engines):
            return "Training" if own == [StyleTrainingOptions] else "Engine"
        return f"Engine, with {_ASKED_BY[own[0]]}"

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command)
        parameters = [p for p in signature.parameters.values() if p.name != "engine"]
        added = [_parameter(option, hints[name], panel(name)) for name, option in options.items()]

        @functools.wraps(command)
        def wrapper(**given: Any) -> None:
            values = {name: given.pop(name) for name in options}
            command(**given, engine=_chosen(values, hints))

        wrapper.__signature__ = signature.replace(parameters=[*parameters, *added])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in [*parameters, *added]}
        return wrapper

    return decorate


def check_styles(
    pictures: Pictures, engine: dict[str, Any], *, defaults: Mapping[str, Any] | None = None, preset: str | None = None
) -> Pictures:
    """See that the styles are of one kind, and no option is of the engine that paints in the other kind.

    Args:
        engine: the options that were given.
        defaults: those in force where none is given.

    Returns:
        The pictures in their roles: a single one is the style where the options need no content.

    Raises:
        BadParameter: it is not so.
    """
    options = _readable({**(defaults or {}), **engine})
    masks = len(pictures.masks) + bool(pictures.auto_mask)
    if pictures.content and not (pictures.styles or pictures.style_ids or options.needs_content(masks=masks)):
        pictures = replace(pictures, content=None, styles=[pictures.content])
    missing = options.uses_style and not pictures.styles and not pictures.style_ids
    drafted = options.init == "fast"
    if missing or (pictures.styles and pictures.style_ids and not drafted):
        raise typer.BadParameter("give one kind: STYLE images, or ids of trained styles", param_hint="--style-id")
    if pictures.style_ids and not drafted:
        pictures = replace(pictures, method="fast")
    chosen: Engine = FastOptions if pictures.method == "fast" else GatysOptions
    (other,) = _ASKED_BY.keys() - {chosen}
    foreign = engine.keys() - get_type_hints(chosen).keys()
    if pictures.initial and chosen is FastOptions:
        foreign.add("init_image")
    if preset and chosen is FastOptions:
        foreign.add("preset")
    if foreign:
        raise typer.BadParameter(f"goes with {_ASKED_BY[other]} only", param_hint=_flag(min(foreign)))
    if pictures.masks and pictures.auto_mask:
        raise typer.BadParameter("is instead of --mask, not besides it", param_hint="--auto-mask")
    return pictures


def _readable(values: Mapping[str, Any]) -> GatysOptions:
    """The options of these values; the defaults where they are wrong, which whoever paints will tell."""
    try:
        return GatysOptions.from_mapping({name: value for name, value in values.items() if name in OPTIONS})
    except InvalidOptions:
        return GatysOptions()


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _parameter(option: "Field[Any]", hint: Any, panel: str) -> inspect.Parameter:
    name = option.name
    default: Any = option.default
    kind = get_args(hint)[0] if get_origin(hint) is UnionType else hint
    is_list = get_origin(kind) is tuple
    flags = [_flag(name)]
    if kind is bool:
        flags = [f"{flags[0]}/--no-{name.replace('_', '-')}"]
    if is_list:
        default = ",".join(map(str, default))
    settings: dict[str, Any] = {"help": option.metadata["description"], "rich_help_panel": panel}
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
            item = str if get_origin(get_args(hint)[0]) is Literal else get_args(hint)[0]
            try:
                value = [item(part.strip()) for part in value.split(",") if part.strip()]
            except ValueError:
                message = f"must be numbers with commas between, not {value!r}"
                raise typer.BadParameter(message, param_hint=_flag(name)) from None
        chosen[name] = value
    return chosen
