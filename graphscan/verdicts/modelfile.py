"""Model files: skops, with a hash, a list of trusted types, and a refusal of everything else.

A model file is a skops archive (a zip of JSON and numpy arrays; nothing in it is executed) with one more
member,
``graphscan.json``, that names the format, the signals and their versions, and the SHA-256 of all other
members.
Loading checks the hash first, then the signals, then that the archive asks for trusted types only.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from graphscan.errors import EXIT_CANNOT_WRITE, EXIT_INCOMPATIBLE, EXIT_USAGE, GraphscanError
from graphscan.verdicts.farm import FarmHead
from graphscan.verdicts.heads import Calibration, Head, Scorer
from graphscan.verdicts.hosting import HostingHead
from graphscan.verdicts.ranks import ReferenceRanks
from graphscan.verdicts.training import GENERAL, PLATFORM, Model, registry_keys

FORMAT: Final = "graphscan-model"
FORMAT_VERSION: Final = 1
MANIFEST: Final = "graphscan.json"
MAX_BYTES: Final = 64 * 1024 * 1024

# Everything a model may consist of beyond what skops trusts by itself (numpy arrays, scikit-learn
# estimators).
TRUSTED_TYPES: Final = (
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
_FIXED_TIME: Final = (1980, 1, 1, 0, 0, 0)


def default_model_path() -> Path:
    """The model that is shipped with the package."""
    return Path(__file__).parent / "model" / "default.skops"


def write_model(model: Model, path: Path | str) -> str:
    """Write a model file; the same model gives the same bytes.

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    GraphscanError
        Exit 73 if it cannot be written.
    """
    payload = model_bytes(model)
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(payload)
        partial.replace(path)
    except OSError as error:
        raise GraphscanError(
            f"the model cannot be written: {error.strerror or error}",
            str(path),
            "check the path, the permissions and the free space",
            EXIT_CANNOT_WRITE,
        ) from error
    return hashlib.sha256(payload).hexdigest()


def model_bytes(model: Model) -> bytes:
    """A model as the bytes of its file."""
    from skops.io import dumps

    members = _canonical_members(dumps(_as_plain(model)))
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": model.name,
        "scope": model.scope,
        "signals": list(registry_keys()),
        "trusted_types": list(TRUSTED_TYPES),
        "sha256": _members_hash(members),
    }
    members[MANIFEST] = json.dumps(manifest, indent=1, sort_keys=True).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _FIXED_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, members[name])
    return buffer.getvalue()


def read_model(path: Path | str | None = None) -> Model:
    """Read a model file, the shipped one by default.

    Raises
    ------
    GraphscanError
        Exit 2 if there is no such file; exit 4 if it is not a graphscan model, was changed after it
        was written,
        asks for types that are not trusted, or was trained on other signals.
    """
    path = default_model_path() if path is None else Path(path)
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise GraphscanError(
            f"the model cannot be read: {error.strerror or error}",
            str(path),
            "check the path given to --model",
            EXIT_USAGE,
        ) from error
    members = _read_members(payload, path)
    manifest = _checked_manifest(members, path)
    body = {name: data for name, data in members.items() if name != MANIFEST}
    if _members_hash(body) != manifest["sha256"]:
        raise _refused("the model was changed after it was written (its hash does not match)", path)
    expected = list(registry_keys())
    if manifest.get("signals") != expected:
        raise _refused("the model was trained on other signals or other versions of them", path)
    return _loaded(body, path)


def file_sha256(path: Path | str | None = None) -> str:
    """SHA-256 of a model file, for the manifest of a run."""
    return hashlib.sha256((default_model_path() if path is None else Path(path)).read_bytes()).hexdigest()


def _refused(what: str, path: Path) -> GraphscanError:
    return GraphscanError(
        what, str(path), "train it again with `graphscan train`, or use the shipped model", EXIT_INCOMPATIBLE
    )


def _read_members(payload: bytes, path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            if sum(i.file_size for i in archive.infolist()) > MAX_BYTES:
                raise _refused("the model file is too large", path)
            return {info.filename: archive.read(info) for info in archive.infolist()}
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _refused("this is not a graphscan model file, or it is damaged", path) from error


def _checked_manifest(members: dict[str, bytes], path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(members[MANIFEST])
    except (KeyError, ValueError) as error:
        raise _refused("this is not a graphscan model file", path) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise _refused("this is not a graphscan model file", path)
    if manifest.get("format_version") != FORMAT_VERSION:
        raise _refused(
            f"the model has format version {manifest.get('format_version')}, not {FORMAT_VERSION}", path
        )
    if not isinstance(manifest.get("sha256"), str):
        raise _refused("the model carries no hash", path)
    return manifest


def _loaded(body: dict[str, bytes], path: Path) -> Model:
    from skops.io import get_untrusted_types, loads

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(body):
            archive.writestr(name, body[name])
    data = buffer.getvalue()
    try:
        foreign = sorted(set(get_untrusted_types(data=data)) - set(TRUSTED_TYPES))
        if foreign:
            raise _refused(f"the model asks for types that are not trusted: {', '.join(foreign[:5])}", path)
        return _as_model(loads(data, trusted=list(TRUSTED_TYPES)))
    except GraphscanError:
        raise
    except Exception as error:  # whatever a foreign archive makes skops stumble over is a refusal
        raise _refused(f"the model cannot be read ({type(error).__name__})", path) from error


def _members_hash(members: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(members):
        digest.update(f"{name}\0{len(members[name])}\0".encode())
        digest.update(members[name])
    return digest.hexdigest()


def _canonical_members(archive_bytes: bytes) -> dict[str, bytes]:
    """Members of a skops archive with the memory addresses in it replaced by running numbers."""
    with zipfile.ZipFile(io.BytesIO(archive_bytes)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    schema = members["schema.json"].decode()
    numbers: dict[str, str] = {}
    for found in re.findall(r'"__id__": (\d+)', schema) + re.findall(r'"file": "(\d+)\.npy"', schema):
        numbers.setdefault(found, str(len(numbers) + 1))
    schema = re.sub(r'"__id__": (\d+)', lambda m: f'"__id__": {numbers[m[1]]}', schema)
    schema = re.sub(r'"file": "(\d+)\.npy"', lambda m: f'"file": "{numbers[m[1]]}.npy"', schema)
    result = {"schema.json": schema.encode()}
    for name, data in members.items():
        if name != "schema.json":
            stem = name.removesuffix(".npy")
            result[f"{numbers.get(stem, stem)}.npy" if name.endswith(".npy") else name] = data
    return result


def _as_plain(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "scope": model.scope,
        "seed": model.seed,
        "behaviour": _head_plain(model.behaviour),
        "full": _head_plain(model.full),
        "hosting": None
        if model.hosting is None
        else {"weights": model.hosting.weights, "intercept": float(model.hosting.intercept)},
        "farm": {
            "weights": model.farm.weights,
            "intercept": float(model.farm.intercept),
            "trained": bool(model.farm.trained),
        },
        "ranks": {
            "knots": {k: np.asarray(v) for k, v in sorted(model.ranks.knots.items())},
            "n": {k: int(v) for k, v in sorted(model.ranks.n.items())},
        },
        "family_weight": {
            f: {k: float(v) for k, v in w.items()} for f, w in sorted(model.family_weight.items())
        },
        "family_threshold": {k: float(v) for k, v in sorted(model.family_threshold.items())},
        "notes": json.dumps(model.notes, sort_keys=True),
    }


def _head_plain(head: Head) -> dict[str, Any]:
    calibration = head.calibration
    return {
        "signal_ids": list(head.signal_ids),
        "weights": head.scorer.weights,
        "intercept": float(head.scorer.intercept),
        "boosting": head.scorer.boosting,
        "slope": float(calibration.slope),
        "calibration_intercept": float(calibration.intercept),
        "band_offset": calibration.band_offset,
        "people": calibration.people,
        "people_band": calibration.people_band,
        "hosted": calibration.hosted,
    }


def _as_model(plain: dict[str, Any]) -> Model:
    hosting = plain["hosting"]
    if plain["scope"] not in (GENERAL, PLATFORM):
        raise ValueError(f"unknown scope {plain['scope']}")
    return Model(
        name=str(plain["name"]),
        scope=str(plain["scope"]),
        seed=int(plain["seed"]),
        behaviour=_as_head(plain["behaviour"]),
        full=_as_head(plain["full"]),
        hosting=None
        if hosting is None
        else HostingHead(np.asarray(hosting["weights"]), float(hosting["intercept"])),
        farm=FarmHead(
            np.asarray(plain["farm"]["weights"]),
            float(plain["farm"]["intercept"]),
            bool(plain["farm"]["trained"]),
        ),
        ranks=ReferenceRanks(dict(plain["ranks"]["knots"]), dict(plain["ranks"]["n"])),
        family_weight={f: dict(w) for f, w in plain["family_weight"].items()},
        family_threshold=dict(plain["family_threshold"]),
        notes=json.loads(plain["notes"]),
    )


def _as_head(plain: dict[str, Any]) -> Head:
    return Head(
        tuple(plain["signal_ids"]),
        Scorer(np.asarray(plain["weights"]), float(plain["intercept"]), plain["boosting"]),
        Calibration(
            slope=float(plain["slope"]),
            intercept=float(plain["calibration_intercept"]),
            band_offset=np.asarray(plain["band_offset"]),
            people=np.asarray(plain["people"]),
            people_band=np.asarray(plain["people_band"]),
            hosted=np.asarray(plain["hosted"]),
        ),
    )
