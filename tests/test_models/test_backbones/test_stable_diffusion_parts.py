import shutil

import pytest
import torch
from tiny_madm import make_batch, save_stable_diffusion
from transformers import CLIPTextModel

from mmdass.models.backbones.stable_diffusion_parts import load_parts, load_vae, random_parts, weights_hash
from mmdass.registry import MODELS


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A Stable Diffusion 1.x folder. Tests that change it work on a copy."""
    return save_stable_diffusion(tmp_path_factory.mktemp('stable-diffusion'))


@pytest.fixture
def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / 'copy')


def test_reads_weights_and_schedule(folder):
    parts = load_parts(str(folder))
    assert parts.scheduler.config.beta_schedule == 'scaled_linear'
    backbone = MODELS.build(dict(type='StableDiffusionBackbone', pretrained=str(folder), noise_size=(8, 8)))
    assert torch.equal(backbone.unet.conv_in.weight, parts.unet.conv_in.weight)
    assert torch.equal(backbone.vae.decoder.conv_in.weight, parts.vae.decoder.conv_in.weight)
    assert torch.equal(backbone.empty_prompt, parts.empty_prompt)
    assert len(backbone(make_batch()[0]['source'])) == 4


def test_empty_prompt_attends_to_the_padding(folder):
    """BOS, then the end token 76 times, no attention mask, the last hidden state after the final norm."""
    text_encoder = CLIPTextModel.from_pretrained(folder, subfolder='text_encoder')
    tokens = torch.tensor([[256] + [257] * 76])
    with torch.no_grad():
        expected = text_encoder(tokens).last_hidden_state
        masked = text_encoder(tokens, attention_mask=torch.tensor([[1, 1] + [0] * 75])).last_hidden_state
    prompt = load_parts(str(folder)).empty_prompt
    torch.testing.assert_close(prompt, expected)
    assert (prompt - masked).abs().max() > 0.1  # the mask would be noticed
    assert not prompt.requires_grad


def test_stable_diffusion_2(tmp_path):
    folder = save_stable_diffusion(tmp_path, use_linear_projection=True, attention_head_dim=(1, 2, 2, 2))
    backbone = MODELS.build(dict(type='StableDiffusionBackbone', pretrained=str(folder), noise_size=(8, 8)))
    assert isinstance(backbone.unet.up_blocks[1].attentions[0].proj_in, torch.nn.Linear)
    assert [feature.shape[2:] for feature in backbone(make_batch()[0]['source'])] == [(64, 64), (8, 8), (4, 4), (2, 2)]


@pytest.mark.parametrize('part', ['unet', 'vae', 'text_encoder', 'tokenizer', 'scheduler'])
def test_a_missing_part_is_named(copied, part):
    shutil.rmtree(copied / part)
    with pytest.raises(FileNotFoundError, match=f'{copied}.* {part} missing.*single-file .ckpt'):
        load_parts(str(copied))


@pytest.mark.parametrize('part', ['unet', 'vae', 'text_encoder', 'tokenizer', 'scheduler'])
def test_an_empty_part_is_refused(copied, part):
    for file in (copied / part).iterdir():
        file.unlink()
    with pytest.raises(FileNotFoundError, match=str(copied)):
        load_parts(str(copied))


def test_a_truncated_file_is_refused(copied):
    file = copied / 'unet/diffusion_pytorch_model.safetensors'
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(FileNotFoundError, match=f'cannot read the Stable Diffusion model .*{copied}'):
        load_parts(str(copied))


@pytest.mark.parametrize('name', ['/absent/folder', './absent', 'absent', 'weights/sd/v1-4'])
def test_a_missing_folder_is_not_looked_for_on_the_hub(name):
    with pytest.raises(FileNotFoundError, match=f'{name}.*does not exist. Set `pretrained` to a folder'):
        load_parts(name)
    with pytest.raises(FileNotFoundError, match=f'{name}.*does not exist. Set `vae` to a folder'):
        load_vae(name)


def test_a_hub_id_that_cannot_be_reached(monkeypatch, tmp_path):
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    with pytest.raises(FileNotFoundError, match=r"(?s)cannot read .* 'nobody/nothing'.*local folder"):
        load_parts('nobody/nothing', revision='0' * 40)


def test_hash_agrees_between_precisions_and_tells_weights_apart():
    state = random_parts('tiny').vae.state_dict()
    half = {name: value.half() for name, value in state.items()}
    assert weights_hash(state) == weights_hash(half)
    half['post_quant_conv.bias'] = half['post_quant_conv.bias'] + 0.01
    assert weights_hash(state) != weights_hash(half)
