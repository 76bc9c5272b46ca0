"""Whatever stands in a file, reading it ends in rows and faults, or in an error that names the file."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from instructglm.config.data import RowSource
from instructglm.core.errors import DataError
from instructglm.data.sources import read_source

SOUND = [
    json.dumps([{"instruction": "说", "output": ["a", "b"]}] * 3, ensure_ascii=False).encode(),
    json.dumps([{"input": "a", "target": "b"}] * 3, indent=1).encode("utf-16"),
    "\n".join([json.dumps({"messages": [{"role": "user", "content": "é"}]})] * 3).encode(),
    'prompt,completion\na,"b, c"\n你好,d\n'.encode(),
    json.dumps({"Definition": "x", "Instances": [{"input": "a", "output": "b"}]}).encode(),
]
pieces = st.sampled_from(
    [b"{", b"}", b"[", b"]", b'"', b",", b"\n", b"\r", b"\\", b"\x00", b"\xff", b"\xe4", b"null", b"1e", b"PAR1"]
)
changes = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 6), pieces | st.binary(max_size=3)), max_size=4)


def mended(content: bytes, edits) -> bytes:
    for where, num_cut, piece in edits:
        at = int(where * len(content))
        content = content[:at] + piece + content[at + num_cut :]
    return content


@settings(max_examples=200, deadline=None)
@given(content=st.one_of(st.binary(max_size=200), st.builds(mended, st.sampled_from(SOUND), changes)))
def test_reading_never_crashes(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("any", numbered=True)
    (folder / "a.json").write_bytes(content)
    try:
        reading = read_source(RowSource(path="a.json"), folder)
    except DataError as refusal:
        faults = refusal.faults
    else:
        places = [*(each.row for each in reading.examples), *(each.row for each in (*reading.faults, *reading.empty))]
        assert reading.files[0].num_rows == len(set(places)) > 0
        faults = places
    assert faults
    assert all(fault.startswith("a.json") for fault in faults)
