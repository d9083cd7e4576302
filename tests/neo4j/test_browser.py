"""The kit for Neo4j Browser: what is served and to whom, and the real Browser in a headless Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import ROOT
from graph_worlds import simulated

from graphscan.graphdb import cypher
from graphscan.graphdb.browser import (
    KitServer,
    browser_kit,
    browser_url,
    cluster_link,
    example_values,
    guide_link,
)
from graphscan.graphdb.client import Connection, ServerAddress
from graphscan.graphdb.loading import load_events
from graphscan.graphdb.runs import write_run
from graphscan.graphdb.saved_queries import saved_queries
from graphscan.graphdb.schema import TIER_LABELS

BROWSER = "http://127.0.0.1:7474/browser/"
ADDRESS = ServerAddress("bolt://127.0.0.1:7687", "neo4j", "secret")
ARTEFACTS = ROOT / "test-artefacts"


@contextmanager
def served(values: dict[str, Any] | None = None, browser: str = BROWSER) -> Iterator[str]:
    known = {p.name: p.example for query in saved_queries() for p in query.parameters}
    server = KitServer(lambda base: browser_kit(base, {**known, **(values or {})}), browser=browser, port=0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server.url
    finally:
        server.close()
        thread.join()


def ask(url: str, method: str = "GET", origin: str | None = None) -> Any:
    headers = {"Origin": origin, "Access-Control-Request-Headers": "x-one"} if origin else {}
    return urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers), timeout=10)


def test_guide_style_and_every_query_are_served() -> None:
    with served() as url:
        assert "<article" in ask(f"{url}/guide.html").read().decode()
        assert ask(f"{url}/guide.adoc").read().decode().startswith("= ")
        assert "node.TierTerminate" in ask(f"{url}/style.grass").read().decode()
        for query in saved_queries():
            text = ask(f"{url}/favourites/{query.name}.cypher").read().decode()
            assert text.startswith(f"// {query.title}\n")
        with pytest.raises(urllib.error.HTTPError) as missing:
            ask(f"{url}/../../etc/passwd")
        assert missing.value.code == 404


def test_the_browser_may_read_and_strangers_may_not() -> None:
    with served() as url:
        preflight = ask(f"{url}/guide.html", "OPTIONS", "http://127.0.0.1:7474")
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == "http://127.0.0.1:7474"
        assert preflight.headers["Access-Control-Allow-Headers"] == "x-one"
        stranger = ask(f"{url}/guide.html", "OPTIONS", "https://stranger.example")
        assert stranger.headers["Access-Control-Allow-Origin"] is None


def test_a_taken_port_is_told() -> None:
    from graphscan.errors import GraphscanError

    with served() as url:
        port = urlsplit(url).port
        assert port is not None
        with pytest.raises(GraphscanError) as raised:
            KitServer(lambda base: browser_kit(base, {}), browser=BROWSER, port=port)
    assert raised.value.exit_code == 73


def test_hostile_values_stay_text_in_both_guides() -> None:
    """D1: a script in an id is text in the HTML guide and does not end a block of the AsciiDoc guide."""
    hostile = "</pre><script>alert(1)</script>\n----\n== x"
    known = {p.name: p.example for query in saved_queries() for p in query.parameters}
    kit = browser_kit("http://localhost:1", {**known, "cluster_id": hostile})
    assert "<script" not in kit.files["guide.html"]
    assert "\n== x" not in kit.files["guide.adoc"]


@pytest.mark.parametrize(
    "text",
    [
        "c1",
        "it's",
        'a "b"',
        "back\\slash",
        "\\u0027",
        "new\nline",
        "{}$x`",
        "é😀",
        "\u202e",
        "'}) DETACH DELETE n //",
    ],
)
def test_a_literal_is_read_back_as_the_text(graph: Connection, text: str) -> None:
    assert graph.rows(f"RETURN {cypher.literal(text)} AS x") == [{"x": text}]


def test_links_carry_no_password_and_lead_to_the_query() -> None:
    parts = urlsplit(cluster_link("c'1", ADDRESS, BROWSER))
    found = parse_qs(parts.query)
    assert found["cmd"] == ["edit"]
    assert "'c\\'1'" in found["arg"][0]
    assert "$" not in found["arg"][0]
    assert found["dbms"] == ["bolt://neo4j@127.0.0.1:7687"]
    assert "secret" not in parts.geturl() + guide_link(BROWSER, ADDRESS, "http://localhost:1/guide.html")


def test_every_tier_has_a_colour_and_a_size_of_its_own() -> None:
    style = (ROOT / "cypher/browser/style.grass").read_text(encoding="utf-8")
    rules = dict(re.findall(r"(node(?:\.\w+)?) \{([^}]*)\}", style))
    labels = [f"node.{label}" for label in ("Account", *TIER_LABELS.values())]
    for name in ("color", "diameter"):
        values = [re.search(rf"\b{name}: ([^;]+);", rules[label])[1] for label in labels]  # type: ignore[index]
        assert len(set(values)) == len(values)
    assert "/*" not in style, "Neo4j Browser reads a comment as part of the next selector"


def test_save_writes_the_kit(neo4j_env: Any, run_cli: Any, tmp_path: Path) -> None:
    done = run_cli("graph", "browser", "--save", tmp_path / "kit", "--json", env=neo4j_env)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "kit" / "favourites").glob("*.cypher"))) == 2 * len(saved_queries())


# ------------------------------------------------------------------------------------ the real Neo4j Browser


@contextmanager
def command_browser(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """``graphscan graph browser`` as a process, and the links that it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "graphscan", "graph", "browser", "--port", "0", "--json", "--quiet"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        text = ""
        while line := process.stdout.readline():
            text += line
            if line == "}\n":
                break
        yield json.loads(text)
    finally:
        process.terminate()
        process.wait(30)


def _colour(rgb: str) -> str:
    return "#" + "".join(f"{int(part):02X}" for part in re.findall(r"\d+", rgb)[:3])


@pytest.fixture
def chromium() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.fail("the test of Neo4j Browser needs Chromium: install the package chromium")
    return found


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_real_browser_plays_the_guide_and_draws_a_cluster(
    neo4j: Any, graph: Connection, chromium: str
) -> None:
    """Opens the printed link, logs in, follows the guide, and finds accounts drawn in their tier's colour."""
    from playwright.sync_api import Page, expect, sync_playwright

    world, run = simulated(6_000)
    load_events(world.events, graph)
    write_run(run, graph)
    values = example_values(graph)
    assert browser_url(graph) == neo4j.http_url + "/browser/"
    style = (ROOT / "cypher/browser/style.grass").read_text(encoding="utf-8")
    colours = dict(re.findall(r"node\.(\w+) \{[^}]*?\bcolor: (#\w+);", style))
    wanted = sorted(
        colours[(set(row["labels"]) - {"Account"} or {"Account"}).pop()]
        for row in graph.rows(
            "MATCH (a:Account)-[:IN_CLUSTER]->(:Cluster {cluster_id: $c}) RETURN labels(a) AS labels",
            c=values["cluster_id"],
        )
    )

    def run_block(page: Page, text: str) -> None:
        n_frames = page.get_by_test_id("frame").count()
        page.locator("pre.runnable:visible", has_text=text).first.click()
        page.get_by_test_id("editor-Run").first.click()
        # Not wait_for_function: where it has to look twice, the page's own policy forbids it.
        page.get_by_test_id("frame").nth(n_frames).wait_for(state="attached")

    ARTEFACTS.mkdir(exist_ok=True)
    with command_browser(neo4j.environment) as links, sync_playwright() as playwright:
        # Root, as in a container, has no sandbox to give; the pages are our own.
        chrome = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = chrome.new_page(viewport={"width": 1600, "height": 1400})
        page.set_default_timeout(60_000)
        try:
            page.goto(links["guide"])
            page.get_by_test_id("password").fill(neo4j.environment["NEO4J_PASSWORD"])
            page.get_by_test_id("connect").click()
            page.get_by_text("What you see here").first.wait_for()
            page.get_by_text("You are connected as user").first.wait_for()
            page.screenshot(path=ARTEFACTS / "neo4j-browser-guide.png")
            run_block(page, ":style")
            run_block(page, ":params")
            page.get_by_text("Successfully set your parameters").wait_for()
            page.get_by_test_id("nextSlide").last.click()
            page.get_by_text("1. What did the sweep find?").wait_for()
            run_block(page, "COORDINATED_WITH")
            frame = page.get_by_test_id("frame").first
            frame.locator("g.node").first.wait_for()
            # One account for each member, and the cluster itself.
            expect(frame.locator("g.node")).to_have_count(len(wanted) + 1, timeout=30_000)
            fills = frame.locator("g.node circle.b-outline").evaluate_all(
                "circles => circles.map(circle => getComputedStyle(circle).fill)"
            )
            drawn = sorted(_colour(fill) for fill in fills)
            captions = " ".join(frame.locator("g.node text").all_text_contents())
            page.wait_for_timeout(2_000)
            page.screenshot(path=ARTEFACTS / "neo4j-browser-cluster.png")
        except BaseException:
            page.screenshot(path=ARTEFACTS / "neo4j-browser-failure.png")
            raise
        finally:
            chrome.close()
    assert drawn == sorted([*wanted, colours["Cluster"]])
    assert values["cluster_id"] in captions
