"""The kit for Neo4j Browser: guide, colours and saved queries, served on loopback; links into the Browser."""

from __future__ import annotations

import html
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from graphscan.errors import EXIT_CANNOT_WRITE, GraphscanError
from graphscan.graphdb import cypher
from graphscan.graphdb.client import Connection, ServerAddress
from graphscan.graphdb.saved_queries import SavedQuery, cypher_folder, saved_queries, saved_query

DEFAULT_PORT: Final = 7490
DEFAULT_BROWSER_URL: Final = "http://127.0.0.1:7474/browser/"
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "adoc": "text/plain; charset=utf-8",
    "grass": "text/plain; charset=utf-8",
    "cypher": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class Kit:
    """Everything that is served: the content of each file by its path."""

    files: Mapping[str, str]


def example_values(connection: Connection, cluster_id: str | None = None) -> dict[str, Any]:
    """Values for the parameters of all saved queries, from what is in the graph.

    Parameters
    ----------
    connection
        The graph.
    cluster_id
        The cluster to look at; default: the strongest of the newest sweep.
    """
    values = {p.name: p.example for query in saved_queries() for p in query.parameters}
    found = connection.rows(cypher.example_values(), cluster_id=cluster_id)
    if found:
        values.update({name: value for name, value in found[0].items() if value is not None})
    if cluster_id is not None:
        values["cluster_id"] = cluster_id
    return values


def browser_kit(base_url: str, values: Mapping[str, Any]) -> Kit:
    """The guide in both forms, the style, and every saved query as a favourite.

    Parameters
    ----------
    base_url
        Where the files will be served, without a slash at the end.
    values
        Parameter values that the guide sets.
    """
    folder = cypher_folder() / "browser"
    tour = tomllib.loads((folder / "tour.toml").read_text(encoding="utf-8"))
    files = {
        "guide.html": _html_guide(tour, base_url, values),
        "guide.adoc": _asciidoc_guide(tour, values),
        "style.grass": (folder / "style.grass").read_text(encoding="utf-8"),
    }
    for query in saved_queries():
        files[f"favourites/{query.name}.cypher"] = query.favourite("visual")
        files[f"favourites/{query.name}.rows.cypher"] = query.favourite("rows")
    return Kit(files)


def parameters_command(values: Mapping[str, Any]) -> str:
    """The Browser command that sets parameters.

    >>> parameters_command({"limit": 5, "by": "it's me"})
    ':params {limit: 5, by: "it\\'s me"}'
    """
    # A JSON text is a Cypher literal, in ASCII so that nothing hides in it.
    return ":params {" + ", ".join(f"{name}: {json.dumps(value)}" for name, value in values.items()) + "}"


# -------------------------------------------------------------------------------------------------- guides


def _shown_queries(slide: Mapping[str, Any]) -> list[tuple[SavedQuery, str]]:
    visual = [(saved_query(name), "visual") for name in slide.get("queries", ())]
    return visual + [(saved_query(name), "rows") for name in slide.get("rows", ())]


def _html_guide(tour: Mapping[str, Any], base_url: str, values: Mapping[str, Any]) -> str:
    slides = "".join(_html_slide(slide, base_url, values) for slide in tour["slide"])
    return (
        f'<article class="guide" title="{html.escape(tour["title"])}">\n'
        f'<carousel class="deck container-fluid">\n{slides}</carousel>\n</article>\n'
    )


def _html_slide(slide: Mapping[str, Any], base_url: str, values: Mapping[str, Any]) -> str:
    blocks: list[tuple[str, str]] = []
    if slide.get("style"):
        blocks.append(("The colours", f":style {base_url}/style.grass"))
    if slide.get("parameters"):
        blocks.append(("Example values from your graph", parameters_command(values)))
    for query, form in _shown_queries(slide):
        blocks.append((f"{query.title}: {query.question}", query.rows if form == "rows" else query.visual))
    text = "".join(f"<p>{html.escape(paragraph)}</p>\n" for paragraph in slide["text"])
    code = "".join(
        f"<h4>{html.escape(label)}</h4>\n"
        '<figure><pre class="pre-scrollable code runnable">'
        f"{html.escape(source, quote=False)}</pre></figure>\n"
        for label, source in blocks
    )
    return (
        '<slide class="row-fluid">\n<div class="col-sm-3">\n'
        f"<h3>{html.escape(slide['title'])}</h3>\n{text}</div>\n"
        f'<div class="col-sm-9">\n{code}</div>\n</slide>\n'
    )


def _asciidoc_guide(tour: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    parts = [f"= {tour['title']}\n"]
    for slide in tour["slide"]:
        parts.append(f"== {slide['title']}\n")
        # AsciiDoc marks code with single backquotes as the tour does.
        parts += [paragraph + "\n" for paragraph in slide["text"]]
        if slide.get("parameters"):
            parts.append(_asciidoc_block("Example values from your graph", parameters_command(values)))
        for query, form in _shown_queries(slide):
            label = f"{query.title}: {query.question}"
            parts.append(_asciidoc_block(label, query.rows if form == "rows" else query.visual))
    return "\n".join(parts)


def _asciidoc_block(label: str, source: str) -> str:
    # A line of four dashes would end the block; no query has one, and parameters are a single line.
    return f".{label}\n[source,cypher]\n----\n{source}\n----\n"


# ------------------------------------------------------------------------------------------------- serving


class _Handler(BaseHTTPRequestHandler):
    """Gives the files of the kit, to Neo4j Browser's origin alone."""

    protocol_version = "HTTP/1.1"
    server_version = "graphscan"
    sys_version = ""

    def __init__(self, *arguments: Any, kit: Kit, origin: str) -> None:
        self._kit = kit
        self._origin = origin
        super().__init__(*arguments)

    def do_OPTIONS(self) -> None:
        self._answer(HTTPStatus.NO_CONTENT, None, "")

    def do_GET(self) -> None:
        path = urlsplit(self.path).path.strip("/") or "guide.html"
        text = self._kit.files.get(path)
        if text is None:
            self._answer(HTTPStatus.NOT_FOUND, b"There is no such file.\n", _TYPES["cypher"])
        else:
            self._answer(HTTPStatus.OK, text.encode(), _TYPES[path.rpartition(".")[2]])

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, status: HTTPStatus, body: bytes | None, content_type: str) -> None:
        self.send_response(status)
        origin = self.headers.get("Origin", "")
        if urlsplit(origin).hostname in ("127.0.0.1", "localhost", urlsplit(self._origin).hostname):
            self.send_header("Access-Control-Allow-Origin", origin)
            self.send_header("Vary", "Origin")
            self.send_header("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
            wanted = self.headers.get("Access-Control-Request-Headers", "*")
            self.send_header("Access-Control-Allow-Headers", wanted)
            # A page of the network may ask a loopback server only if the server says so.
            self.send_header("Access-Control-Allow-Private-Network", "true")
        if body is not None:
            self.send_header("Content-Type", content_type)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are no news."""


class KitServer:
    """The loopback file server of ``graphscan graph browser``.

    Attributes
    ----------
    url
        Where it serves, without a slash at the end.
    """

    def __init__(self, make_kit: Callable[[str], Kit], *, browser: str, port: int = DEFAULT_PORT) -> None:
        """Take the port and make the kit for it.

        Parameters
        ----------
        make_kit
            Gives the kit for a base URL.
        browser
            The Browser whose pages may read the files.
        port
            0 takes any free port.

        Raises
        ------
        GraphscanError
            Exit code 73: the port is taken.
        """
        kit = Kit({})
        try:
            self._server = ThreadingHTTPServer(
                ("127.0.0.1", port), partial(_Handler, kit=kit, origin=browser), bind_and_activate=True
            )
        except OSError as error:
            raise GraphscanError(
                f"cannot serve on port {port}: {error.strerror}",
                where=f"127.0.0.1:{port}",
                mend="choose another one with --port, or --port 0 for any that is free",
                exit_code=EXIT_CANNOT_WRITE,
            ) from error
        # Neo4j Browser plays the guide of a link before it has asked the server whom to trust, and until then
        # it trusts the name localhost, but not the number.
        self.url = f"http://localhost:{self._server.server_address[1]}"
        self._server.RequestHandlerClass = partial(_Handler, kit=make_kit(self.url), origin=browser)

    def serve(self) -> None:
        """Serve until interrupted or :meth:`close` is called from another thread."""
        try:
            self._server.serve_forever(poll_interval=0.2)
        finally:
            self._server.server_close()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()


# --------------------------------------------------------------------------------------------------- links


def browser_url(connection: Connection) -> str:
    """Where Neo4j Browser of this server is, as far as the server tells."""
    try:
        rows = connection.rows(cypher.http_address())
    except GraphscanError:
        rows = []
    address = next((row["value"] for row in rows if row["value"]), "")
    host = urlsplit(connection.address.uri).hostname or "127.0.0.1"
    advertised_host, _, port = address.rpartition(":")
    if not port.isdigit():
        return DEFAULT_BROWSER_URL
    # A server that advertises nothing in particular is reached under the name that we reached it by.
    if advertised_host in ("", "localhost", "0.0.0.0", "127.0.0.1"):
        advertised_host = host
    return f"http://{advertised_host}:{port}/browser/"


def _link(browser: str, address: ServerAddress, command: str, argument: str) -> str:
    parts = urlsplit(address.uri)
    where = {"dbms": f"{parts.scheme}://{address.username}@{parts.netloc}"}
    if address.database:
        where["db"] = address.database
    query = urlencode({**where, "cmd": command, "arg": argument}, quote_via=quote)
    return f"{browser}?{query}"


def guide_link(browser: str, address: ServerAddress, guide_url: str) -> str:
    """The link that opens Neo4j Browser and plays the guide."""
    return _link(browser, address, "play", guide_url)


def cluster_link(cluster_id: str, address: ServerAddress, browser: str = DEFAULT_BROWSER_URL) -> str:
    """The link that opens Neo4j Browser with the query that draws one cluster, ready to run.

    The id goes into the query as a literal, so it needs no parameters; a hostile id stays a text.
    """
    query = saved_query("accounts-of-a-cluster").visual
    return _link(browser, address, "edit", query.replace("$cluster_id", cypher.literal(cluster_id)))
