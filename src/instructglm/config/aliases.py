"""What other frameworks call our keys, so that an experiment carried over is told the right name."""

from __future__ import annotations

_OURS_TO_OTHERS = {
    "model.name_or_path": (
        "model_name_or_path", "model_name", "model_id", "model_path", "base_model", "pretrained_model_name_or_path",
        "checkpoint_dir",
    ),
    "model.dtype": ("torch_dtype", "precision", "bf16", "fp16"),
    "data.sources": ("dataset", "datasets", "dataset_path", "dataset_dir", "train_file", "train_data", "data_path"),
    "data.max_length": (
        "cutoff_len", "max_seq_length", "max_seq_len", "max_source_length", "model_max_length", "sequence_len",
        "block_size", "seq_len",
    ),
    "data.split.validation": ("val_size", "val_set_size", "validation_split", "val_split_fraction"),
    "data.split.test": ("test_size", "test_split"),
    "data.sources[0].limit.train": ("max_samples", "max_train_samples"),
    "tuning.method": ("finetuning_type", "adapter", "peft_type"),
    "tuning.rank": ("lora_rank", "lora_r", "r"),
    "tuning.alpha": ("lora_alpha",),
    "tuning.dropout": ("lora_dropout",),
    "tuning.targets": ("lora_target", "lora_target_modules", "target_modules", "lora_modules"),
    "tuning.use_rslora": ("rslora", "use_rs_lora"),
    "tuning.use_dora": ("dora",),
    "tuning.loraplus_lr_ratio": ("lora_plus_ratio",),
    "tuning.num_layers": ("freeze_trainable_layers", "num_layer_trainable"),
    "tuning.num_virtual_tokens": ("pre_seq_len", "prefix_length"),
    "training.optimizer": ("optim",),
    "training.optim_args": ("optimizer_kwargs", "optimizer_args"),
    "training.torch_compile": ("compile",),
    "training.learning_rate": ("lr", "max_lr"),
    "training.lr_scheduler_type": ("lr_scheduler", "scheduler"),
    "training.num_train_epochs": ("epochs", "num_epochs", "max_epochs", "n_epochs"),
    "training.max_steps": ("max_train_steps", "iters", "total_steps"),
    "training.micro_batch_size": ("per_device_train_batch_size", "device_batch_size"),
    "training.max_grad_norm": ("gradient_clip_val", "clip_grad_norm", "grad_clip"),
    "training.eval_steps": ("eval_interval", "eval_iters", "eval_strategy", "evaluation_strategy"),
    "training.save_total_limit": ("max_checkpoints", "keep_last_n_checkpoints"),
    "training.save_steps": ("save_interval", "save_strategy"),
    "training.logging_steps": ("log_every_n_steps", "log_interval"),
    "training.report_to": ("logger", "loggers", "log_with", "use_wandb", "use_tensorboard"),
    "training.early_stopping.metric": ("metric_for_best_model",),
    "training.early_stopping.patience": ("early_stopping_patience",),
    "training.distributed.processes": ("nproc_per_node", "num_processes", "num_gpus", "n_gpus"),
    "training.distributed.nodes": ("nnodes", "num_nodes", "num_machines"),
    "training.distributed.node_rank": ("machine_rank",),
    "training.distributed.rendezvous": ("rdzv_endpoint", "main_process_ip"),
    "evaluation.batch_size": ("per_device_eval_batch_size", "eval_batch_size"),
    "evaluation.max_new_tokens": ("max_gen_toks", "max_tokens"),
}  # fmt: skip

_FEW_BITS = "write model: {quantization_config: {load_in_4bit: true}}"
_IN_WORDS = {
    "load_in_4bit": _FEW_BITS,
    "load_in_8bit": f"layers of 8 bits compute in float16, which does not train well; {_FEW_BITS}",
    "quantization_bit": _FEW_BITS,
    "quantization": _FEW_BITS,
    "gradient_accumulation_steps": "here it follows from training.batch_size (prompts per optimizer step) and "
    "training.micro_batch_size (sequences per forward pass), or tokens_per_batch and tokens_per_micro_batch",
    "output_dir": "the folder is given on the command line: --out DIR",
    "out_dir": "the folder is given on the command line: --out DIR",
    "lora": "write tuning: {method: lora, rank: ..., alpha: ...}",
    "fsdp": "write training: {distributed: {strategy: fsdp}}",
    "deepspeed": "write training: {distributed: {strategy: fsdp}}, which parts what its ZeRO stage 3 parts",
    "do_train": "the command says what to do: instructglm train, evaluate or run",
    "do_eval": "the command says what to do: instructglm train, evaluate or run",
    "trust_remote_code": "code that comes with a model is never run",
}

_NO_FLOAT16 = "float16 trains only with its losses scaled, and is not offered; bfloat16 costs the same and needs none"
_NO_DEEPSPEED = "DeepSpeed is not offered; fsdp parts weights, gradients and optimizer as its ZeRO stage 3 does"
_VALUES_IN_WORDS = {
    **{("dtype", other): _NO_FLOAT16 for other in ("float16", "fp16", "half", "f16")},
    **{("strategy", other): _NO_DEEPSPEED for other in ("deepspeed", "zero", "zero2", "zero3")},
    ("optimizer", "adamw_torch"): "here it is called adamw",
    ("optimizer", "adamw_torch_fused"): "here it is called adamw",
    ("optimizer", "adamw_bnb_8bit"): "here it is called adamw_8bit",
    ("lr_scheduler_type", "reduce_lr_on_plateau"): "it would follow the validation loss, which early stopping does",
}

_BY_NAME = {other: ours for ours, others in _OURS_TO_OTHERS.items() for other in others}


def advice(key: str) -> str | None:
    """What to write instead of another framework's `key`, if it is one.

    >>> advice("lora_rank")
    'here it is called tuning.rank'
    """
    if key in _IN_WORDS:
        return _IN_WORDS[key]
    return f"here it is called {_BY_NAME[key]}" if key in _BY_NAME else None


def reason(key: str, value: str) -> str | None:
    """Why `value`, which is common elsewhere, cannot be had for `key`.

    >>> reason("dtype", "float32")
    """
    return _VALUES_IN_WORDS.get((key, value))
