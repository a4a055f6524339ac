from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmdass.registry import DATASETS

CONFIGS = Path(__file__).parents[2] / 'configs/_base_/datasets'


@pytest.mark.parametrize('modality', ['event', 'depth', 'infrared'])
def test_toy_pairs_and_test_samples(modality):
    init_default_scope('mmdass')
    cfg = Config.fromfile(CONFIGS / f'toy_{modality}.py')
    batch = next(iter(Runner.build_dataloader(dict(cfg.train_dataloader, num_workers=0, persistent_workers=False), 0)))
    for domain in ('source', 'target'):
        assert [image.shape for image in batch[domain]['inputs']] == [(3, 128, 128)] * 2
    assert batch['source']['data_samples'][0].gt_sem_seg.shape == (128, 128)
    assert 'gt_sem_seg' not in batch['target']['data_samples'][0]
    blue, green, _ = batch['target']['inputs'][0]
    assert torch.equal(blue, green)  # the target is grey

    test = DATASETS.build(cfg.test_dataloader.dataset)
    assert len(test) == 50 and test[0]['data_samples'].gt_sem_seg.shape == (128, 256)
    assert f'/{modality}/' in test[0]['data_samples'].img_path
