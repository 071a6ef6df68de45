"""The described HTTP engines that are shipped, one YAML file each, and what an engine of the catalogue comes to with them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from ruamel.yaml import YAML

from trace_model.catalogue.engine_schema import Engine
from trace_model.catalogue.http_engine_schema import HttpEngine, Parameter, Preset


@cache
def names() -> tuple[str, ...]:
    """The shipped presets, in order of the alphabet."""
    here = files(__package__)
    return tuple(sorted(f.name.removesuffix(".yaml") for f in here.iterdir() if f.name.endswith(".yaml")))


@cache
def preset(name: str) -> Preset:
    """The shipped preset of that name; it must be one of `names()`."""
    return Preset.model_validate(YAML(typ="safe").load((files(__package__) / f"{name}.yaml").read_text("utf-8")))


def described(entry: Engine) -> HttpEngine:
    """The HTTP engine that the entry describes or takes from a preset, its parameters filled with what the entry gives.

    A parameter that is given is read from no span. Call it only on an entry without `faults`.
    """
    engine = entry.http or preset(entry.preset or "").engine
    given = {
        name: Parameter(about=parameter.about, default=entry.given.get(name, parameter.default),
                        attributes=[] if name in entry.given else parameter.attributes)
        for name, parameter in engine.parameters.items()
    }  # fmt: skip
    return engine.model_copy(update={"parameters": given})


def run_id_attributes(entry: Engine) -> tuple[str, ...]:
    return entry.run_id_attributes or (tuple(preset(entry.preset).run_id) if entry.preset else ())


def faults(entry: Engine) -> Iterator[str]:
    """What is wrong with an entry of kind `http`, in words."""
    if entry.preset is not None and entry.preset not in names():
        yield f"engine '{entry.name}' names preset '{entry.preset}', which is not shipped. Known: {', '.join(names())}"
        return
    engine = entry.http or preset(entry.preset or "").engine
    for fault in engine.faults():
        yield f"engine '{entry.name}': {fault}"
    known = ", ".join(engine.parameters) or "none"
    for name in entry.given:
        if name not in engine.parameters:
            yield f"engine '{entry.name}' gives '{name}', which is no parameter. Known: {known}"
    for name, parameter in engine.parameters.items():
        value = entry.given.get(name, parameter.default)
        if parameter.must_be is not None and value != parameter.must_be:
            yield f"engine '{entry.name}' must say with: {{{name}: '{parameter.must_be}'}}: {parameter.about}"
        elif value is None and not parameter.attributes:
            yield f"engine '{entry.name}' must say with: {{{name}: ...}}: {parameter.about}"
    if not run_id_attributes(entry) and any("run_id" in t for t in engine.submit.templates()):
        yield f"engine '{entry.name}' needs run_id: the span attributes that hold the engine's own id of what failed"
    needed, useful = engine.auth.secrets
    for name in sorted(needed - set(entry.secrets)):
        yield f"engine '{entry.name}' needs secrets: {{{name}: VARIABLE}} for auth '{engine.auth.kind}'"
    for name in sorted(set(entry.secrets) - useful):
        yield f"engine '{entry.name}' has no use for a secret '{name}'. Known: {', '.join(sorted(useful)) or 'none'}"
