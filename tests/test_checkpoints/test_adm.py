"""The verb `convert --from adm` against a guided-diffusion U-Net written for this test from its documented layout."""

import math

import pytest
import torch
from diffusers import DDPMPipeline, UNet2DModel
from torch import nn
from torch.nn import functional as F

from mmdass.checkpoints import adm
from mmdass.checkpoints.convert import main
from mmdass.models import Denoiser
from mmdass.models.translators import denoiser_sizes
from mmdass.models.translators.denoiser_sizes import DENOISER_SIZES

HEAD = 16


def norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels)


class ResBlock(nn.Module):
    """Scale-shift norm, and resampling of both branches behind the first activation."""

    def __init__(self, channels: int, out: int, embedding: int, resample=None) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(norm(channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * out))
        self.out_layers = nn.Sequential(norm(out), nn.SiLU(), nn.Dropout(0), nn.Conv2d(out, out, 3, padding=1))
        self.skip_connection = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)
        self.resample = resample or (lambda x: x)

    def forward(self, x, embedding):
        h = self.in_layers[2](self.resample(self.in_layers[:2](x)))
        scale, shift = self.emb_layers(embedding)[:, :, None, None].chunk(2, dim=1)
        return self.skip_connection(self.resample(x)) + self.out_layers[1:](self.out_layers[0](h) * (1 + scale) + shift)


class AttentionBlock(nn.Module):
    """The legacy order: a head's queries, keys and values, then the next head's."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm, self.qkv = norm(channels), nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x, embedding):
        tokens = x.flatten(2)
        heads = self.qkv(self.norm(tokens)).unflatten(1, (-1, 3 * HEAD)).transpose(2, 3)
        attended = F.scaled_dot_product_attention(*heads.split(HEAD, dim=-1))
        return x + self.proj_out(attended.transpose(2, 3).flatten(1, 2)).view_as(x)


class Entry(nn.Conv2d):
    def forward(self, x, embedding):
        return super().forward(x)


def double(x):
    return F.interpolate(x, scale_factor=2, mode='nearest')


class ReferenceUNet(nn.Module):

    def __init__(self, base: int, channels: tuple[int, ...], layers: int, attention: set[int]) -> None:
        super().__init__()
        self.base, embedding, last = base, 4 * base, len(channels) - 1
        self.time_embed = nn.Sequential(nn.Linear(base, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        width, skips = channels[0], [channels[0]]
        blocks = [[Entry(3, width, 3, padding=1)]]
        for level, out in enumerate(channels):
            for _ in range(layers):
                blocks.append([ResBlock(width, out, embedding), *([AttentionBlock(out)] if level in attention else [])])
                width = out
                skips.append(width)
            if level < last:
                blocks.append([ResBlock(width, width, embedding, lambda x: F.avg_pool2d(x, 2))])
                skips.append(width)
        self.input_blocks = nn.ModuleList(map(nn.ModuleList, blocks))
        self.middle_block = nn.ModuleList(
            [ResBlock(width, width, embedding), AttentionBlock(width), ResBlock(width, width, embedding)])
        blocks = []
        for level, out in reversed(list(enumerate(channels))):
            for layer in range(layers + 1):
                block = [ResBlock(width + skips.pop(), out, embedding)]
                block += [AttentionBlock(out)] if level in attention else []
                block += [ResBlock(out, out, embedding, double)] if level and layer == layers else []
                blocks.append(block)
                width = out
        self.output_blocks = nn.ModuleList(map(nn.ModuleList, blocks))
        self.out = nn.Sequential(norm(width), nn.SiLU(), nn.Conv2d(width, 6, 3, padding=1))

    def forward(self, x, timesteps):
        frequencies = torch.exp(-math.log(10000) * torch.arange(self.base // 2) / (self.base // 2))
        angles = timesteps[:, None].float() * frequencies
        embedding = self.time_embed(torch.cat([angles.cos(), angles.sin()], dim=1).to(x.dtype))
        skips = []
        for block in self.input_blocks:
            for layer in block:
                x = layer(x, embedding)
            skips.append(x)
        for layer in self.middle_block:
            x = layer(x, embedding)
        for block in self.output_blocks:
            x = torch.cat([x, skips.pop()], dim=1)
            for layer in block:
                x = layer(x, embedding)
        return self.out(x)


# The size that stands in, and (base, channels, layers, attention) of its small sibling.
SMALL = {
    'adm256': (32, (32, 64, 64), 2, {1, 2}),
    'adm512': (256, (128, 64), 1, {1}),
    'adm_lite': (32, (32, 32, 64), 1, {1}),
}


@pytest.fixture(params=SMALL)
def size(request, monkeypatch) -> str:
    for name, (base, channels, layers, attention) in SMALL.items():
        small = denoiser_sizes._adm(channels, attention, layers, sample_size=16)
        kept = {key: value for key, value in DENOISER_SIZES[name].items() if key.startswith(('time_', 'num_train'))}
        kept.update({'time_embedding_dim': 4 * base} if kept else {})
        monkeypatch.setitem(DENOISER_SIZES, name, {**small, 'attention_head_dim': HEAD, **kept})
    return request.param


@pytest.fixture
def reference(size) -> ReferenceUNet:
    torch.manual_seed(0)
    return ReferenceUNet(*SMALL[size]).eval()


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 500, 999])


def convert(state_dict: dict, folder) -> int:
    torch.save(state_dict, folder / 'adm.pt')
    return main(['--from', 'adm', str(folder / 'adm.pt'), str(folder / 'adm')])


@torch.no_grad()
def test_the_denoiser_equals_the_reference(reference, inputs, tmp_path, capsys):
    assert convert(reference.state_dict(), tmp_path) == 0
    assert f'{len(reference.state_dict())} keys used\n0 keys unused\n0 keys missing' in capsys.readouterr().out
    x, timesteps = inputs
    expected = reference(x, timesteps)
    noise, variance_logits = Denoiser(pretrained=str(tmp_path / 'adm')).eval().predict(x, timesteps)
    error = (torch.cat([noise, variance_logits], 1) - expected).norm() / expected.norm()
    assert error < 1e-5


@torch.no_grad()
def test_without_the_permutation_it_does_not(reference, inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(adm, '_split_qkv', lambda value, head_dim: [part.squeeze(-1) for part in value.chunk(3)]
                        if value.ndim == 3 else value.chunk(3))
    assert convert(reference.state_dict(), tmp_path) == 0
    x, timesteps = inputs
    expected = reference(x, timesteps)
    output = UNet2DModel.from_pretrained(tmp_path / 'adm', subfolder='unet').eval()(x, timesteps).sample
    assert (output - expected).norm() / expected.norm() > 1e-3


def test_the_folder_is_a_pipeline_of_diffusers(reference, tmp_path):
    assert convert(reference.state_dict(), tmp_path) == 0
    pipeline = DDPMPipeline.from_pretrained(tmp_path / 'adm')
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline(num_inference_steps=2, output_type='np').images[0]
    assert image.shape == (16, 16, 3)
    assert pipeline.scheduler.config.variance_type == 'learned_range'


@pytest.mark.parametrize('size', ['adm256'], indirect=True)
def test_names_what_it_does_not_use_and_refuses_what_it_cannot(reference, tmp_path, capsys):
    weights = reference.state_dict()
    assert convert({**weights, 'label_emb.weight': torch.zeros(10, 128)}, tmp_path) == 0
    assert '1 keys unused\n  label_emb.weight' in capsys.readouterr().out

    assert convert(weights, tmp_path) == 1
    assert 'exists already' in capsys.readouterr().err

    (tmp_path / 'new').mkdir()
    assert convert({name: value for name, value in weights.items() if name != 'out.2.bias'}, tmp_path / 'new') == 1
    assert 'nearest to adm256, of which 1 keys are missing\n  out.2.bias' in capsys.readouterr().err
    assert convert({**weights, 'out.2.bias': torch.zeros(3)}, tmp_path / 'new') == 1
    assert 'conv_out.bias' in capsys.readouterr().err
    assert convert({'backbone.weight': torch.zeros(3)}, tmp_path / 'new') == 1
    assert 'adm.pt is no adm checkpoint: it has no input_blocks.0.0.weight' in capsys.readouterr().err
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['adm.pt']


@pytest.mark.parametrize('size', adm._SIZES)
def test_full_sizes_have_the_official_layout(size):
    """Names and shapes of the real sizes, on the meta device."""
    base, channels, layers, attention = {
        'adm256': (256, (256, 256, 512, 512, 1024, 1024), 2, {3, 4, 5}),
        'adm512': (256, (128, 256, 256, 512, 512, 1024, 1024), 2, {4, 5, 6}),
        'adm_lite': (128, (128, 128, 256, 256, 512, 512), 1, {4}),
    }[size]
    with torch.device('meta'):
        reference = ReferenceUNet(base, channels, layers, attention)
    report = adm.convert({k: torch.zeros(1).expand(v.shape) for k, v in reference.state_dict().items()})
    assert not report.unused and not report.missing
    count = sum(parameter.numel() for parameter in reference.parameters())
    assert round(count / 1e6, 1) == dict(adm256=552.8, adm512=558.0, adm_lite=93.6)[size]
