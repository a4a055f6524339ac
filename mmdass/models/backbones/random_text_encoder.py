"""A text encoder for Stable Diffusion models that start from random weights, which diffusers wants to see whole."""

import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

_LETTERS = [chr(code) for code in range(128)]
_WORDS = [*_LETTERS, *(f'{letter}</w>' for letter in _LETTERS), '<|startoftext|>', '<|endoftext|>']


def random_text_encoder(channels: int) -> tuple[CLIPTokenizer, CLIPTextModel]:
    """A tokenizer of single letters, and a CLIP text encoder with random weights, the same each time.

    Args:
        channels: Channels of its output, a multiple of four.
    """
    tokenizer = CLIPTokenizer(vocab={word: i for i, word in enumerate(_WORDS)}, merges=[], model_max_length=77)
    config = CLIPTextConfig(
        vocab_size=len(_WORDS), hidden_size=channels, intermediate_size=2 * channels, num_hidden_layers=1,
        num_attention_heads=4, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return tokenizer, CLIPTextModel(config).eval()
