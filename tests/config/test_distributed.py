"""What `training.distributed` refuses, in words."""

from pathlib import Path

import pytest

from instructglm.config.loading import load_experiment
from instructglm.core.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("{strategy: deepspeed}", "DeepSpeed is not offered; fsdp parts weights, gradients and optimizer"),
        ("{strategy: fsdp, processes: 1}", "strategy is fsdp, which parts a model among processes, and there is one"),
        ("{processes: 0}", "found 0; expected at least 1"),
        ("{nproc_per_node: 2}", "unknown key; here it is called training.distributed.processes"),
        ("{nodes: 2, node_rank: 2}", "node_rank is 2, and the last of 2 nodes is 1"),
        ("{nodes: 2, rendezvous: alpha}", 'rendezvous is "alpha"; expected HOST:PORT of node 0'),
        ("{strategy: fsdp}", "tuning.method is prefix, whose weights lie outside of the layers that are parted"),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, settings: str, told: str) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text("name: a\ndata: {sources: [{path: rows.jsonl}]}\ntuning: {method: prefix}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_experiment(file, [f"training.distributed={settings}"])
    assert told in str(raised.value)
