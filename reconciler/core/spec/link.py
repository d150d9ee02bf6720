"""All files of a revision together: services with their models, and every problem of every file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.core.model.objects import ServiceId
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.spec import Fleet, Invalid, Origin, Parsed, Service
from reconciler.core.rules import builds, llamacpp
from reconciler.core.rules.llamacpp import Flags
from reconciler.core.spec import checks, gpus, services
from reconciler.core.spec.drafts import Draft, File, Finding, FleetDraft, Head, ModelDraft, ServiceDraft
from reconciler.core.spec.explain import nearest
from reconciler.core.spec.options import Options
from reconciler.core.spec.places import Places
from reconciler.core.spec.select import is_fleet

_DEFAULT_NAMESPACE = "default"
_REFERENCE = ("spec", "modelRef")
_DRAFT_REFERENCE = ("spec", "speculativeDecoding", "draftModelRef")


@dataclass(frozen=True, slots=True)
class _Found:
    """A draft, where it came from, and its settled id."""

    file: File
    id: ServiceId
    draft: ModelDraft | ServiceDraft

    @property
    def origin(self) -> Origin:
        return Origin(self.file.path, self.draft.head.line)


@dataclass(slots=True)
class _Linking:
    """What is known while linking. `broken` are the files with errors; `held` services whose Model is not to be had."""

    options: Options
    flags: Flags
    fleet: Fleet = field(default_factory=Fleet)
    problems: list[Problem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    held: set[ServiceId] = field(default_factory=set)
    models: Mapping[ServiceId, _Found] = field(default_factory=dict)
    names: Mapping[str, list[str]] = field(default_factory=dict)
    _places: dict[str, Places] = field(default_factory=dict)

    def say(self, file: File, head: Head, finding: Finding, *, breaks: bool = True) -> None:
        places = self._places.setdefault(file.path, Places(file.content, self.options.caps))
        self.problems.append(places.problem(file.path, head.index, finding))
        if breaks and finding.severity is Severity.ERROR:
            self.broken.add(file.path)

    def say_all(self, found: _Found, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.say(found.file, found.draft.head, finding)

    def id_of(self, head: Head) -> ServiceId:
        return ServiceId(
            head.namespace or self.options.namespace or self.fleet.namespace or _DEFAULT_NAMESPACE, head.name
        )


def link(files: Sequence[File], options: Options, flags: Flags, refused: Sequence[Problem] = ()) -> Parsed:
    """Return everything the files of one revision say.

    `refused` are the problems of `select`. A file with an error holds back all its services, and the services elsewhere
    whose Model it holds; they are in `invalid`, by what their documents name.
    """
    linking = _Linking(options, flags)
    linking.problems += [*refused, *(problem for file in files for problem in file.problems)]
    linking.broken |= {p.path for p in linking.problems if p.severity is Severity.ERROR}
    linking.fleet = _fleet(linking, files)
    blocked = _broken_fleet(linking, files)
    if blocked is not None:
        return _blocked(linking, files, blocked)
    found = [_Found(file, linking.id_of(draft.head), draft) for file, draft in _drafts(files)]
    models = _unique(linking, [item for item in found if isinstance(item.draft, ModelDraft)])
    wanted = _unique(linking, [item for item in found if isinstance(item.draft, ServiceDraft)])
    _check_models(linking, models)
    linking.models, linking.names = models, _all_models(linking, files)
    linked = [service for item in wanted.values() if (service := _link_service(linking, item))]
    checks.collisions(linked, lambda service, finding: linking.say_all(wanted[service.id], (finding,)))
    _hold_dependants(linking, linked, wanted)
    return _parsed(linking, files, linked)


def _drafts(files: Sequence[File]) -> list[tuple[File, ModelDraft | ServiceDraft]]:
    return [(file, draft) for file in files for draft in file.drafts if not isinstance(draft, FleetDraft)]


def _fleet(linking: _Linking, files: Sequence[File]) -> Fleet:
    found: list[tuple[File, FleetDraft]] = []
    for file in files:
        found += [(file, draft) for draft in file.drafts if isinstance(draft, FleetDraft)]
    for file, draft in found[1:]:
        first = Origin(found[0][0].path, found[0][1].head.line)
        message = f"there is a Fleet already, {first.path}:{first.line}; a repository has one"
        linking.say(file, draft.head, Finding((), "second-fleet", message))
    if not found:
        return Fleet()
    file, draft = found[0]
    return replace(draft.fleet, origin=Origin(file.path, draft.head.line))


def _broken_fleet(linking: _Linking, files: Sequence[File]) -> Origin | None:
    """Return where the Fleet's first error is, None where it has none, or where there is no Fleet."""
    fleets = {file.path for file in files if any(head.kind == "Fleet" for head in file.named)}
    errors = (
        Origin(problem.path, problem.line)
        for problem in linking.problems
        if problem.severity is Severity.ERROR and (problem.path in fleets or is_fleet(problem.path))
    )
    return min(errors, default=None)


def _blocked(linking: _Linking, files: Sequence[File], blocked: Origin) -> Parsed:
    """Return nothing to serve: without the Fleet's defaults every service would change its namespace and image."""
    return Parsed(
        services=(),
        models=(),
        fleet=Fleet(),
        problems=tuple(sorted(set(linking.problems))),
        invalid=(),
        complete=False,
        incomplete_reason=f"{blocked.path} has errors, so the fleet's defaults are not known",
        blocked_by=blocked,
        files=len(files),
    )


def _unique(linking: _Linking, found: Sequence[_Found]) -> dict[ServiceId, _Found]:
    unique: dict[ServiceId, list[_Found]] = {}
    for item in found:
        unique.setdefault(item.id, []).append(item)
    for same in unique.values():
        for item in same if len(same) > 1 else ():
            other = same[0] if item is not same[0] else same[1]
            kind = item.draft.head.kind
            message = (
                f"the {kind} `{item.id}` stands a second time in {other.origin.path}:{other.origin.line}; keep one"
            )
            linking.say_all(item, (Finding(("metadata", "name"), "duplicate-name", message),))
    return {key: same[0] for key, same in unique.items()}


def _all_models(linking: _Linking, files: Sequence[File]) -> Mapping[str, list[str]]:
    """Return namespace -> names of all Models, also of those with errors."""
    names: dict[str, list[str]] = {}
    for file in files:
        for head in file.named:
            if head.kind == "Model":
                key = linking.id_of(head)
                names.setdefault(key.namespace, []).append(key.name)
    return names


def _check_models(linking: _Linking, models: Mapping[ServiceId, _Found]) -> None:
    for found in models.values():
        if isinstance(found.draft, ModelDraft):
            linking.say_all(found, gpus.model_findings(found.draft.gpu, linking.fleet))
            linking.say_all(found, checks.namespace(found.id, linking.options))


def _link_service(linking: _Linking, found: _Found) -> Service | None:
    draft = found.draft
    assert isinstance(draft, ServiceDraft)  # noqa: S101  # `_unique` keeps the kinds apart
    linking.say_all(found, checks.namespace(found.id, linking.options))
    model = _model(linking, found, _REFERENCE, draft.model)
    partner = None
    if draft.draft_model:
        partner = _model(linking, found, _DRAFT_REFERENCE, draft.draft_model)
    if model is None or (draft.draft_model and partner is None):
        return None
    service, findings = services.settle(found.id, found.origin, draft, model, partner, linking.fleet)
    linking.say_all(found, findings)
    linking.say_all(found, checks.service(service, draft, linking.options, linking.flags))
    if not service.engine.extra_args:
        return service
    replaces = llamacpp.replaced(service.engine.extra_args, linking.flags, builds.RENDERED)
    return replace(service, engine=replace(service.engine, replaces=replaces))


def _model(linking: _Linking, found: _Found, path: tuple[str, ...], name: str) -> services.LinkedModel | None:
    known = linking.names.get(found.id.namespace, [])
    other = linking.models.get(ServiceId(found.id.namespace, name))
    if other is not None and isinstance(other.draft, ModelDraft):
        return services.linked_model(other.id, other.origin, other.draft)
    if name in known:
        message = f"the Model `{name}` has errors of its own; this service waits until they are mended"
        linking.held.add(found.id)
        linking.say(found.file, found.draft.head, Finding(path, "model-held-back", message), breaks=False)
        return None
    near = nearest(name, known)
    hint = (
        f"; did you mean `{near}`?" if near else f"; write a Model of this name in the namespace {found.id.namespace}"
    )
    linking.say_all(found, (Finding(path, "unknown-model", f"there is no Model `{name}`{hint}"),))
    return None


def _hold_dependants(linking: _Linking, linked: Sequence[Service], wanted: Mapping[ServiceId, _Found]) -> None:
    for service in linked:
        found = wanted[service.id]
        partner = service.engine.speculative.draft if service.engine.speculative else None
        for model, path in ((service.model, _REFERENCE), (partner, _DRAFT_REFERENCE)):
            if model is None or found.file.path in linking.broken:
                continue
            if linking.models[model.id].file.path in linking.broken:
                message = f"the Model `{model.id.name}` is held back by errors in {model.origin.path}"
                linking.held.add(service.id)
                linking.say(found.file, found.draft.head, Finding(path, "model-held-back", message), breaks=False)


def _parsed(linking: _Linking, files: Sequence[File], linked: Sequence[Service]) -> Parsed:
    good = [s for s in linked if s.id not in linking.held and s.origin.path not in linking.broken]
    invalid = _invalid(linking, files)
    problems = tuple(sorted(set(linking.problems)))
    reason = _incomplete(problems, files)
    kept = [
        services.linked_model(item.id, item.origin, item.draft).model
        for item in linking.models.values()
        if item.file.path not in linking.broken and isinstance(item.draft, ModelDraft)
    ]
    return Parsed(
        services=tuple(sorted(good, key=lambda service: service.id)),
        models=tuple(sorted(kept, key=lambda model: model.id)),
        fleet=linking.fleet,
        problems=problems,
        invalid=invalid,
        complete=not reason,
        incomplete_reason=reason,
        empty=bool(reason) and not any(problem.severity is Severity.ERROR for problem in problems),
        files=len(files),
    )


def _invalid(linking: _Linking, files: Sequence[File]) -> tuple[Invalid, ...]:
    found: dict[ServiceId, Invalid] = {}
    for file in files:
        for head in file.named:
            key = linking.id_of(head)
            if head.kind == "InferenceService" and (file.path in linking.broken or key in linking.held):
                found.setdefault(key, Invalid(key, Origin(file.path, head.line)))
    return tuple(sorted(found.values()))


def _incomplete(problems: Sequence[Problem], files: Sequence[File]) -> str:
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        paths = sorted({problem.path for problem in errors})
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        return f"{len(errors)} {'error' if len(errors) == 1 else 'errors'} in {paths[0]}{more}"
    if not any(_is_spec(draft) for file in files for draft in file.drafts):
        return "no Model and no InferenceService was found"
    return ""


def _is_spec(draft: Draft) -> bool:
    return not isinstance(draft, FleetDraft)
