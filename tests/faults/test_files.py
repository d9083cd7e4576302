"""Bad files: what each gets. The number in a test's name is the case's number."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphscan.errors import GraphscanError
from graphscan.events.ledger import Ledger, Reject, require_within_budget, write_rejects
from graphscan.events.reading import Reading, load_events, load_table, read_events

HEADER = "event_id,account_id,action,object_id,timestamp,text\n"


def row(number: int, text: str = "hello") -> str:
    time = f"2024-05-01T10:{number // 60 % 60:02d}:{number % 60:02d}Z"
    return f"e{number:07d},a{number % 7},repost,o{number % 5},{time},{text}\n"


def csv_file(folder: Path, *rows: str, name: str = "events.csv", header: str = HEADER) -> Path:
    path = folder / name
    path.write_bytes((header + "".join(rows)).encode("utf-8", errors="surrogateescape"))
    return path


def failure(sources: Sequence[Path], **options: object) -> tuple[GraphscanError, Reading]:
    reading = read_events(sources, **options)  # type: ignore[arg-type]
    with pytest.raises(GraphscanError) as caught:
        load_table(reading)
    assert reading.ledger.balanced
    return caught.value, reading


def test_a1_empty_file(tmp_path: Path) -> None:
    for content in (b"", b"\n\n", b"\xef\xbb\xbf", gzip.compress(b"")):
        path = tmp_path / "events.csv"
        path.write_bytes(content)
        error, _ = failure([path])
        assert error.exit_code == 3
        assert "empty" in error.what
        assert str(path) in error.where


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_a2_header_only(tmp_path: Path, ending: str) -> None:
    path = csv_file(tmp_path, header=HEADER.rstrip("\n") + ending)
    table, reading = load_events([path])
    assert table.num_rows == 0
    assert reading.ledger == Ledger()
    assert reading.inputs[0].time_unit == ""


def test_a2_parquet_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    names = ["account_id", "action", "object_id", "timestamp"]
    pq.write_table(pa.table({name: pa.array([], type=pa.string()) for name in names}), path)
    table, reading = load_events([path])
    assert table.num_rows == 0
    assert reading.ledger.read == 0


def test_a4_byte_order_mark(tmp_path: Path) -> None:
    plain, _ = load_events([csv_file(tmp_path, row(1), row(2))])
    path = tmp_path / "bom.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + row(1) + row(2)).encode())
    marked, reading = load_events([path])
    assert marked.equals(plain)
    assert reading.ledger.accepted == 2


def test_a4_byte_order_mark_before_ndjson(tmp_path: Path) -> None:
    path = tmp_path / "bom.ndjson"
    line = {"account_id": "a", "action": "post", "object_id": "o", "timestamp": "2024-05-01T10:00:00Z"}
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(line).encode() + b"\n")
    table, _ = load_events([path])
    assert table.num_rows == 1


def test_a5_utf16_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(HEADER + row(1), encoding="utf-16")
    error, _ = failure([path])
    assert error.exit_code == 3
    assert "UTF-8" in error.what + error.mend


def test_a6_invalid_byte_in_line_1000001(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    n_rows = 1_000_100
    rows = [f"e{i},a{i % 97},post,o{i},1700000000,\n" for i in range(n_rows)]
    rows[999_999] = "e999999,a1,post,o\udcff,1700000000,\n"
    path.write_bytes((HEADER + "".join(rows)).encode("utf-8", errors="surrogateescape"))
    table, reading = load_events([path], columns=("account_id",), digests=False)
    assert table.num_rows == n_rows - 1
    assert [(r.line, r.reason) for r in reading.rejects] == [(1_000_001, "bad_utf8")]
    assert "\\xff" in reading.rejects[0].excerpt
    assert reading.ledger == Ledger(read=n_rows, accepted=n_rows - 1, rejected={"bad_utf8": 1})


def test_a6_invalid_byte_in_an_unread_column(tmp_path: Path) -> None:
    path = csv_file(tmp_path, row(1), row(2, "caf\udce9"), row(3))
    for columns in (None, ("account_id",)):
        _, reading = load_events([path], columns=columns)
        assert reading.ledger.rejected == {"bad_utf8": 1}
        assert reading.rejects[0].line == 3


def test_a7_nul_in_a_field(tmp_path: Path) -> None:
    path = csv_file(tmp_path, row(1), row(2, "a\0b"), row(3))
    table, reading = load_events([path])
    assert table.num_rows == 2
    assert [(r.line, r.reason) for r in reading.rejects] == [(3, "control_char")]


def test_a7_nul_in_ndjson_and_parquet(tmp_path: Path) -> None:
    events = [
        {"account_id": account, "action": "post", "object_id": "o", "timestamp": "2024-05-01T10:00:00Z"}
        for account in ("a", "b\0c", "d")
    ]
    lines = tmp_path / "e.ndjson"
    lines.write_text("".join(json.dumps(e) + "\n" for e in events))
    parquet = tmp_path / "e.parquet"
    pq.write_table(pa.Table.from_pylist(events), parquet)
    for path in (lines, parquet):
        table, reading = load_events([path])
        assert sorted(table["account_id"].to_pylist()) == ["a", "d"]
        assert [(r.line, r.reason) for r in reading.rejects] == [(2, "control_char")]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", "\r\n", 2),
        lambda text: text.replace("\n", "\r", 2),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n", "\r\n").rstrip("\r\n"),
        lambda text: text.replace("\n", "\n\n"),
        lambda text: text + "\n\r\n\n",
    ],
    ids=["crlf", "cr", "mixed", "mixed-cr", "no-final", "crlf-no-final", "blank-lines", "blank-end"],
)
def test_a8_line_ends(tmp_path: Path, change: Callable[[str], str]) -> None:
    rows = [row(i) for i in range(20)] + [row(20, '"a, b"')]
    plain, _ = load_events([csv_file(tmp_path, *rows)])
    path = tmp_path / "other.csv"
    path.write_bytes(change(HEADER + "".join(rows)).encode())
    for block_bytes in (16 << 20, 64):
        reading = read_events([path], block_bytes=block_bytes)
        assert load_table(reading).equals(plain)
        assert reading.ledger.accepted == 21


def test_a9_line_numbers_with_quoted_line_ends(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path, row(1, '"one\ntwo\r\nthree"'), "\n", row(2), "e3,a,wave,o,2024-05-01T10:00:00Z,\n", row(4)
    )
    for block_bytes in (16 << 20, 50):
        reading = read_events([path], block_bytes=block_bytes)
        table = load_table(reading)
        assert table["text"].to_pylist()[0] == "one\ntwo\r\nthree"
        assert [(r.line, r.reason) for r in reading.rejects] == [(7, "unknown_action")]
        assert reading.rejects[0].excerpt.startswith("e3,a,wave")


def test_a10_unclosed_quote(tmp_path: Path) -> None:
    path = csv_file(tmp_path, row(1), row(2), row(3, '"open'), row(4), row(5))
    for block_bytes in (16 << 20, 40):
        error, reading = failure([path], block_bytes=block_bytes)
        assert error.exit_code == 3
        assert error.where == f"{path}:4"
        assert reading.ledger.read == 2


@pytest.mark.parametrize("later", ['"quoted"', '""', '"a ""b"" c"', 'x"y'])
def test_a10_unclosed_quote_before_other_quotes(tmp_path: Path, later: str) -> None:
    path = csv_file(
        tmp_path, row(1, '"fine"'), row(2, '"two\nlines"'), row(3, '"open'), row(4, later), row(5)
    )
    for block_bytes in (16 << 20, 40):
        error, reading = failure([path], block_bytes=block_bytes)
        assert error.exit_code == 3
        assert error.where == f"{path}:5"
        assert reading.ledger.read == 2


def test_a10_quote_opened_in_the_header(tmp_path: Path) -> None:
    error, _ = failure([csv_file(tmp_path, row(1), header='event_id,"account_id,action\n')])
    assert error.exit_code == 3
    assert error.where.endswith(":1")


def test_a10_stray_quotes(tmp_path: Path) -> None:
    path = csv_file(tmp_path, row(1, '5" disk'), row(2, '"said" he'), row(3, 'a "b" c'), row(4, '"plain"'))
    table, reading = load_events([path])
    assert sorted(table["text"].to_pylist()) == ['5" disk', 'a "b" c', "plain"]
    assert [(r.line, r.reason) for r in reading.rejects] == [(3, "bad_quote")]


def test_a11_field_count(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path, row(1), "e2,a,post\n", row(3), "e4,a,post,o,2024-05-01T10:00:00Z,x,y,z\n", row(5)
    )
    table, reading = load_events([path])
    assert table.num_rows == 3
    assert [(r.line, r.reason) for r in reading.rejects] == [(3, "field_count"), (5, "field_count")]
    assert "3 fields" in reading.rejects[0].message
    assert "6" in reading.rejects[0].message
    assert "8 fields" in reading.rejects[1].message


def test_a11_field_count_with_quoted_commas(tmp_path: Path) -> None:
    path = csv_file(tmp_path, row(1, '"a, b"'), row(2, '"c, d",extra'), row(3))
    _, reading = load_events([path])
    assert [(r.line, r.reason) for r in reading.rejects] == [(3, "field_count")]


def test_a12_missing_column(tmp_path: Path) -> None:
    header = "event_id,accountid,action,object_id,timestamp\n"
    path = csv_file(tmp_path, "e,a,post,o,2024-05-01T10:00:00Z\n", header=header)
    error, _ = failure([path])
    assert error.exit_code == 2
    assert "Missing column account_id" in error.what
    assert "accountid" in error.where
    assert "--map account_id=accountid" in error.mend


def test_a12_duplicate_column(tmp_path: Path) -> None:
    path = csv_file(tmp_path, header="account_id,action,object_id,timestamp,account_id\n")
    error, _ = failure([path])
    assert error.exit_code == 2
    assert "Duplicate column account_id" in error.what


def test_a12_unknown_layout(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "1,ann,http://x,2024-05-01\n", header="id,author,url,created_at\n")
    error, _ = failure([path])
    assert error.exit_code == 2
    assert "id, author, url, created_at" in error.where
    assert "--map account_id=author" in error.mend
    assert "--map object_id=url" in error.mend
    assert "--map timestamp=created_at" in error.mend


def test_a13_unknown_format_and_mapping(tmp_path: Path) -> None:
    with pytest.raises(GraphscanError, match="coortwet") as caught:
        read_events([tmp_path / "x.csv"], file_format="coortwet")
    assert "coortweet" in caught.value.mend
    with pytest.raises(GraphscanError, match="acount_id"):
        read_events([tmp_path / "x.csv"], mapping={"acount_id": "author"})
    error, _ = failure([csv_file(tmp_path, row(1))], mapping={"account_id": "author"})
    assert error.exit_code == 2
    assert "author" in error.what


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.01])
def test_a14_truncated_gz(tmp_path: Path, kept: float) -> None:
    whole = gzip.compress((HEADER + "".join(row(i, f"text {i * 7919 % 1000}") for i in range(5000))).encode())
    path = tmp_path / "events.csv.gz"
    path.write_bytes(whole[: int(len(whole) * kept)])
    error, reading = failure([path])
    assert error.exit_code == 3
    assert "truncated" in error.what
    assert f"{reading.ledger.read:,} rows" in error.what
    # every whole row before the damage is counted
    recovered = zlib.decompressobj(wbits=31).decompress(path.read_bytes())
    assert reading.ledger.read == max(0, recovered.count(b"\n") - 1)


def test_a14_truncated_zst(tmp_path: Path) -> None:
    content = (HEADER + "".join(row(i, f"text {i * 7919 % 1000}") for i in range(50_000))).encode()
    whole = pa.Codec("zstd").compress(content, asbytes=True)
    path = tmp_path / "events.csv.zst"
    path.write_bytes(whole[: len(whole) // 2])
    error, reading = failure([path])
    assert error.exit_code == 3
    assert "truncated" in error.what
    assert reading.ledger.read > 0


def test_a15_truncated_parquet(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    pq.write_table(pa.table({"account_id": ["a"] * 1000}), path)
    path.write_bytes(path.read_bytes()[:-20])
    error, _ = failure([path])
    assert error.exit_code == 3


def test_a15_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        error, _ = failure([path])
        assert error.exit_code == 2
        assert str(path) in error.where


def ndjson_file(folder: Path, *lines: bytes) -> Path:
    path = folder / "events.ndjson"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def json_row(number: int, **fields: object) -> bytes:
    event = {
        "event_id": f"e{number}",
        "account_id": f"a{number}",
        "action": "post",
        "object_id": f"o{number}",
        "timestamp": "2024-05-01T10:00:00Z",
        **fields,
    }
    return json.dumps(event).encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"account_id": "a", ', "bad_json"),
        (b"nonsense", "bad_json"),
        (b"[1, 2]", "bad_json"),
        (b'"text"', "bad_json"),
        (b"null", "bad_json"),
        (b'{"a": NaN}', "bad_json"),
        (b'{"account_id": "a"}{"account_id": "b"}', "bad_json"),
        (b'{"event_id": "e", "event_id": "f"}', "bad_json"),
        (b'{"account_id": "a\xff"}', "bad_utf8"),
        (json_row(9, account_id={"id": "a"}), "bad_type"),
        (json_row(9, account_id=True), "bad_type"),
        (json_row(9, account_id=["a"]), "bad_type"),
        (json_row(9, account_id=None), "missing_value"),
        (json_row(9, urls=[1, {"a": 2}]), "bad_type"),
    ],
)
def test_a16_ndjson_with_one_broken_line(tmp_path: Path, line: bytes, reason: str) -> None:
    path = ndjson_file(tmp_path, json_row(1), line, json_row(3), b"", json_row(4))
    table, reading = load_events([path])
    assert table["event_id"].to_pylist() == ["e1", "e3", "e4"]
    assert [(r.line, r.reason) for r in reading.rejects] == [(2, reason)]
    assert reading.ledger.balanced


def test_a16_line_cut_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(json_row(1) + b"\n" + json_row(2)[:-5])
    table, reading = load_events([path])
    assert table.num_rows == 1
    assert reading.ledger.rejected == {"bad_json": 1}


@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("known", [True, False])
def test_a17_nesting_100000_deep(tmp_path: Path, pair: tuple[bytes, bytes], known: bool) -> None:
    deep = pair[0] * 100_000 + b"1" + pair[1] * 100_000
    name = b"text" if known else b"extra"
    line = json_row(2)[:-1] + b', "' + name + b'": ' + deep + b"}"
    table, reading = load_events([ndjson_file(tmp_path, json_row(1), line, json_row(3))])
    assert table.num_rows == 2
    assert [(r.line, r.reason) for r in reading.rejects] == [(2, "too_deep")]
    assert len(reading.rejects[0].excerpt) <= 200


def test_a17_brackets_in_text_are_no_nesting(tmp_path: Path) -> None:
    path = ndjson_file(tmp_path, json_row(1, text="[{" * 1000 + '"'), json_row(2))
    table, _ = load_events([path])
    assert table.num_rows == 2


@pytest.mark.parametrize("escape", [b"\\ud800", b"\\udc00", b"\\uD83D x", b"\\udfff\\ud800"])
def test_a17_lone_surrogate(tmp_path: Path, escape: bytes) -> None:
    line = json_row(2, text="MARK").replace(b"MARK", escape)
    table, reading = load_events([ndjson_file(tmp_path, json_row(1), line, json_row(3, text="\U0001f600"))])
    assert table["text"].to_pylist() == [None, "\U0001f600"]
    assert [(r.line, r.reason) for r in reading.rejects] == [(2, "bad_utf8")]


def test_a18_only_broken_lines(tmp_path: Path) -> None:
    reading = read_events([ndjson_file(tmp_path, *[b"{broken"] * 150)])
    table = load_table(reading)
    assert table.num_rows == 0
    assert reading.ledger.over_budget
    with pytest.raises(GraphscanError) as caught:
        require_within_budget(reading.ledger, reading.rejects)
    assert caught.value.exit_code == 3
    assert ":1" in caught.value.where


def test_a19_text_in_csv_may_hold_anything_else(tmp_path: Path) -> None:
    texts = ["a,b", 'q"q', "l\nl", "t\tt", "\u202eabc", "\x1b[31m", "日本語", "a" * 3_000_000]
    rows = ['{},"{}"\n'.format(row(i).rsplit(",", 1)[0], t.replace('"', '""')) for i, t in enumerate(texts)]
    table, reading = load_events([csv_file(tmp_path, *rows)])
    assert sorted(table["text"].to_pylist()) == sorted(texts)
    assert reading.ledger.accepted == len(texts)


def test_a20_same_file_twice(tmp_path: Path) -> None:
    for rows in ([row(i) for i in range(50)], [row(i)[9:] for i in range(50)]):
        header = HEADER if rows[0].startswith("e0") else HEADER.removeprefix("event_id,")
        path = csv_file(tmp_path, *rows, header=header)
        once, _ = load_events([path])
        twice, reading = load_events([path, path])
        assert twice.equals(once)
        assert reading.ledger == Ledger(read=100, accepted=50, duplicate=50)


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (HEADER + row(1) + row(2)).encode()
    plain, _ = load_events([csv_file(tmp_path, row(1), row(2))])
    for given in (content, gzip.compress(content), pa.Codec("zstd").compress(content, asbytes=True)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        table, reading = load_events(["-"])
        assert table.equals(plain)
        assert reading.inputs[0].path == "-"
        assert len(reading.inputs[0].sha256) == 64


@pytest.mark.parametrize("name", ["csv", "tsv", "ndjson", "parquet"])
@pytest.mark.parametrize("compression", ["", "gz", "zst"])
@pytest.mark.parametrize("stdin", [False, True])
def test_every_container(
    tmp_path: Path, name: str, compression: str, stdin: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [json.loads(json_row(i, text=f"text {i}")) for i in range(30)]
    plain, _ = load_events([ndjson_file(tmp_path, *[json.dumps(e).encode() for e in events])])
    if name == "parquet":
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(events), sink)
        content = sink.getvalue()
    elif name == "ndjson":
        content = b"".join(json.dumps(e).encode() + b"\n" for e in events)
    else:
        mark = "," if name == "csv" else "\t"
        lines = [mark.join(events[0])] + [mark.join(e.values()) for e in events]
        content = ("\n".join(lines) + "\n").encode()
    if compression == "gz":
        # two members behind each other are one content
        content = gzip.compress(content[:100]) + gzip.compress(content[100:])
    elif compression == "zst":
        content = pa.Codec("zstd").compress(content, asbytes=True)
    # the name says nothing: content decides
    path = tmp_path / "mystery"
    path.write_bytes(content)
    if stdin:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    table, reading = load_events(["-" if stdin else path])
    assert table.equals(plain)
    assert reading.inputs[0].container == name
    assert reading.inputs[0].compression == {"": "none", "gz": "gzip", "zst": "zstd"}[compression]


def test_budget_of_rejected_rows() -> None:
    require_within_budget(Ledger(read=100, rejected={"bad_time": 100}))
    with pytest.raises(GraphscanError):
        require_within_budget(Ledger(read=101, rejected={"bad_time": 101}))
    require_within_budget(Ledger(read=100_000, accepted=99_000, rejected={"bad_time": 600, "bad_utf8": 400}))
    with pytest.raises(GraphscanError) as caught:
        require_within_budget(
            Ledger(read=100_000, accepted=98_999, rejected={"bad_time": 601, "bad_utf8": 400})
        )
    assert caught.value.exit_code == 3
    assert "bad_time 601, bad_utf8 400" in caught.value.what


def test_rejects_are_written_in_one_order(tmp_path: Path) -> None:
    rejects = [
        Reject("b.csv", 2, "", "bad_utf8", "m", "é" * 300),
        Reject("a.csv", 10, "timestamp", "bad_time", "m", "x"),
        Reject("a.csv", 9, "", "bad_utf8", "m", "x"),
    ]
    first, second = tmp_path / "1", tmp_path / "2"
    assert write_rejects(first, rejects) == 3
    write_rejects(second, rejects[::-1])
    assert first.read_bytes() == second.read_bytes()
    lines = [json.loads(line) for line in first.read_text("utf-8").splitlines()]
    assert [(line["file"], line["line"]) for line in lines] == [("a.csv", 9), ("a.csv", 10), ("b.csv", 2)]
    assert set(lines[0]) == {"file", "line", "column", "reason", "message", "excerpt"}
    assert len(lines[2]["excerpt"]) == 200


def test_rejects_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(GraphscanError) as caught:
        write_rejects(tmp_path / "no" / "rejects.ndjson", [])
    assert caught.value.exit_code == 73


def long_window(content: bytes) -> bytes:
    """A Zstandard frame that asks for a window of 2 GiB and holds its content as it is (RFC 8878)."""
    header = len(content) << 3 | 1
    return bytes.fromhex("28b52ffd00a8") + header.to_bytes(3, "little") + content


@pytest.mark.parametrize("installed", [True, False])
def test_zst_with_a_long_window(tmp_path: Path, installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (HEADER + "".join(row(i) for i in range(20))).encode()
    path = tmp_path / "events.csv.zst"
    if not installed:
        monkeypatch.setitem(sys.modules, "zstandard", None)
        path.write_bytes(long_window(content))
        error, _ = failure([path])
        assert error.exit_code == 3
        assert "zstandard" in error.what
        return
    path.write_bytes(long_window(content[:500]) + long_window(content[500:]))
    table, reading = load_events([path])
    assert table.num_rows == 20
    assert reading.inputs[0].compression == "zstd"
    path.write_bytes((long_window(content[:500]) + long_window(content[500:]))[:-9])
    error, reading = failure([path])
    assert error.exit_code == 3
    assert reading.ledger.read == content[:-9].count(b"\n") - 1


@pytest.mark.parametrize("magic", [b"PK\x03\x04", b"BZh91AY", b"\xfd7zXZ\x00", b"SQLite format 3\x00"])
def test_files_that_are_no_text(tmp_path: Path, magic: bytes) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(magic + bytes(range(256)))
    error, _ = failure([path])
    assert error.exit_code == 2
    assert "Unpack" in error.mend


def test_a_row_of_any_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row without end is no row: memory stays bounded."""
    monkeypatch.setattr("graphscan.events.delimited.MAX_RECORD_BYTES", 100_000)
    error, _ = failure([csv_file(tmp_path, row(1), row(2, "x" * 300_000))], block_bytes=1000)
    assert error.exit_code == 3
    assert error.where.endswith(":3")
    error, _ = failure([csv_file(tmp_path, row(1), row(2, '"' + "x" * 300_000), row(3))], block_bytes=1000)
    assert "never closed" in error.what
    assert error.where.endswith(":3")


def test_hopeless_input_ends_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphscan.events.reading.HOPELESS_REJECTS", 200)
    path = csv_file(tmp_path, *[row(i).replace("repost", "wave") for i in range(5000)])
    error, reading = failure([path], block_bytes=1000)
    assert error.exit_code == 3
    assert 200 < reading.ledger.read < 5000
