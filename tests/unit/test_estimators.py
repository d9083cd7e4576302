"""The estimators: what scikit-learn expects of them, and the same results as the functions below."""

from __future__ import annotations

import doctest
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import clone

import graphscan
from graphscan import ClusterDetector, CoActionNetwork, estimators
from graphscan.errors import GraphscanError
from graphscan.estimators import ordered_events
from graphscan.events.model import EVENT_SCHEMA
from graphscan.network.table import EDGE_SCHEMA, co_action_network
from graphscan.settings import ClusterSettings
from graphscan.simulate.background import Background
from graphscan.simulate.campaigns import FarmSpec
from graphscan.simulate.planting import plant
from graphscan.simulate.world import World, native_events
from graphscan.simulate.worlds import organic_background


@pytest.fixture(scope="module")
def world() -> World:
    """An organic background with one tight farm of ten."""
    return plant(Background(organic_background(3_000, 5)), [FarmSpec(10, 20, 40, 60.0, action="repost")], 5)


@pytest.fixture(scope="module")
def fitted(world: World) -> ClusterDetector:
    return ClusterDetector(layers=["co_repost"]).fit(world.events)


def farm_of(world: World) -> set[str]:
    truth = world.truth.to_pylist()
    return {row["account_id"] for row in truth if row["coordinated"]}


@pytest.mark.parametrize("estimator", [CoActionNetwork(), ClusterDetector()])
def test_parameters_are_kept_as_they_are_and_copied_by_clone(estimator: Any) -> None:
    given = {name: object() for name in estimator.get_params()}
    changed = type(estimator)(**given)
    assert all(changed.get_params(deep=False)[name] is value for name, value in given.items())
    again = type(estimator)().set_params(**given)
    assert again.get_params(deep=False) == given
    plain = clone(type(estimator)(layers=["co_repost"]))
    assert plain.layers == ["co_repost"]
    assert not [name for name in vars(plain) if name.endswith("_")]


def test_the_docstring_examples() -> None:
    found = doctest.testmod(estimators)
    assert found.attempted >= 15
    assert found.failed == 0


def test_the_network_is_that_of_the_function(world: World) -> None:
    network = CoActionNetwork(layers=["co_repost", "co_like"], min_objects=2)
    shuffled = world.events.take(pa.array(np.random.default_rng(0).permutation(world.events.num_rows)))
    edges = network.fit_transform(shuffled)
    assert edges.num_rows > 10
    assert edges.schema == EDGE_SCHEMA
    assert edges.equals(co_action_network(world.events, layers=["co_repost", "co_like"], min_objects=2).edges)
    assert network.edges_ is edges
    assert network.capped_ == []


def test_what_is_thinned_is_named(world: World) -> None:
    network = CoActionNetwork(layers=["co_repost"], window_s=86_400, max_pairs_per_object=3).fit(world.events)
    assert {"layer", "object_id", "rows", "kept"} <= set(network.capped_[0])


def test_frames_and_tables_of_any_row_order_give_the_same(world: World, fitted: ClusterDetector) -> None:
    frame = native_events(world.events).to_pandas().sample(frac=1.0, random_state=1)
    other = clone(fitted).fit(frame)
    assert other.clusters_.equals(fitted.clusters_)
    assert other.members_.equals(fitted.members_)
    assert other.cluster_tests_.equals(fitted.cluster_tests_)
    assert other.evidence_.equals(fitted.evidence_)
    assert np.array_equal(other.labels_, fitted.labels_)


def test_the_farm_is_found_and_labelled(world: World, fitted: ClusterDetector) -> None:
    labelled = set(fitted.account_ids_[fitted.labels_ == 0])
    assert labelled == farm_of(world)
    assert set(fitted.labels_) == {-1, 0}
    ids = fitted.account_ids_.tolist()
    assert ids == sorted(set(world.events["account_id"].to_pylist()), key=lambda i: i.encode())
    assert fitted.clusters_["size"].to_pylist() == [10]
    assert set(fitted.members_["account_id"].to_pylist()) == labelled
    assert set(fitted.evidence_["account_id"].to_pylist()) == labelled
    assert np.array_equal(clone(fitted).fit_predict(world.events), fitted.labels_)


def test_single_values_go_before_settings(world: World) -> None:
    # No group reaches a kappa of 1: proof that the value arrives.
    detector = ClusterDetector(settings=ClusterSettings(), layers=["co_repost"], min_kappa=1.0)
    assert detector.fit(world.events).clusters_.num_rows == 0
    assert detector.settings == ClusterSettings()
    small = ClusterDetector(settings=ClusterSettings(min_size=11), layers=["co_repost"])
    assert small.fit(world.events).clusters_.num_rows == 0


def test_impossible_values_are_refused_with_their_name() -> None:
    with pytest.raises(GraphscanError, match="min_size") as caught:
        ClusterDetector(min_size=1).fit(EVENT_SCHEMA.empty_table())
    assert caught.value.exit_code == 2
    with pytest.raises(GraphscanError, match="co_repost"):
        ClusterDetector(layers=["co_repsot"]).fit(EVENT_SCHEMA.empty_table())


def test_no_events_no_clusters() -> None:
    detector = ClusterDetector().fit(EVENT_SCHEMA.empty_table())
    assert detector.labels_.shape == (0,)
    assert detector.clusters_.num_rows == detector.cluster_tests_.num_rows == 0
    assert CoActionNetwork().fit(EVENT_SCHEMA.empty_table()).edges_.num_rows == 0


def frame_of(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "account_id": ["007", "7"],
            "action": "like",
            "object_id": "o",
            "timestamp": ["2026-01-05T10:00:00Z", "2026-01-05T10:00:01Z"],
            **columns,
        }
    )


def test_ids_stay_text() -> None:
    edges = CoActionNetwork().fit(frame_of()).edges_
    assert edges.select(["account_a", "account_b"]).to_pylist() == [{"account_a": "007", "account_b": "7"}]


@pytest.mark.parametrize(
    ("events", "exit_code", "said"),
    [
        (frame_of().drop(columns="action"), 2, "action"),
        (frame_of(account_id=[1.0, 2.0]), 3, "account_id"),
        (frame_of(action=["like", "poke"]), 3, "poke"),
        (frame_of(object_id=["o", None]), 3, "object_id"),
        (frame_of(timestamp=["2026-01-05T10:00:00Z", "soon"]), 3, "row 1, column timestamp"),
        (frame_of(account_id=["a", 2]), 3, "mixes types"),
        ([{"account_id": "a"}], 2, "list"),
    ],
)
def test_what_is_no_event_is_refused(events: Any, exit_code: int, said: str) -> None:
    with pytest.raises(GraphscanError, match=said) as caught:
        CoActionNetwork().fit(events)
    assert caught.value.exit_code == exit_code


def test_repeated_and_conflicting_rows_are_told() -> None:
    frame = frame_of(event_id=["e1", "e2"])
    ready = ordered_events(pd.concat([frame, frame.iloc[:1], frame.iloc[1:].assign(object_id="p")]))
    assert ready.table["object_id"].to_pylist() == ["o", "o"]
    assert len(ready.warnings) == 2
    assert "1 rows repeat" in ready.warnings[0]
    assert "event_id" in ready.warnings[1]
    assert ordered_events(frame).warnings == ()


def test_the_import_stays_light() -> None:
    code = "import sys, graphscan; sys.exit(any(m in sys.modules for m in ('sklearn', 'numpy', 'pyarrow')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert {"ClusterDetector", "CoActionNetwork"} <= set(graphscan.__all__)
