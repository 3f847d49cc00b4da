"""transformers' `config.json`: which settings change the model, and which do not matter."""

from collections.abc import Collection, Mapping
from typing import Any

from corolla.weights.hints import (
    CheckpointHints,
    Turning,
    base_in,
    check,
    epsilon_in,
    number_of_heads,
    pixels,
    refused,
    unknown,
    whole,
)

LIBRARY = "transformers"
EPSILON = {
    "vit": 1e-12,
    "deit": 1e-12,
    "vit_msn": 1e-6,
    "vit_mae": 1e-12,
    "dinov2": 1e-6,
    "dinov2_with_registers": 1e-6,
    "dinov3_vit": 1e-5,
}
HEADS = {"dinov3_vit": 6}  # the default; 12 in the others
ONLY: dict[str, Collection[Any]] = {
    "model_type": tuple(EPSILON),
    "hidden_act": ("gelu", "gelu_python"),  # two names of the same function
    "qkv_bias": (True, False),
    "num_channels": (3,),
    "pruned_heads": ({},),
    "problem_type": ("single_label_classification",),
    "auto_map": (),  # refers to custom code
    "quantization_config": (),
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
}
IN_SHAPES = {
    "hidden_size", "num_hidden_layers", "intermediate_size", "patch_size", "mlp_ratio", "num_register_tokens",
    "num_labels", "use_swiglu_ffn",
}  # fmt: skip
READ = {"num_attention_heads", "layer_norm_eps", "image_size", "img_size", "architectures", "head_dim"}
OF_NO_MATTER = {  # for inference with a trained classifier
    # training and initialization
    "initializer_range", "hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate", "layerscale_value",
    "encoder_stride", "use_mask_token", "mask_ratio", "norm_pix_loss", "decoder_hidden_size",
    "decoder_num_hidden_layers", "decoder_num_attention_heads", "decoder_intermediate_size",
    # the pooler, which no head reads, and a backbone's feature maps
    "pooler_act", "pooler_output_size", "apply_layernorm", "reshape_hidden_states", "out_features", "out_indices",
    "stage_names",
    # names, types, versions
    "id2label", "label2id", "label_names", "finetuning_task", "torch_dtype", "dtype", "transformers_version",
    "torchscript", "use_bfloat16", "tf_legacy_loss", "attn_implementation", "license", "tags",
    # the format of the outputs
    "return_dict", "output_attentions", "output_hidden_states", "use_return_dict", "output_scores",
    "return_dict_in_generate", "chunk_size_feed_forward",
    # text generation, once part of every configuration
    "is_encoder_decoder", "cross_attention_hidden_size", "tie_encoder_decoder", "tie_word_embeddings", "max_length",
    "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty", "temperature",
    "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "forced_bos_token_id",
    "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens",
    "begin_suppress_tokens", "tokenizer_class", "prefix", "bos_token_id", "pad_token_id", "eos_token_id",
    "sep_token_id", "decoder_start_token_id", "task_specific_params", "use_cache", "output_past",
}  # fmt: skip
DINOV3 = {  # its own: rope_theta is read, the tensors' names show the biases and the gate, the rest is for training
    "rope_theta", "query_bias", "key_bias", "value_bias", "proj_bias", "mlp_bias", "use_gated_mlp", "attention_dropout",
    "pos_embed_shift", "pos_embed_jitter", "pos_embed_rescale", "return_class_token",
}  # fmt: skip
SILU = ("silu", "swish")  # two names of the same function
NAMES = {"num_hidden_layers": "depth", "hidden_size": "embed_dim", "patch_size": "patch_size"}


def is_transformers(settings: Mapping[str, Any]) -> bool:
    """Whether a `config.json` is from transformers."""
    return "model_type" in settings or "architectures" in settings


def told_by_transformers(settings: Mapping[str, Any]) -> CheckpointHints:
    """transformers' settings; ValueError with the name of an unsupported or unknown one."""
    kind = settings.get("model_type", "")
    dinov3 = kind == "dinov3_vit"
    gated = settings.get("use_gated_mlp" if dinov3 else "use_swiglu_ffn") is True
    check({key: value for key, value in settings.items() if key != "hidden_act" or not gated}, ONLY, LIBRARY)
    act = settings.get("hidden_act") or "gelu"
    if dinov3 and gated and act not in SILU:  # DINOv2's gate always has a SiLU, whatever hidden_act is
        raise refused("hidden_act", act, '"silu" in an MLP with a gate', LIBRARY)
    known = ONLY.keys() | IN_SHAPES | READ | OF_NO_MATTER | (DINOV3 if dinov3 else set())
    for key in sorted(settings.keys() - known):
        if settings[key] is not None and not key.startswith("_"):  # private keys
            raise unknown(key, settings[key], LIBRARY)
    shapes = whole(settings, NAMES)
    heads = number_of_heads(settings, "num_attention_heads") or HEADS.get(kind, 12)
    each = settings.get("head_dim")
    if each is not None and "embed_dim" in shapes and each * heads != shapes["embed_dim"]:
        raise refused("head_dim", each, f"{shapes['embed_dim']} / {heads} heads", LIBRARY)
    sizes = (pixels(settings.get(key)) for key in ("image_size", "img_size"))
    named = settings.get("architectures")
    return CheckpointHints(
        num_heads=heads,
        epsilon=epsilon_in(settings) or EPSILON.get(kind),
        activation="swiglu" if gated else "gelu",
        image_sizes=tuple(size for size in sizes if size is not None),
        class_position=True,
        turning=Turning("centered", base_in(settings, "rope_theta", 100.0)) if dinov3 else None,
        without_biases=settings.get("qkv_bias") is False,
        idle_pooler=isinstance(named, list) and any("ForImageClassification" in str(name) for name in named),
        shapes=shapes,
    )
