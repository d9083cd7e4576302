"""The saved queries of ``cypher/investigate``: question, parameters, cost, a visual and a rows form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from graphscan.errors import EXIT_BUG, GraphscanError

_PARAMETER: Final = re.compile(r"(\w+) = (.+?) \((.+)\)")
_RETURNS: Final = "Rows form. Returns:"
_VISUAL: Final = "Visual form, for Neo4j Browser:"


@dataclass(frozen=True)
class Parameter:
    """A parameter of a saved query.

    Attributes
    ----------
    name
        Without the dollar sign.
    example
        A value that makes the query run.
    meaning
        One line.
    """

    name: str
    example: Any
    meaning: str


@dataclass(frozen=True)
class SavedQuery:
    """One question that an investigator asks the graph.

    Attributes
    ----------
    name
        File name without number and suffix.
    title, question, cost
        One line each.
    parameters
        What it needs.
    visual
        Cypher that gives nodes and relationships to draw.
    rows
        Cypher that gives a table.
    columns
        The columns of that table.
    """

    name: str
    title: str
    question: str
    cost: str
    parameters: tuple[Parameter, ...]
    visual: str
    rows: str
    columns: tuple[str, ...]

    @property
    def writes(self) -> bool:
        """Whether it changes the graph."""
        return re.search(r"\b(CREATE|MERGE|SET|DELETE)\b", self.rows) is not None

    def arguments(self, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A value for each parameter: the given one, else the example."""
        given = values or {}
        return {p.name: given.get(p.name, p.example) for p in self.parameters}

    def favourite(self, form: str) -> str:
        """The text of one form as Neo4j Browser saves it: the first line is the title."""
        lines = [f"// {self.title}" + (" (rows)" if form == "rows" else ""), f"// {self.question}"]
        lines += [f"// ${p.name}: {p.meaning}, such as {json.dumps(p.example)}" for p in self.parameters]
        return "\n".join([*lines, self.rows if form == "rows" else self.visual]) + "\n"


def cypher_folder() -> Path:
    """The folder ``cypher``: inside the installed package, or at the root of the source tree."""
    here = Path(__file__).resolve().parent
    for folder in (here.parent / "cypher", here.parents[1] / "cypher"):
        if (folder / "investigate").is_dir():
            return folder
    raise GraphscanError(
        "the saved queries are not installed", where=str(here), mend="reinstall graphscan", exit_code=EXIT_BUG
    )


@cache
def saved_queries() -> tuple[SavedQuery, ...]:
    """All saved queries, in the order of their files."""
    return tuple(parsed_query(path) for path in sorted((cypher_folder() / "investigate").glob("*.cypher")))


def saved_query(name: str) -> SavedQuery:
    """The saved query of that name.

    Raises
    ------
    KeyError
        There is none.
    """
    return {query.name: query for query in saved_queries()}[name]


def parsed_query(path: Path) -> SavedQuery:
    """Read a query file.

    Raises
    ------
    GraphscanError
        Exit code 1, naming file and line, if its header is not as it must be.
    """
    title = question = cost = ""
    parameters: list[Parameter] = []
    columns: tuple[str, ...] = ()
    forms: dict[str, list[str]] = {"visual": [], "rows": []}
    form = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        head = line.removeprefix("// ")
        key, _, value = head.partition(": ")
        if not line.startswith("//"):
            if form:
                forms[form].append(line)
        elif number == 1:
            title = head
        elif key == "Question":
            question = value
        elif key == "Cost":
            cost = value
        elif key == "Parameter" and (match := _PARAMETER.fullmatch(value)):
            parameters.append(Parameter(match[1], json.loads(match[2]), match[3]))
        elif head == _VISUAL:
            form = "visual"
        elif head.startswith(_RETURNS):
            form = "rows"
            columns = tuple(name.strip() for name in head.removeprefix(_RETURNS).split(","))
        else:
            raise _malformed(path, number, f"not a line of the header: {line}")
    texts = {name: "\n".join(lines).strip().removesuffix(";") for name, lines in forms.items()}
    if not (title and question and cost and columns and all(texts.values())):
        raise _malformed(path, 1, "the title, the question, the cost, a form or its columns are missing")
    name = path.stem.partition("-")[2]
    return SavedQuery(name, title, question, cost, tuple(parameters), texts["visual"], texts["rows"], columns)


def _malformed(path: Path, line: int, what: str) -> GraphscanError:
    return GraphscanError(what, where=f"{path}:{line}", mend="see cypher/README.md", exit_code=EXIT_BUG)
