"""The co-action network and the cluster detector as scikit-learn style estimators.

Both take the events as a table in the native columns, in any row order, and both are thin: the same functions
as under ``graphscan network`` and ``graphscan sweep`` do the work, so the results are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin

from graphscan.errors import EXIT_INPUT, EXIT_USAGE, GraphscanError
from graphscan.network.table import MAX_PAIRS_PER_OBJECT

if TYPE_CHECKING:
    import pandas as pd

    from graphscan.settings import ClusterSettings

Events: TypeAlias = "pa.Table | pd.DataFrame"


class CoActionNetwork(BaseEstimator):  # type: ignore[misc]
    """Who acted on the same objects within a short time, layer by layer.

    Two events are a pair when they are by different accounts, on the same object, at most the window apart.

    Parameters
    ----------
    layers : sequence of str, optional
        Names of layers; all by default.
    window_s : float, optional
        One window in seconds for all layers; each layer's own by default.
    min_pairs, min_objects, min_weight : int
        An edge needs so many pairs of events, so many distinct objects, and so many events of the busier side
        that stand in a pair.
    min_participation : int
        Accounts need so many events in pairs.
    edge_quantile : float, optional
        Keep only edges whose number of pairs is above this quantile.
    max_pairs_per_object : int
        Objects with more pairs are thinned and named in ``capped_``.

    Attributes
    ----------
    edges_ : pyarrow.Table, one row an edge
        ``account_a, account_b, layer, window_s, n_pairs, n_objects, n_a, n_b, median_lag_s, a_leads_share,
        first_at, last_at``, with ``account_a < account_b`` by UTF-8 bytes.
    capped_ : list of dict
        ``layer, object_id, rows, kept`` of every object that was thinned.
    warnings_ : list of str
        Layers that were skipped and rows that were left out, in words.

    See Also
    --------
    graphscan.co_action_network : the same as a function of events in canonical order.

    References
    ----------
    Righetti & Balluff, "CooRTweet: a generalized R software for coordinated network detection",
    Computational Communication Research 7(1), 2025.

    Graham, QUT Digital Observatory, "Coordination Network Toolkit", 2020.

    Examples
    --------
    >>> import pandas as pd
    >>> from graphscan import CoActionNetwork
    >>> events = pd.DataFrame(
    ...     {
    ...         "account_id": ["ann", "bob", "cat"],
    ...         "action": "repost",
    ...         "object_id": "post-1",
    ...         "timestamp": pd.to_datetime([0, 60, 300], unit="s", utc=True, origin="2026-01-05"),
    ...     }
    ... )
    >>> network = CoActionNetwork(window_s=60).fit(events)
    >>> network.edges_.select(["account_a", "account_b", "n_pairs"]).to_pylist()
    [{'account_a': 'ann', 'account_b': 'bob', 'n_pairs': 1}]
    """

    def __init__(
        self,
        layers: Sequence[str] | None = None,
        window_s: float | None = None,
        min_pairs: int = 1,
        min_objects: int = 1,
        min_weight: int = 1,
        min_participation: int = 1,
        edge_quantile: float | None = None,
        max_pairs_per_object: int = MAX_PAIRS_PER_OBJECT,
    ) -> None:
        self.layers = layers
        self.window_s = window_s
        self.min_pairs = min_pairs
        self.min_objects = min_objects
        self.min_weight = min_weight
        self.min_participation = min_participation
        self.edge_quantile = edge_quantile
        self.max_pairs_per_object = max_pairs_per_object

    def fit(self, events: Events, y: object = None) -> CoActionNetwork:
        """Find the edges.

        Parameters
        ----------
        events : pyarrow.Table or pandas.DataFrame, one row an event
            Native columns; ``account_id, action, object_id`` and ``timestamp`` (or ``timestamp_us``) are
            needed.
        y
            Ignored.

        Raises
        ------
        GraphscanError
            Exit code 2 for a missing column, an unknown layer or a window that is impossible; 3 for a row
            that is no event.
        """
        from graphscan.network.table import co_action_network

        ready = ordered_events(events)
        network = co_action_network(
            ready.table,
            layers=self.layers,
            window_s=self.window_s,
            min_pairs=self.min_pairs,
            min_objects=self.min_objects,
            min_weight=self.min_weight,
            min_participation=self.min_participation,
            edge_quantile=self.edge_quantile,
            max_pairs_per_object=self.max_pairs_per_object,
            resolution_us=ready.resolution_us,
        )
        self.edges_ = network.edges
        self.capped_ = network.capped
        self.warnings_ = [*ready.warnings, *network.warnings]
        return self

    def fit_transform(self, events: Events, y: object = None) -> pa.Table:
        """``fit`` and the edges of it."""
        return self.fit(events, y).edges_


class ClusterDetector(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Groups of accounts that act in step, each tested against its members' own habits.

    Candidates are dense parts of co-action graphs. Each is tested once, on what did not find it, by permuting
    every member's own delays; found is what holds a false discovery rate and two effect floors.

    Parameters
    ----------
    settings : graphscan.settings.ClusterSettings, optional
        All values of the cluster stage; the defaults if None.
    alpha, min_effect_ratio, min_kappa, min_size, windows_s, discovery_windows_s
        Single values that go before those of ``settings`` where they are not None; see the settings
        reference for their meanings.
    random_state : int
        Seed. The result depends on it only through permutations and the order in which Leiden visits nodes.
    layers : sequence of str, optional
        Names of layers; all by default.

    Attributes
    ----------
    account_ids_ : array of str, shape (n_accounts,)
        Accounts with an event, sorted by UTF-8 bytes.
    labels_ : array of int, shape (n_accounts,)
        Row in ``clusters_`` of the cluster that each account is in, of several the one of smallest q; -1 for
        none.
    clusters_ : pyarrow.Table, one row a found cluster
        Size, p and q, effect sizes, window, layers, the synchronisation panel, the legitimate explanation
        that fits.
    members_ : pyarrow.Table
        ``cluster_id, account_id, in_core``; an account may be in several clusters.
    cluster_tests_ : pyarrow.Table, one row a candidate
        Every test that was made, found or not.
    evidence_ : pyarrow.Table, one row an event
        The acts in step behind each cluster.
    explanations_ : pyarrow.Table
        Every legitimate explanation tried on every cluster, with how well it fits.
    capped_ : list of dict
        Objects that were thinned in discovery.
    warnings_ : list of str
        Rows that were left out, in words.

    References
    ----------
    Traag, Waltman & van Eck, "From Louvain to Leiden: guaranteeing well-connected communities", Scientific
    Reports 9:5233, 2019.

    Winkler, Ridgway, Douaud, Nichols & Smith, "Faster permutation inference in brain imaging", NeuroImage
    141:502-516, 2016.

    Benjamini & Hochberg, "Controlling the false discovery rate", JRSS B 57:289-300, 1995.

    Examples
    --------
    Twelve accounts that repost what they are told to, within a minute of the order, and twenty of their own
    mind:

    >>> import numpy as np, pandas as pd
    >>> from graphscan import ClusterDetector
    >>> rng = np.random.default_rng(7)
    >>> rows = []
    >>> for post in range(40):
    ...     born = 86_400 * post + 36_000
    ...     rows.append(("author", "post", f"p{post}", born))
    ...     order = rng.exponential(7_200)
    ...     told = rng.choice(12, 8, replace=False)
    ...     rows += [(f"bot{b:02}", "repost", f"p{post}", born + order + rng.uniform(0, 60)) for b in told]
    ...     own = rng.choice(20, 6, replace=False)
    ...     rows += [(f"fan{f:02}", "repost", f"p{post}", born + rng.exponential(7_200)) for f in own]
    >>> events = pd.DataFrame(rows, columns=["account_id", "action", "object_id", "timestamp"])
    >>> events["timestamp"] = pd.to_datetime(events["timestamp"], unit="s", utc=True, origin="2026-01-05")
    >>> detector = ClusterDetector(random_state=0).fit(events)
    >>> detector.clusters_.num_rows
    1
    >>> [str(a) for a in detector.account_ids_[detector.labels_ == 0]] == [f"bot{b:02}" for b in range(12)]
    True
    """

    def __init__(
        self,
        settings: ClusterSettings | None = None,
        random_state: int = 0,
        layers: Sequence[str] | None = None,
        alpha: float | None = None,
        min_effect_ratio: float | None = None,
        min_kappa: float | None = None,
        min_size: int | None = None,
        windows_s: Sequence[float] | None = None,
        discovery_windows_s: Sequence[float] | None = None,
    ) -> None:
        self.settings = settings
        self.random_state = random_state
        self.layers = layers
        self.alpha = alpha
        self.min_effect_ratio = min_effect_ratio
        self.min_kappa = min_kappa
        self.min_size = min_size
        self.windows_s = windows_s
        self.discovery_windows_s = discovery_windows_s

    def fit(self, events: Events, y: object = None) -> ClusterDetector:
        """Find and test clusters.

        Parameters
        ----------
        events : pyarrow.Table or pandas.DataFrame, one row an event
            As for `CoActionNetwork.fit`.
        y
            Ignored.

        Raises
        ------
        GraphscanError
            Exit code 2 for a missing column, an unknown layer or a setting that is impossible; 3 for a row
            that is no event.
        """
        from graphscan.clusters.stage import detect_clusters
        from graphscan.clusters.tables import cluster_tables
        from graphscan.network.layers import encoded_events, layer_definitions, layer_events

        settings = self._cluster_settings()
        ready = ordered_events(events)
        encoded = encoded_events(ready.table, resolution_us=ready.resolution_us)
        layers = [layer_events(encoded, definition) for definition in layer_definitions(self.layers)]
        detection = detect_clusters(encoded, layers, settings, seed=self.random_state)
        tables = cluster_tables(detection, encoded, seed=self.random_state)
        self.account_ids_: NDArray[np.object_] = np.array(encoded.account_ids.to_pylist(), dtype=object)
        self.clusters_ = tables.clusters
        self.members_ = tables.members
        self.cluster_tests_ = tables.tests
        self.evidence_ = tables.evidence
        self.explanations_ = tables.explanations
        self.capped_ = [
            {
                "layer": name,
                "object_id": detection.problems[name].incidence.object_ids[obj].as_py(),
                "rows": n_rows,
                "kept": n_kept,
            }
            for name, obj, n_rows, n_kept in detection.capped
        ]
        self.warnings_ = list(ready.warnings)
        self.labels_ = _labels([c.members for c in detection.clusters], tables.clusters, encoded.n_accounts)
        return self

    def _cluster_settings(self) -> ClusterSettings:
        from pydantic import ValidationError

        from graphscan.settings import ClusterSettings

        given: dict[str, Any] = {
            name: tuple(map(float, value)) if isinstance(value, Iterable) else value
            for name in (
                "alpha", "min_effect_ratio", "min_kappa", "min_size", "windows_s", "discovery_windows_s"
            )
            if (value := getattr(self, name)) is not None
        }  # fmt: skip
        base = self.settings if self.settings is not None else ClusterSettings()
        if not given:
            return base
        try:
            return ClusterSettings(**{**base.model_dump(), **given})
        except ValidationError as error:
            flaws = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise GraphscanError(
                "A parameter of the detector is not possible.",
                flaws,
                "See the settings reference.",
                EXIT_USAGE,
            ) from error


def _labels(members: Sequence[NDArray[np.int64]], clusters: pa.Table, n_accounts: int) -> NDArray[np.int64]:
    """Row of each account's cluster of smallest q, ties by cluster id; -1 for none."""
    labels = np.full(n_accounts, -1, np.int64)
    rank = list(zip(clusters["q_time"].to_pylist(), clusters["cluster_id"].to_pylist(), strict=True))
    for row in sorted(range(len(members)), key=lambda k: rank[k], reverse=True):
        labels[members[row]] = row
    return labels


@dataclass(frozen=True)
class OrderedEvents:
    """Events as the stages want them: checked, each id once, in canonical order."""

    table: pa.Table
    resolution_us: int
    warnings: tuple[str, ...]


def ordered_events(events: Events) -> OrderedEvents:
    """A table or data frame with native columns as events in canonical order.

    Parameters
    ----------
    events
        One row an event. Times may be typed, ISO-8601 text or epoch numbers (``timestamp``), or microseconds
        (``timestamp_us``); other native columns may be missing, further ones are ignored.

    Raises
    ------
    GraphscanError
        Exit code 2 where a needed column is missing or the input is no table; 3 for the first row that is no
        event. (A program that hands over a table can mend it; nothing is dropped in silence.)
    """
    from graphscan.events.identity import canonical_order, repeats
    from graphscan.events.model import EVENT_COLUMNS
    from graphscan.events.normal import normal_events
    from graphscan.events.times import TimeReader, TimeRule

    table = _native_columns(events)
    times = TimeReader("events", TimeRule())
    normal = normal_events(table, times, lambda row: row, EVENT_COLUMNS, coded=False)
    if normal.flaws:
        row, column, reason, message = normal.flaws[0]
        raise GraphscanError(
            f"{len(normal.flaws)} of {table.num_rows} rows are no events; the first: {message}.",
            f"row {row}, column {column} ({reason})",
            "Mend or drop these rows.",
            EXIT_INPUT,
        )
    ordered = normal.table
    warnings = []
    found = repeats(ordered)
    if found.n_duplicates:
        warnings.append(f"{found.n_duplicates} rows repeat an event and were left out.")
    if found.conflicts:
        warnings.append(
            f"{len(found.conflicts)} rows have the event_id of another row and other content; of each id the "
            "row that sorts first was kept."
        )
    if found.kept is not None:
        ordered = ordered.take(pa.array(found.kept))
    order = canonical_order(ordered["timestamp_us"].to_numpy(), ordered["event_id"])
    if order is not None:
        ordered = ordered.take(pa.array(order))
    return OrderedEvents(ordered.combine_chunks(), max(times.resolution_us, 1), tuple(warnings))


def _native_columns(events: Events) -> pa.Table:
    """The input as an Arrow table with a column ``timestamp``."""
    from graphscan.events.model import REQUIRED_COLUMNS

    if isinstance(events, pa.Table):
        table = events
    elif hasattr(events, "columns") and hasattr(events, "dtypes"):
        try:
            table = pa.Table.from_pandas(events, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise GraphscanError(
                f"A column of the data frame mixes types: {error.args[0]}",
                "events",
                "Give ids and texts as str, and times all in one writing.",
                EXIT_INPUT,
            ) from error
    else:
        raise GraphscanError(
            f"Events cannot be of the type {type(events).__name__}.",
            "events",
            "Give a pyarrow.Table or a pandas.DataFrame.",
            EXIT_USAGE,
        )
    if "timestamp" not in table.column_names and "timestamp_us" in table.column_names:
        times = table["timestamp_us"].cast(pa.int64()).cast(pa.timestamp("us", "UTC"))
        table = table.append_column("timestamp", times)
    missing = [name for name in REQUIRED_COLUMNS if name not in table.column_names]
    if missing:
        raise GraphscanError(
            f"Columns are missing: {', '.join(missing)}.",
            f"found: {', '.join(map(str, table.column_names)) or 'none'}",
            f"Needed are {', '.join(REQUIRED_COLUMNS)}.",
            EXIT_USAGE,
        )
    return table
