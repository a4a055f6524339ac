"""MADM and Stable Diffusion at the smallest size that keeps their layout, for the tests of several packages.

The configs are the shipped ones with smaller numbers, so that these tests guard what users train.
"""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from mmengine.config import Config, ConfigDict
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from mmdass.models import MADM
from mmdass.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs/madm'
STAGES = 4
SIZE = dict(  # a third of a million parameters
    unet=dict(
        sample_size=8, cross_attention_dim=8, attention_head_dim=2, block_out_channels=(8, 16, 24, 24),
        norm_num_groups=4),
    vae=dict(
        sample_size=64, block_out_channels=(4, 4, 8, 8), layers_per_block=1, norm_num_groups=4,
        down_block_types=('DownEncoderBlock2D', ) * STAGES, up_block_types=('UpDecoderBlock2D', ) * STAGES))
LEVELS = [3, 8, 16, 24]  # channels of s0 and of the taps


def tiny_backbone(**options) -> dict:
    """Config of a tiny ``StableDiffusionBackbone``."""
    return dict(type='mmdass.StableDiffusionBackbone', random_init=SIZE, noise_size=(8, 8)) | options


def madm_cfg(task: str = 'event') -> ConfigDict:
    """``model`` of a shipped config, made tiny, without dropout and with every pixel confident enough to count."""
    model = Config.fromfile(CONFIGS / f'{task}.py').model
    segmentor = model.segmentor
    segmentor.backbone.update(pretrained=None, revision=None, random_init=SIZE, noise_size=(8, 8))
    segmentor.neck.update(in_channels=LEVELS, out_channels=[8] * 4, channels=8, norm_cfg=dict(type='GN', num_groups=4))
    segmentor.decode_head.update(in_channels=[8] * 4, channels=8, embed_dims=8, dropout_ratio=0.0)
    model.data_preprocessor.source.size = (64, 64)
    model.pseudo_labeler.threshold = 0.0
    return model


def build_armed(cfg: dict, seed: int = 0) -> MADM:
    """A model in training mode with weights of a fixed seed, ready for ``loss``.

    The teacher differs from the student, and nothing starts at zero.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MODELS.build(cfg)
        for name, parameter in model.named_parameters():
            if name.endswith('alpha_cond_time'):
                torch.nn.init.normal_(parameter)
        model.teacher.arm()
        for parameter in model.teacher.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    return model.train()


def make_batch(size: int = 2, classes: int = 9, height: int = 64, width: int = 64) -> tuple[dict, dict]:
    """``inputs`` and ``data_samples`` of a training step: blurred noise, blocky labels with some pixels ignored."""
    generator = torch.Generator().manual_seed(5)

    def images() -> Tensor:
        coarse = torch.rand(size, 3, height // 8, width // 8, generator=generator) * 2 - 1
        return torch.nn.functional.interpolate(coarse, (height, width), mode='bilinear')

    label = torch.randint(0, classes, (size, 1, height // 16, width // 16), generator=generator)
    label = label.repeat_interleave(16, 2).repeat_interleave(16, 3)
    label[:, :, :5] = 255
    source = [sample(f'source/{i}.png', one) for i, one in enumerate(label)]
    target = [sample(f'target/{i}.png') for i in range(size)]
    return dict(source=images(), target=images()), dict(source=source, target=target)


def sample(path: str, label: Tensor | None = None) -> SegDataSample:
    """A data sample of an image file, with its label (1, H, W) if there is one."""
    result = SegDataSample(metainfo=dict(img_path=path))
    if label is not None:
        result.gt_sem_seg = PixelData(data=label)
    return result


def total_loss(losses: dict[str, Tensor]) -> Tensor:
    """What MMEngine's ``parse_losses`` would minimise."""
    return sum(value for name, value in losses.items() if 'loss' in name)


def save_stable_diffusion(folder: Path, **unet_options) -> Path:
    """Write a tiny Stable Diffusion model with random weights of a fixed seed, in diffusers' layout.

    The tokenizer knows single letters only, and pads with its end token as that of Stable Diffusion 1.x does.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        UNet2DConditionModel(**SIZE['unet'] | unet_options).save_pretrained(folder / 'unet')
        AutoencoderKL(**SIZE['vae']).save_pretrained(folder / 'vae')
        text = CLIPTextConfig(
            vocab_size=258, hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
            bos_token_id=256, eos_token_id=257)
        text_encoder = CLIPTextModel(text)
        for parameter in text_encoder.parameters():  # CLIP's own start is so small that a wrong mask would not show
            torch.nn.init.normal_(parameter, std=0.5)
        text_encoder.save_pretrained(folder / 'text_encoder')
    DDPMScheduler(beta_schedule='scaled_linear', beta_start=0.00085, beta_end=0.012).save_pretrained(
        folder / 'scheduler')
    tokenizer = folder / 'tokenizer'
    tokenizer.mkdir()
    special = dict(bos_token='<|startoftext|>', eos_token='<|endoftext|>', unk_token='<|endoftext|>',
                   pad_token='<|endoftext|>')
    letters = [chr(code) for code in range(128)]
    words = [*letters, *(f'{letter}</w>' for letter in letters), special['bos_token'], special['eos_token']]
    (tokenizer / 'vocab.json').write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (tokenizer / 'merges.txt').write_text('#version: 0.2\n')
    (tokenizer / 'tokenizer_config.json').write_text(
        json.dumps(dict(model_max_length=77, tokenizer_class='CLIPTokenizer', **special)))
    (folder / 'model_index.json').write_text('{}')
    return folder


def official_state_dict(model: MADM) -> dict[str, Tensor]:
    """The model's weights under the names of MADM's released code, with what its files hold beside them."""
    extractor = 'backbone.feature_extractor'
    diffusion = f'{extractor}.ldm_extractor'
    weights = {name: value for name, value in model.state_dict().items() if not name.endswith('_extra_state')}
    backbone = 'segmentor.backbone'
    prefixes = {  # ours: theirs; the second modality's are copies
        f'{backbone}.unet.': [f'{diffusion}.unet.'],
        f'{backbone}.noise': [f'{diffusion}.shared_noise'],
        f'{backbone}.empty_prompt': [f'{diffusion}.uncond_inputs'],
        f'{backbone}.conditioning.': [f'{extractor}.clip_project_rgb.', f'{extractor}.clip_project_others.'],
        'segmentor.neck.projections.': ['backbone.feature_projections.'],
        'segmentor.decode_head.': ['sem_seg_head.', 'sem_seg_head_sec_modal.'],
        'teacher.averaged.backbone_conditioning.': [f'{extractor}.ema_clip_project_others.'],
        'teacher.averaged.neck.projections.': ['backbone.ema_feature_projections.'],
        'teacher.averaged.decode_head.': ['ema_sem_seg_head.']}
    official = {}
    for name, value in weights.items():
        ours = next(prefix for prefix in prefixes if name.startswith(prefix))
        rest = name.removeprefix(ours)
        if 'projections' in ours:  # 1.conv2.gn.bias, 1.conv2.conv.weight: one block a level, the norm inside
            level, layer, kind, parameter = rest.split('.')
            rest = f'{level}.0.{layer}.{"norm." if kind == "gn" else ""}{parameter}'
        official.update({theirs + rest: value for theirs in prefixes[ours]})
    official |= {f'{diffusion}.vae.{name}': value for name, value in model.segmentor.backbone.vae.state_dict().items()}
    return official | {f'{diffusion}.text_encoder.embeddings.position_ids': torch.arange(77)}
