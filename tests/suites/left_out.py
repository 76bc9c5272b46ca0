"""What of transformers' suites is left out, and why: the one list of it."""

from __future__ import annotations

_ACCELERATOR = "needs an accelerator, or several"
_PACKAGE = "needs deepspeed, kernels or optimum-quanto, which are not among our dependencies"
_SLOW = "compiles or loads for long; runs with RUN_SLOW=1"
_FLASH = "flash kernels take no mask, so the context would silently be read one way only: the model refuses them"
_OTHER_KIND = "for models of another kind: of several parts, with an encoder, with experts, of pictures"
_EMBEDDINGS = "embeddings alone do not say where the context ends: the model asks for context_length and mask_position"
_NO_PROMPT = "a ChatGLM has nothing to say without a prompt that ends in [gMASK] <sop>"
_SPECIAL_IDS = "takes the special ids out of the configuration; without them the model cannot find the context"
_ROTARY = "the rotary frequencies are fixed, rounded to float16 as in training: there is no scaling to choose"
_CONVERSION = "weights are saved under the names they have: there is no conversion to reverse"
_PLAN = "there is no tensor-parallel plan"
_PRECISION = "no part of the model has to stay in float32: angles and softmax are computed in it anyway"
_SIGNATURE = "wants output_attentions in forward's signature, where it is one of **kwargs; other tests ask for them"
_DATED = "older releases ask this only of files with a copyright line of 2023 or later"

_GROUPS: dict[str, tuple[str, ...]] = {
    _ACCELERATOR: (
        "test_can_load_with_device_context_manager",
        "test_can_load_with_global_device_set",
        "test_cpu_offload",
        "test_disk_offload_bin",
        "test_disk_offload_safetensors",
        "test_flash_attn_kernels_mps_inference_equivalence",
        "test_flex_attention_with_grads",
        "test_model_parallelism",
        "test_sdpa_can_compile_dynamic",
        "test_sdpa_can_dispatch_on_flash",
    ),
    _PACKAGE: (
        "test_kernels_can_load_without_crashing",
        "test_resize_embeddings_untied_with_deepspeed",
        "test_resize_embeddings_untied_with_deepspeed_multi_gpu",
        "test_resize_tokens_embeddings_with_deepspeed",
        "test_resize_tokens_embeddings_with_deepspeed_multi_gpu",
    ),
    _SLOW: ("test_torch_compile_for_training",),
    _FLASH: (
        "test_flash_attn_2_can_compile_with_attention_mask_None_without_graph_break",
        "test_flash_attn_2_can_dispatch_composite_models",
        "test_flash_attn_2_fp32_ln",
        "test_flash_attn_2_from_config",
        "test_flash_attn_2_inference_equivalence",
        "test_flash_attn_2_inference_equivalence_right_padding",
        "test_flash_attn_3_can_dispatch_composite_models",
        "test_flash_attn_3_from_config",
        "test_flash_attn_3_inference_equivalence",
        "test_flash_attn_3_inference_equivalence_right_padding",
        "test_flash_attn_4_can_dispatch_composite_models",
        "test_flash_attn_4_from_config",
        "test_flash_attn_4_inference_equivalence",
        "test_flash_attn_4_inference_equivalence_right_padding",
        "test_flash_attn_kernels_inference_equivalence",
    ),
    _OTHER_KIND: (
        "test_attn_implementation_composite_models",
        "test_can_set_attention_dynamically_composite_model",
        "test_eager_matches_batched_and_grouped_inference_0_fp16",
        "test_eager_matches_batched_and_grouped_inference_1_fp32",
        "test_eager_matches_batched_and_grouped_inference_2_bf16",
        "test_encoder_decoder_loss_no_double_shift",
        "test_internal_model_config_and_subconfig_are_same",
        "test_moe_models_record_router_logits",
        "test_output_router_logits_from_config",
        "test_resize_position_vector_embeddings",
        "test_sdpa_can_dispatch_composite_models",
        "test_sliding_window_mask",
        "test_vision_axial_rope",
    ),
    _EMBEDDINGS: ("test_inputs_embeds",),
    _SPECIAL_IDS: ("test_model_forward_default_config_values",),
    _ROTARY: (
        "test_model_rope_scaling_frequencies",
        "test_model_rope_scaling_from_config_0_linear",
        "test_model_rope_scaling_from_config_1_dynamic",
        "test_model_rope_scaling_from_config_2_yarn",
        "test_model_rope_with_partial_rotation",
    ),
    _CONVERSION: ("test_can_load_from_already_mapped_keys", "test_reverse_loading_mapping"),
    _SIGNATURE: ("test_eager_matches_sdpa_inference_24_fp32_pad_left_output_attentions",),
    _DATED: ("test_can_init_all_missing_weights",),
    _PRECISION: ("test_keep_in_fp32_modules", "test_keep_in_fp32_modules_exist"),
    _PLAN: ("test_tied_head_has_a_tp_plan_entry", "test_tp_plan_matches_params"),
}

# Those of `GenerationTesterMixin`, which only a checkout holds.
_GENERATION: dict[str, tuple[str, ...]] = {
    _ACCELERATOR: (
        "test_eager_matches_fa2_generate",
        "test_eager_matches_fa3_generate",
        "test_eager_matches_fa4_generate",
        "test_flash_attention_2_continue_generate_with_position_ids",
        "test_flash_attention_2_padding_matches_padding_free_with_position_ids",
        "test_flash_attention_2_padding_matches_padding_free_with_position_ids_and_fa_kwargs",
        "test_flash_attention_3_padding_matches_padding_free_with_position_ids",
        "test_flash_attention_3_padding_matches_padding_free_with_position_ids_and_fa_kwargs",
        "test_flash_attention_4_padding_matches_padding_free_with_position_ids",
        "test_flash_attention_4_padding_matches_padding_free_with_position_ids_and_fa_kwargs",
        "test_model_parallel_beam_search",
    ),
    _PACKAGE: ("test_generate_with_quant_cache",),
    _SLOW: ("test_eager_matches_sdpa_generate",),
    _OTHER_KIND: ("test_generate_with_mtp", "test_recurrent_layers_mask_padding_on_continued_forward"),
    _EMBEDDINGS: (
        "test_generate_continue_from_inputs_embeds",
        "test_generate_from_inputs_embeds_with_static_cache",
    ),
    _NO_PROMPT: ("test_generate_without_input_ids",),
}

LEFT_OUT = {name: reason for groups in (_GROUPS, _GENERATION) for reason, names in groups.items() for name in names}
ONLY_IN_CHECKOUTS = frozenset(name for names in _GENERATION.values() for name in names)
MAY_PASS = frozenset({_ACCELERATOR, _PACKAGE, _SLOW, _DATED})
