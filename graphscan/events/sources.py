"""Where bytes come from: files, standard input, gzip and Zstandard, in blocks and with their digest."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

import pyarrow as pa

from graphscan.errors import EXIT_INPUT, EXIT_USAGE, GraphscanError

GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
PARQUET_MAGIC: Final = b"PAR1"
STDIN: Final = "-"
BLOCK_BYTES: Final = 16 << 20
_STEP_BYTES: Final = 64 << 10
_ARROW_WINDOW_BYTES: Final = 128 << 20


class TruncatedInputError(Exception):
    """The compressed stream ends before its end marker, or is damaged; raised after the last good bytes."""


@dataclass
class Source:
    """One open input.

    Attributes
    ----------
    name
        The input as it was given; ``-`` is standard input.
    compression
        ``"gzip"``, ``"zstd"`` or ``"none"``, found by content.
    stream
        Decompressed bytes.
    head
        The first decompressed bytes, for detection; they stay in ``stream``.
    size_bytes
        Bytes on disk, 0 where unknown.
    """

    name: str
    compression: str
    stream: IO[bytes]
    size_bytes: int
    raw: IO[bytes]
    head: bytes = b""
    _pending: bytes = b""
    _digest: Any = None
    _damage: TruncatedInputError | None = None

    def read(self, n_bytes: int) -> bytes:
        """At most ``n_bytes`` further decompressed bytes; empty at the end.

        Raises
        ------
        TruncatedInputError
            The compressed stream is cut off or damaged.
        """
        if self._pending:
            taken, self._pending = self._pending[:n_bytes], self._pending[n_bytes:]
            return taken
        if self._damage is not None:
            raise self._damage
        if self.compression == "none":
            return self.stream.read(n_bytes)
        # Small steps: what a step that meets the damage had gathered already would be lost with it.
        parts: list[bytes] = []
        left = n_bytes
        try:
            while left > 0:
                part = self._step(min(left, _STEP_BYTES))
                if not part:
                    break
                parts.append(part)
                left -= len(part)
        except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            self._damage = TruncatedInputError(str(error))
            if not parts:
                raise self._damage from error
        return b"".join(parts)

    def _step(self, n_bytes: int) -> bytes:
        if isinstance(self.stream, pa.NativeFile):
            return bytes(self.stream.read(n_bytes))
        return self.stream.read1(n_bytes)  # type: ignore[attr-defined,no-any-return]

    def peek(self, n_bytes: int) -> bytes:
        """The first ``n_bytes`` decompressed bytes, left unread."""
        parts = [self._pending]
        size = len(self._pending)
        self._pending = b""
        try:
            while size < n_bytes:
                part = self.read(n_bytes - size)
                if not part:
                    break
                parts.append(part)
                size += len(part)
        except TruncatedInputError:
            # Met again, and reported, when the data is read in earnest.
            pass
        self.head = self._pending = b"".join(parts)
        return self.head

    def blocks(self, n_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
        """Decompressed bytes in order, about ``n_bytes`` at a time."""
        while block := self.read(n_bytes):
            yield block

    def bytes_done(self) -> int:
        """Bytes of the file consumed so far, for progress."""
        try:
            return self.raw.tell()
        except (OSError, ValueError):
            return 0

    def seekable_file(self) -> IO[bytes]:
        """The decompressed content as a file that can be sought, spooled to disk where it must be."""
        if self.compression == "none" and self.name != STDIN:
            self._pending = b""
            self.raw.seek(0)
            return self.raw
        spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the reading
        for block in self.blocks():
            spool.write(block)
        spool.seek(0)
        return spool

    def close(self) -> None:
        """Close the input."""
        self.stream.close()
        if self.raw is not self.stream and self.name != STDIN:
            self.raw.close()

    def sha256(self) -> str:
        """Hex digest of the bytes as they lie on disk (of the bytes read, for standard input)."""
        if self._digest is not None:
            return str(self._digest.hexdigest())
        with open(self.name, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class _Hashed(io.RawIOBase):
    """Standard input cannot be read twice, so its digest is taken while it passes by."""

    def __init__(self, inner: IO[bytes], digest: Any) -> None:
        self._inner = inner
        self._digest = digest
        self._n_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._inner.read(len(buffer))
        self._digest.update(block)
        buffer[: len(block)] = block
        self._n_bytes += len(block)
        return len(block)

    def tell(self) -> int:
        return self._n_bytes


def _zstd_window(head: bytes) -> int:
    """Window size in bytes that a Zstandard frame asks for (RFC 8878, section 3.1.1.1)."""
    descriptor = head[4] if len(head) > 4 else 0
    if descriptor & 0x20:
        # One segment: the window is the content, whose size stands behind the dictionary id.
        at = 5 + (0, 1, 2, 4)[descriptor & 3]
        n_bytes = (1, 2, 4, 8)[descriptor >> 6]
        return int.from_bytes(head[at : at + n_bytes], "little")
    exponent, mantissa = divmod(head[5] if len(head) > 5 else 0, 8)
    return (1 << (10 + exponent)) * (8 + mantissa) // 8


class _WideZstd(io.RawIOBase):
    """Zstandard with a long window, as large archives are compressed; Arrow's decoder refuses it."""

    def __init__(self, raw: IO[bytes], name: str) -> None:
        try:
            import zstandard
        except ImportError as error:
            raise GraphscanError(
                "The file is compressed with a long window, which needs the package zstandard",
                name,
                "Install it (pip install zstandard), or decompress first: zstd -d --long=31 FILE.",
                EXIT_INPUT,
            ) from error
        self._raw = raw
        self._broken: type[Exception] = zstandard.ZstdError
        self._new = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj
        self._frame = self._new()
        self._ready = b""
        self._open = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            block = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = self._new()
                self._open = False
            block = block or self._raw.read(1 << 20)
            if not block:
                if self._open:
                    raise EOFError("the last frame is cut off")
                return 0
            self._open = True
            try:
                self._ready = self._frame.decompress(block)
            except self._broken as error:
                raise EOFError(str(error)) from error
        n_bytes = min(len(buffer), len(self._ready))
        buffer[:n_bytes] = self._ready[:n_bytes]
        self._ready = self._ready[n_bytes:]
        return n_bytes


def open_source(name: str | os.PathLike[str]) -> Source:
    """Open one input and undo its compression.

    Parameters
    ----------
    name
        A path, or ``-`` for standard input.

    Raises
    ------
    GraphscanError
        Exit code 2 if there is no such file or it may not be read, 3 if it is empty.
    """
    shown = os.fspath(name)
    digest = None
    size = 0
    raw: IO[bytes]
    if shown == STDIN:
        digest = hashlib.sha256()
        raw = io.BufferedReader(_Hashed(sys.stdin.buffer, digest), buffer_size=1 << 20)
    else:
        try:
            raw = open(shown, "rb")  # noqa: SIM115 - closed by Source.close
            size = os.fstat(raw.fileno()).st_size
        except IsADirectoryError as error:
            raise GraphscanError(
                "The input is a folder, not a file", shown, "Name the event files themselves.", EXIT_USAGE
            ) from error
        except OSError as error:
            raise GraphscanError(
                f"Cannot read the input: {error.strerror}",
                shown,
                "Check the path and its permissions.",
                EXIT_USAGE,
            ) from error
    magic = raw.peek(4)[:4] if isinstance(raw, io.BufferedReader) else b""
    if not magic:
        raw.close()
        raise empty_input(shown)
    stream: IO[bytes] = raw
    compression = "none"
    if magic[:2] == GZIP_MAGIC:
        compression = "gzip"
        stream = gzip.GzipFile(fileobj=raw)  # type: ignore[assignment]
    elif magic == ZSTD_MAGIC:
        compression = "zstd"
        if _zstd_window(raw.peek(18)) > _ARROW_WINDOW_BYTES:
            stream = io.BufferedReader(_WideZstd(raw, shown), buffer_size=1 << 20)
        else:
            stream = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
    return Source(
        name=shown, compression=compression, stream=stream, size_bytes=size, raw=raw, _digest=digest
    )


def empty_input(name: str) -> GraphscanError:
    """The error for an input without a single byte of content."""
    return GraphscanError(
        "The input is empty: not even a header",
        name,
        "Check the export that made it; a file of no events needs its header line.",
        EXIT_INPUT,
    )


def truncated_input(name: str, n_rows: int, detail: str) -> GraphscanError:
    """The error for a compressed input that is cut off."""
    return GraphscanError(
        f"The compressed input is truncated or damaged after {n_rows:,} rows ({detail})",
        name,
        "Copy or download the file again; rows after the damage are not known.",
        EXIT_INPUT,
    )
