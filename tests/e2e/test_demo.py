"""The demonstration: what it tells, and that it is true."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from graphscan.cli.demo import shown
from graphscan.demo import Demo, DemoCampaign, DemoCluster, run_demo
from graphscan.errors import GraphscanError


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demonstration on a smaller platform."""
    return run_demo(tmp_path_factory.mktemp("demo") / "demo", n_events=12_000)


def told(demo: Demo, *, colour: bool) -> str:
    """The story as a terminal of 80 columns shows it."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(
            file=nowhere,
            width=80,
            record=True,
            force_terminal=colour,
            color_system="truecolor" if colour else None,
        )
        for item in shown(demo):
            console.print(item, markup=False, highlight=False)
        return console.export_text(styles=colour)


def test_the_figures_are_those_of_the_folders(demo: Demo) -> None:
    members = pq.read_table(demo.run_dir / "members.parquet").to_pylist()
    clusters = pq.read_table(demo.run_dir / "clusters.parquet").to_pylist()
    assert {cluster.cluster_id: cluster.size for cluster in demo.clusters} == {
        row["cluster_id"]: row["size"] for row in clusters
    }
    with (demo.world_dir / "truth.csv").open(encoding="utf-8", newline="") as file:
        truth = {row["account_id"]: row for row in csv.DictReader(file)}
    in_clusters = {row["account_id"] for row in members}
    for campaign in demo.campaigns:
        mine = [name for name, row in truth.items() if row["campaign_id"] == campaign.campaign_id]
        assert campaign.n_accounts == len(mine)
        assert campaign.n_found == len(in_clusters & set(mine))
    strangers = sum(1 for name in in_clusters if not truth[name]["campaign_id"])
    assert demo.n_people_found + demo.n_machines_found == strangers
    assert demo.manifest == json.loads((demo.run_dir / "manifest.json").read_text(encoding="utf-8"))


def test_every_cluster_has_its_expected_and_seen_figure(demo: Demo) -> None:
    for cluster in demo.clusters:
        assert cluster.seen > cluster.expected >= 0


@pytest.mark.parametrize("colour", [True, False])
def test_the_story_fits_80_columns(demo: Demo, colour: bool) -> None:
    text = told(demo, colour=colour)
    assert ("\x1b[" in text) is colour
    plain = told(demo, colour=False)
    assert max(map(len, plain.splitlines())) <= 80
    assert "graphscan sweep my-events.csv" in plain
    assert f"{demo.n_events:,} events" in plain
    for cluster in demo.clusters:
        assert cluster.cluster_id in plain


def test_a_legitimate_explanation_and_a_missed_farm_are_told() -> None:
    demo = Demo(
        Path("d/world"),
        Path("d/run"),
        10,
        5,
        {"ledger": {}},
        (DemoCluster("k\x1b[31m", 30, 30, ("co_repost",), 600.0, 120.0, 4.5, "fan_club", "push", 30),),
        (DemoCampaign("c0", "farm", True, 10, 2), DemoCampaign("c1", "push", False, 30, 30)),
        900,
        1,
        0,
    )
    text = told(demo, colour=False)
    assert "could also be: fan club" in text
    assert "0 of 1 found" in text
    assert "needs a person" in text
    assert "Of 900 people in none of these groups, 1 stands in a cluster." in text
    assert "\x1b" not in text


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(GraphscanError) as caught:
        run_demo(tmp_path)
    assert caught.value.exit_code == 73
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_demonstration_replaces_an_earlier_one_and_nothing_else(demo: Demo) -> None:
    folder = demo.run_dir.parent
    before = (demo.run_dir / "clusters.csv").read_bytes()
    assert run_demo(folder, n_events=12_000) == replace(demo, manifest=ANY)
    assert (demo.run_dir / "clusters.csv").read_bytes() == before
    (folder / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(GraphscanError):
        run_demo(folder, n_events=12_000)
    assert (folder / "run/clusters.csv").read_bytes() == before
    (folder / "letter.txt").unlink()
