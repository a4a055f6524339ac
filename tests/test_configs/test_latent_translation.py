"""The latent variant from end to end: fit to infrared, translate with labels, and train MADM on the result."""

from pathlib import Path

import pytest
import torch
from diffusers import DDPMScheduler
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from test_shipped import ROOT, shrink
from tiny_madm import SIZE
from tiny_translator import make_segmentor

from mmdass.apis import translate_dataset
from mmdass.apis.translate_command import build_translator
from mmdass.registry import DATASETS, MODELS
from mmdass.utils.config import load_config

MADM = """
_base_ = '{root}/configs/madm/toy_infrared.py'
train_dataloader = dict(dataset=dict(source=dict(
    _delete_=True, type='ModalityDataset', data_root='{folder}', images='images.txt', labels=('^image/', 'label/'),
    label_space='madm11', pipeline=[
        dict(type='LoadModalityImage'), dict(type='LoadMappedLabel'), dict(type='RandomCrop', crop_size=(64, 64)),
        dict(type='PackSegInputs')])))
"""


def fit(folder: Path) -> Path:
    """Train the toy denoiser for two iterations."""
    cfg = shrink(load_config(ROOT / 'configs/sgg_ptl/latent_lora_toy.py'), folder)
    cfg.train_cfg.max_iters = 2
    Runner.from_cfg(cfg).train()
    return folder / 'denoiser'


def translate(denoiser: Path, folder: Path) -> Path:
    """Translate two toy images in two steps, the last guided by the scene."""
    cfg = load_config(ROOT / 'configs/sgg_ptl/latent_translate_toy.py', dict(denoiser=str(denoiser)))
    init_default_scope('mmdass')
    cfg.translator.num_steps = 2
    translator = MODELS.build(cfg.translator)
    translator.guide_with(make_segmentor(classes=11))
    source = DATASETS.build(dict(cfg.source_dataset, num_images=2, size=(128, 64)))
    translate_dataset(translator, source, folder, config_hash='0', batch_size=2)
    return folder


def test_translated_images_are_a_source_of_madm(tmp_path):
    translated = translate(fit(tmp_path / 'lora'), tmp_path / 'as_infrared')
    assert (translated / 'manifest.jsonl').read_text().count('"gsg"') == 2  # both were guided
    path = tmp_path / 'madm.py'
    path.write_text(MADM.format(root=ROOT, folder=translated))
    runner = Runner.from_cfg(shrink(load_config(path), tmp_path / 'madm'))
    runner.train()
    assert runner.iter == 1
    source = runner.train_dataloader.dataset[0]['source']['data_samples']
    assert source.img_path.startswith(str(translated)) and source.gt_sem_seg.data.max() <= 255


def test_the_verb_takes_an_adapters_folder(tmp_path):
    init_default_scope('mmdass')
    latent = dict(type='LatentDenoiser', random_init=SIZE)
    MODELS.build(dict(latent, lora=dict(rank=3))).export(tmp_path / 'adapter')
    cfg = ConfigDict(translator=dict(type='DiffusionTranslator', denoiser=dict(latent, lora='elsewhere')))
    assert build_translator(cfg, str(tmp_path / 'adapter')).denoiser.unet.peft_config['default'].r == 3


@pytest.mark.parametrize('config', ['latent_translate', 'latent_translate_toy'])
def test_stages_leave_of_an_image_what_the_papers_do(config):
    cfg = load_config(ROOT / f'configs/sgg_ptl/{config}.py')
    latent, pixels = (DDPMScheduler(**schedule).alphas_cumprod for schedule in (cfg.translator.denoiser.scheduler, {}))
    ours = torch.tensor(cfg.train_cfg.stages)
    papers = torch.tensor([200, 400, 600])[-len(ours):]
    torch.testing.assert_close(latent[ours - 1].logit(), pixels[papers - 1].logit(), rtol=0, atol=0.01)
    assert cfg.translator.start == cfg.train_cfg.stages[-1]
