"""Settings: precedence, origins, all problems at once, the hash."""

from __future__ import annotations

import contextlib
import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from graphscan.configuration import LoadedSettings, load_settings, user_config_path
from graphscan.errors import EXIT_USAGE, GraphscanError
from graphscan.settings import Settings, default_layers, size_bytes


def loaded(tmp_path: Path, **places: Any) -> LoadedSettings:
    """Settings from a project file, a user file, an environment and flags, all optional."""
    config = tmp_path / "config" / "graphscan"
    config.mkdir(parents=True, exist_ok=True)
    if "user" in places:
        (config / "config.toml").write_text(places["user"], encoding="utf-8")
    if "project" in places:
        (tmp_path / "graphscan.toml").write_text(places["project"], encoding="utf-8")
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), **places.get("env", {})}
    return load_settings(
        places.get("flags"), assignments=places.get("assignments", ()), env=env, directory=tmp_path
    )


def problems(tmp_path: Path, **places: Any) -> list[str]:
    """The lines that name the problems of settings that are refused."""
    with pytest.raises(GraphscanError) as caught:
        loaded(tmp_path, **places)
    assert caught.value.exit_code == EXIT_USAGE
    return caught.value.where.splitlines()


def origin(result: LoadedSettings, key: str) -> str:
    return {row[0]: row[2] for row in result.rows()}[key]


# --- precedence ------------------------------------------------------------------------------------------

PLACES = ("default", "user", "project", "env", "flag")


@given(present=st.sets(st.sampled_from(PLACES[1:])))
def test_the_strongest_place_that_is_given_wins(
    present: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    value = {place: number for number, place in enumerate(PLACES)}
    result = loaded(
        tmp_path_factory.mktemp("precedence"),
        **{p: f"seed = {value[p]}\n" for p in ("user", "project") if p in present},
        env={"GRAPHSCAN_SEED": str(value["env"])} if "env" in present else {},
        flags={"seed": value["flag"]} if "flag" in present else {},
    )
    winner = max(present, key=PLACES.index, default="default")
    assert result.settings.seed == value[winner]
    expected = {
        "default": "default",
        "user": "config.toml:1",
        "project": "graphscan.toml:1",
        "env": "environment variable GRAPHSCAN_SEED",
        "flag": "flag --seed",
    }
    assert origin(result, "seed").endswith(expected[winner])


def test_places_are_merged_value_by_value(tmp_path: Path) -> None:
    result = loaded(
        tmp_path,
        user="[clusters]\nalpha = 0.01\nincidence_resolution = 0.3\n",
        project="[clusters]\nincidence_resolution = 0.2\n",
        env={"GRAPHSCAN_CLUSTERS__MIN_SIZE": "7"},
        flags={"clusters.weak": True},
    )
    clusters = result.settings.clusters
    assert (clusters.alpha, clusters.incidence_resolution, clusters.min_size, clusters.weak) == (
        0.01,
        0.2,
        7,
        True,
    )
    assert origin(result, "clusters.incidence_resolution") == f"{tmp_path / 'graphscan.toml'}:2"
    assert origin(result, "clusters.min_kappa") == "default"


def test_a_flag_that_was_not_given_changes_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, project="seed = 4\n", flags={"seed": None}).settings.seed == 4


def test_an_empty_variable_is_not_given(tmp_path: Path) -> None:
    assert loaded(tmp_path, project="seed = 4\n", env={"GRAPHSCAN_SEED": ""}).settings.seed == 4


def test_assignments_are_flags(tmp_path: Path) -> None:
    result = loaded(tmp_path, env={"GRAPHSCAN_SEED": "1"}, assignments=("seed = 9",))
    assert result.settings.seed == 9
    assert origin(result, "seed") == "flag --set seed"


@pytest.mark.parametrize("text", ["[60, 600]", "60,600", "60.0, 600"])
def test_lists_in_the_environment(tmp_path: Path, text: str) -> None:
    result = loaded(tmp_path, env={"GRAPHSCAN_CLUSTERS__WINDOWS_S": text})
    assert result.settings.clusters.windows_s == (60.0, 600.0)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("no", False), ("off", False)])
def test_truth_values_in_the_environment(tmp_path: Path, text: str, value: bool) -> None:
    assert loaded(tmp_path, env={"GRAPHSCAN_CLUSTERS__WEAK": text}).settings.clusters.weak is value


def test_other_variables_with_the_prefix_of_the_tests_are_left_alone(tmp_path: Path) -> None:
    assert loaded(tmp_path, env={"GRAPHSCAN_DATA": "/data"}).settings == Settings()


# --- layers ----------------------------------------------------------------------------------------------


def test_one_value_of_a_layer_can_be_changed(tmp_path: Path) -> None:
    result = loaded(
        tmp_path, project="[layers.co_repost]\nwindow_s = 10\n[layers.co_chat]\nenabled = false\n"
    )
    layers = result.settings.layers
    assert layers["co_repost"].window_s == 10.0
    assert layers["co_repost"].actions == ("repost",)
    assert not layers["co_chat"].enabled
    assert set(layers) == set(default_layers())


def test_a_layer_can_be_added(tmp_path: Path) -> None:
    text = '[layers]\nco_other = {actions = ["other"], object_kind = "object_id", window_s = 30}\n'
    layer = loaded(tmp_path, project=text).settings.layers["co_other"]
    assert (layer.actions, layer.window_s, layer.enabled) == (("other",), 30.0, True)


def test_a_misspelt_layer_is_no_new_layer(tmp_path: Path) -> None:
    lines = problems(tmp_path, project="[layers.co_repots]\nwindow_s = 10\n")
    assert lines
    assert all("did you mean layers.co_repost?" in line for line in lines)


# --- problems --------------------------------------------------------------------------------------------


def test_all_problems_of_all_places_at_once(tmp_path: Path) -> None:
    lines = problems(
        tmp_path,
        user='seed = "seven"\n',
        project="[clusters]\nalphaa = 0.1\nmin_kappa = 3.0\nwindows_s = [600, 60]\n",
        env={"GRAPHSCAN_TREADS": "3", "GRAPHSCAN_CLUSTERS__INCIDENCE_RESOLUTION": "many"},
        assignments=("memory_limit=lots", "oops"),
    )
    assert len(lines) == 8
    expected = [
        ("config.toml:1", "key seed"),
        ("graphscan.toml:2", "did you mean clusters.alpha?"),
        ("graphscan.toml:3", "key clusters.min_kappa"),
        ("graphscan.toml:4", "ascending"),
        ("GRAPHSCAN_TREADS", "did you mean threads?"),
        ("GRAPHSCAN_CLUSTERS__INCIDENCE_RESOLUTION", "'many'"),
        ("--set memory_limit", "write it like 3GB"),
        ("--set oops", "KEY=VALUE"),
    ]
    for place, what in expected:
        assert [line for line in lines if place in line and what in line], (place, what, lines)


def test_a_key_without_its_section_is_found(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, project="alpha = 0.1\n")
    assert "did you mean clusters.alpha?" in line


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, project="seed = 1\nthreads = \n")
    assert "graphscan.toml" in line
    assert "line 2" in line


def test_a_section_in_place_of_a_value_and_a_value_in_place_of_a_section(tmp_path: Path) -> None:
    lines = problems(tmp_path, project="clusters = 5\n[seed]\nx = 1\n")
    assert {line.split("key ")[1].split(":")[0] for line in lines} == {"clusters", "seed.x"}


@pytest.mark.parametrize(
    "text",
    [
        "seed = -1",
        "seed = 1.5",
        "seed = true",
        "threads = 0",
        "[clusters]\nalpha = nan",
        "[clusters]\nalpha = 1979-05-27",
        "[clusters]\nweak = 1",
        "[clusters]\nwindows_s = []",
        "[clusters]\npermutations = [99, 99, 9999]",
        '[layers.co_repost]\nactions = ["reposted"]',
        '[layers]\n"../x" = {actions = ["post"], object_kind = "urls", window_s = 1}',
    ],
)
def test_values_of_the_wrong_kind_are_refused(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, project=text + "\n")


LEAVES = [key for key, _, _ in LoadedSettings(Settings()).rows()]


@given(key=st.sampled_from(LEAVES), where=st.integers(0, 40), letter=st.sampled_from(string.ascii_lowercase))
def test_a_key_with_one_letter_too_many_is_refused_with_a_suggestion(
    key: str, where: int, letter: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = key.rpartition(".")[2]
    wrong = name[: where % (len(name) + 1)] + letter + name[where % (len(name) + 1) :]
    dotted = key.rpartition(".")[0] + "." + wrong if "." in key else wrong
    if dotted in LEAVES:
        return
    lines = problems(tmp_path_factory.mktemp("typo"), assignments=(f"{dotted}=1",))
    assert f"key {dotted}:" in lines[0]
    assert "did you mean" in lines[0]


@given(text=st.text(max_size=40))
def test_no_text_in_the_environment_ends_in_anything_but_a_value_or_our_error(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in ("SEED", "MEMORY_LIMIT", "CLUSTERS__WINDOWS_S", "LAYERS__CO_URL__ACTIONS", "CLUSTERS"):
        with contextlib.suppress(GraphscanError):
            result = loaded(tmp_path_factory.getbasetemp(), env={f"GRAPHSCAN_{name}": text})
            assert isinstance(result.settings, Settings)


def test_a_user_without_a_home_has_no_user_file() -> None:
    assert user_config_path({}) is None
    assert user_config_path({"XDG_CONFIG_HOME": "relative", "HOME": "/h"}) == Path(
        "/h/.config/graphscan/config.toml"
    )


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), NotADirectoryError(20, "no folder")])
def test_a_home_that_cannot_be_searched_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refused(path: Path, encoding: str) -> str:
        raise error

    monkeypatch.setattr(Path, "read_text", refused)
    assert load_settings(env={"HOME": str(tmp_path / "closed")}, directory=tmp_path / "x").origins == {}


def test_a_file_that_is_there_and_cannot_be_read_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, encoding: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(GraphscanError, match="setting"):
        load_settings(env={}, directory=tmp_path)


# --- the tree --------------------------------------------------------------------------------------------


def test_the_tree_is_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().seed = 3  # type: ignore[misc]


def test_every_leaf_has_a_description() -> None:
    def leaves(model: Any, prefix: str) -> list[tuple[str, str | None]]:
        found: list[tuple[str, str | None]] = []
        for name, field in model.model_fields.items():
            found.append((prefix + name, field.description))
            if hasattr(field.annotation, "model_fields"):
                found += leaves(field.annotation, f"{prefix}{name}.")
        return found

    assert [key for key, description in leaves(Settings, "") if not description] == []


def test_the_hash_knows_what_changes_results_and_nothing_else(tmp_path: Path) -> None:
    base = Settings().sha256()
    assert loaded(tmp_path, flags={"threads": 2, "memory_limit": "1GB"}).settings.sha256() == base
    for key, value in (("seed", 1), ("clusters.alpha", 0.01), ("layers.co_url.enabled", False)):
        assert loaded(tmp_path, flags={key: value}).settings.sha256() != base
    assert loaded(tmp_path, project="[clusters]\nalpha = 0.05\n").settings.sha256() == base


def test_content_is_plain_json() -> None:
    content = Settings().content()
    assert json.loads(json.dumps(content, allow_nan=False)) == content


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("3GB", 3 * 10**9), ("512MiB", 512 * 2**20), ("1.5 g", 15 * 10**8), ("100", 100), ("2kib", 2048)],
)
def test_sizes(text: str, n_bytes: int) -> None:
    assert size_bytes(text) == n_bytes


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "3XB", "1e9", "3 GB GB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError):
        size_bytes(text)
