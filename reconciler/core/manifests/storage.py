"""Where a pod keeps its models: paths, volumes, and the key under which a download is found again."""

import hashlib
from typing import Final

from reconciler.core.manifests import metadata
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Cache, Fetch, Model, ModelFile, Service
from reconciler.core.rules import names

MOUNT: Final = "/models"
SOURCE_MOUNT: Final = "/model-source"
VOLUME: Final = "models"
SOURCE_VOLUME: Final = "model-source"

_DIGITS: Final = 6


def cache_key(model: Model) -> str:
    """Return the folder of a model's files: a hash of where they come from and of what they must be."""
    source = model.source
    said = [source.fetch.value, source.revision, *(f"{file.url} {file.sha256}" for file in files(model))]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


def files(model: Model) -> tuple[ModelFile, ...]:
    """Return every file of a model, the one that llama-server is given first."""
    mmproj = model.source.mmproj
    return model.source.files if mmproj is None else (*model.source.files, mmproj)


def path_in(model: Model) -> str:
    """Return where llama-server finds the model."""
    return _path(model, model.source.files[0])


def model_path(wanted: Service) -> str:
    """Return where llama-server finds the service's own model."""
    return path_in(wanted.model)


def mmproj_path(wanted: Service) -> str:
    """Return where llama-server finds the multimodal projector; the model must have one."""
    mmproj = wanted.model.source.mmproj
    return _path(wanted.model, mmproj) if mmproj is not None else ""


def claim_name(wanted: Service) -> str:
    """Return the name of our cache claim. It hashes what cannot be changed in place: class and access mode."""
    cache, name = wanted.cache, metadata.name(wanted)
    room = names.MAX_LABEL - len("-cache-") - _DIGITS
    # a name that is cut is hashed whole, or two services would share one claim
    said = [cache.storage_class, cache.access_mode, *([name] if len(name) > room else [])]
    digest = hashlib.sha256("\n".join(said).encode()).hexdigest()[:_DIGITS]
    return f"{name[:room].rstrip('-')}-cache-{digest}"


def owns_claim(wanted: Service) -> bool:
    """Tell whether the service brings a claim of its own."""
    return wanted.cache.persistent and not wanted.cache.claim and not wanted.skip_model_init


def models(wanted: Service) -> tuple[Model, ...]:
    """Return the models whose files the pod needs: its own, and the draft model."""
    speculative = wanted.engine.speculative
    draft = speculative.draft if speculative is not None else None
    return (wanted.model,) if draft is None else (wanted.model, draft)


def downloads(wanted: Service) -> tuple[Model, ...]:
    """Return the models that must be downloaded; () where all of it lies on a claim already."""
    if wanted.skip_model_init:
        return ()
    return tuple(model for model in models(wanted) if model.source.fetch is not Fetch.CLAIM)


def volumes(wanted: Service) -> list[JsonObject]:
    """Return the pod's volumes for models."""
    found: list[JsonObject] = [{"name": VOLUME, **_models_volume(wanted.cache, wanted)}]
    for index, claim in enumerate(_claims(wanted)):
        volume = {"claimName": claim, "readOnly": True}
        found.append({"name": _source_volume(index), "persistentVolumeClaim": volume})
    return found


def mounts(wanted: Service) -> list[JsonObject]:
    """Return the server's mounts of them, all read-only."""
    found: list[JsonObject] = [{"name": VOLUME, "mountPath": MOUNT, "readOnly": True}]
    for index, claim in enumerate(_claims(wanted)):
        found.append({"name": _source_volume(index), "mountPath": f"{SOURCE_MOUNT}/{claim}", "readOnly": True})
    return found


def _claims(wanted: Service) -> tuple[str, ...]:
    """Return the claims that models lie on, each once: a pod cannot mount two volumes at one path."""
    claims = (model.source.claim for model in models(wanted) if model.source.fetch is Fetch.CLAIM)
    return tuple(dict.fromkeys(claims))


def _models_volume(cache: Cache, wanted: Service) -> JsonObject:
    if cache.claim:
        return {"persistentVolumeClaim": {"claimName": cache.claim}}
    if owns_claim(wanted):
        return {"persistentVolumeClaim": {"claimName": claim_name(wanted)}}
    limit = wanted.resources.ephemeral_storage
    return {"emptyDir": {"sizeLimit": limit} if limit else {}}


def _source_volume(index: int) -> str:
    return SOURCE_VOLUME if index == 0 else f"{SOURCE_VOLUME}-{index}"


def _path(model: Model, file: ModelFile) -> str:
    if model.source.fetch is Fetch.CLAIM:
        return f"{SOURCE_MOUNT}/{model.source.claim}/{file.url.lstrip('/')}"
    return f"{MOUNT}/{cache_key(model)}/{file.name}"
