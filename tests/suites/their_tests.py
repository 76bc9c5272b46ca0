"""transformers' own test suites, fetched with the release that is installed; none of them is kept in this repository.

The source distribution holds `ModelTesterMixin` and `ConfigTester`, but only the test files at the top of its
`tests` folder. What those import from its subfolders is replaced by the stand-ins below; `GenerationTesterMixin`
is then empty. Its laws are in `tests/models/chatglm/test_generation.py`. With a git checkout of the same release
both suites run in full:

    INSTRUCTGLM_TRANSFORMERS_TESTS=path/to/transformers/tests pytest tests/suites
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import transformers

from instructglm.core.cache import cache_folder
from instructglm.core.files import staged_folder

PACKAGE = "transformers_tests"
CHECKOUT = "INSTRUCTGLM_TRANSFORMERS_TESTS"

# What the source distribution lacks and its test files import. The configuration's common fields are compared
# with themselves after a round trip, so any value that is not the default serves.
_STAND_INS: dict[str, dict[str, Any]] = {
    "exporters.test_export": {"ExportTesterMixin": type("ExportTesterMixin", (), {})},
    "generation.test_utils": {"GenerationTesterMixin": type("GenerationTesterMixin", (), {})},
    "utils.test_configuration_utils": {
        "config_common_kwargs": {
            "return_dict": False,
            "output_hidden_states": True,
            "dtype": "float16",
            "chunk_size_feed_forward": 5,
            "architectures": ["AnyModel"],
            "id2label": {0: "no"},
            "label2id": {"no": 0},
            "problem_type": "regression",
        }
    },
}


def is_whole() -> bool:
    """Whether the suites come from a checkout, which lacks nothing."""
    return bool(os.environ.get(CHECKOUT))


def load(module: str) -> ModuleType:
    """A module of transformers' `tests` folder, such as `test_modeling_common`."""
    if PACKAGE not in sys.modules:
        _register(_checkout() if is_whole() else _fetched())
    return importlib.import_module(f"{PACKAGE}.{module}")


def _register(folder: Path) -> None:
    """Make the folder importable under a name of its own: `tests` is ours."""
    package = ModuleType(PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[PACKAGE] = package
    for name, content in _STAND_INS.items():
        if not folder.joinpath(*name.split(".")).with_suffix(".py").exists():
            _stand_in(name, content)
    if is_whole():  # some of these files name each other as `tests.exporters...`
        for name in ("exporters", "exporters.test_export"):
            sys.modules[f"tests.{name}"] = importlib.import_module(f"{PACKAGE}.{name}")


def _stand_in(name: str, content: dict[str, Any]) -> None:
    for depth, part in enumerate(parts := name.split("."), start=1):
        path = ".".join([PACKAGE, *parts[:depth]])
        module = sys.modules.setdefault(path, ModuleType(part))
        module.__path__ = []
    vars(module).update(content)


def _checkout() -> Path:
    folder = Path(os.environ[CHECKOUT]).expanduser()
    if not (folder / "test_modeling_common.py").exists():
        pytest.fail(f"{CHECKOUT} is {folder}, where no test_modeling_common.py is; name the checkout's `tests` folder")
    return folder


def _fetched() -> Path:
    """The `tests` folder of the source distribution; asked of the package index once and then kept in our cache."""
    folder = cache_folder() / "tests" / f"transformers-{transformers.__version__}"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory() as place:
            archive = _download(Path(place))
            with staged_folder(folder) as staged:
                _unpack_tests(archive, staged)
    return folder


def _download(place: Path) -> Path:
    """The source distribution. Where it cannot be had, the tests are skipped; where everything must run, they fail."""
    wanted = f"transformers=={transformers.__version__}"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    source_only = ["--no-deps", "--no-binary", "transformers", "--dest", str(place)]
    done = subprocess.run([*pip, *source_only, wanted], capture_output=True, text=True, check=False)
    archives = list(place.glob("transformers-*.tar.gz"))
    if not archives:
        _absent(f"pip cannot fetch the source distribution of {wanted}: {done.stderr.strip()[-500:]}")
    return archives[0]


def _absent(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


def _unpack_tests(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = Path(member.name).parts
            if len(parts) == 3 and parts[1] == "tests" and member.isfile() and (file := tar.extractfile(member)):
                (folder / parts[2]).write_bytes(file.read())
    (folder / "__init__.py").touch()  # one of them looks for it
