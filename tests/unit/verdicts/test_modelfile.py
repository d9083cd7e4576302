"""Model files: the same bytes each time, and nothing foreign or changed is ever loaded."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphscan.errors import EXIT_INCOMPATIBLE, EXIT_USAGE, GraphscanError
from graphscan.verdicts import modelfile
from graphscan.verdicts.heads import Head, fitted_scorer
from graphscan.verdicts.modelfile import (
    MANIFEST,
    default_model_path,
    file_sha256,
    model_bytes,
    read_model,
    write_model,
)
from graphscan.verdicts.training import GENERAL, Model


@pytest.fixture(scope="module")
def model_with_trees(model: Model) -> Model:
    """The model with a boosting in each head, however few accounts it was trained on."""
    rng = np.random.default_rng(0)

    def grown(head: Head) -> Head:
        scores = rng.random((200, len(head.signal_ids)))
        y = (scores.sum(axis=1) >= np.median(scores.sum(axis=1))).astype(np.int64)
        scorer = fitted_scorer(scores, y, np.ones(200), boosting=True, seed=0)
        assert scorer.boosting is not None
        return replace(head, scorer=scorer)

    return replace(model, behaviour=grown(model.behaviour), full=grown(model.full))


def members_of(payload: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def refused(path: Path) -> GraphscanError:
    with pytest.raises(GraphscanError) as caught:
        read_model(path)
    assert caught.value.exit_code == EXIT_INCOMPATIBLE
    assert caught.value.mend
    return caught.value


def test_a_model_comes_back_as_it_was(model_with_trees: Model, tmp_path: Path) -> None:
    model = model_with_trees
    path = tmp_path / "m.skops"
    sha256 = write_model(model, path)
    again = read_model(path)
    assert file_sha256(path) == sha256
    scores = np.random.default_rng(0).random((50, len(model.full.signal_ids))) * 3
    np.testing.assert_array_equal(model.full.scorer.log_odds(scores), again.full.scorer.log_odds(scores))
    assert again.behaviour.signal_ids == model.behaviour.signal_ids
    assert again.notes == model.notes
    assert dict(again.family_threshold) == dict(model.family_threshold)
    assert model_bytes(again) == path.read_bytes()


def test_the_same_model_gives_the_same_bytes(model: Model) -> None:
    assert model_bytes(model) == model_bytes(model)


def test_a_changed_byte_is_refused(model: Model, tmp_path: Path) -> None:
    payload = bytearray(model_bytes(model))
    for place in (200, len(payload) // 2, len(payload) - 30):
        changed = bytearray(payload)
        changed[place] ^= 0x55
        path = tmp_path / f"{place}.skops"
        path.write_bytes(bytes(changed))
        refused(path)


def test_a_changed_weight_is_refused_by_its_hash(model: Model, tmp_path: Path) -> None:
    members = members_of(model_bytes(model))
    name = next(n for n in members if n.endswith(".npy") and len(members[n]) > 140)
    members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])
    path = tmp_path / "m.skops"
    path.write_bytes(archive_of(members))
    assert "hash" in refused(path).what


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    path = tmp_path / "m.skops"
    path.write_bytes(pickle.dumps(Bomb()))
    refused(path)
    assert not (tmp_path / "ran").exists()


def test_a_foreign_skops_file_is_refused(tmp_path: Path) -> None:
    from skops.io import dumps

    path = tmp_path / "m.skops"
    path.write_bytes(dumps({"weights": np.ones(3)}))
    refused(path)


def test_types_that_are_not_trusted_are_refused_though_the_hash_fits(
    model_with_trees: Model, tmp_path: Path
) -> None:
    model = model_with_trees
    members = members_of(model_bytes(model))
    text = members["schema.json"].decode()
    assert '"HistGradientBoostingClassifier"' in text
    text = text.replace('"__class__": "HistGradientBoostingClassifier"', '"__class__": "Popen"')
    schema = json.loads(
        text.replace("sklearn.ensemble._hist_gradient_boosting.gradient_boosting", "subprocess")
    )
    members["schema.json"] = json.dumps(schema).encode()
    body = {n: d for n, d in members.items() if n != MANIFEST}
    manifest = json.loads(members[MANIFEST]) | {"sha256": modelfile._members_hash(body)}
    members[MANIFEST] = json.dumps(manifest).encode()
    path = tmp_path / "m.skops"
    path.write_bytes(archive_of(members))
    refused(path)


def test_a_model_of_other_signals_is_refused(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.skops"
    write_model(model, path)
    monkeypatch.setattr(modelfile, "registry_keys", lambda: ("hours_covered@99",))
    assert "signals" in refused(path).what


def test_a_missing_file_is_usage(tmp_path: Path) -> None:
    with pytest.raises(GraphscanError) as caught:
        read_model(tmp_path / "none.skops")
    assert caught.value.exit_code == EXIT_USAGE


def test_the_shipped_model_loads_and_its_card_names_its_hash() -> None:
    shipped = read_model()
    assert shipped.scope == GENERAL
    assert not shipped.calibrated
    card = default_model_path().with_name("card.md").read_text(encoding="utf-8")
    assert file_sha256() in card
    assert "python -m benchmarks.accounts default-model" in card
    for signal_id in shipped.full.signal_ids:
        assert signal_id in card
