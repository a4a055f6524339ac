"""Data of a resumed run; tests/test_configs/test_exact_resume.py compares whole runs."""

from mmengine.config import Config
from mmengine.runner import Runner

from mmdass.datasets import KeyedDataset


def test_no_data_is_replayed(tiny_config, monkeypatch):
    read, read_item = [], KeyedDataset.__getitem__
    monkeypatch.setattr(
        KeyedDataset, '__getitem__', lambda self, counter: (read.append(counter), read_item(self, counter))[1])
    loader = tiny_config.train_dataloader
    data = dict(type='KeyedDataset', dataset=loader.dataset.to_dict())
    loader.sampler, loader.dataset = dict(type='KeyedSampler'), data

    def train(cfg: Config, max_iters: int, **options) -> list[int]:
        read.clear()
        cfg.merge_from_dict({'train_cfg.max_iters': max_iters, 'experiment_name': f'{cfg.experiment_name}+', **options})
        Runner.from_cfg(cfg).train()
        return list(read)

    assert train(tiny_config, 3) == [0, 1, 2, 3, 4, 5]
    assert train(tiny_config, 5, resume=True) == [6, 7, 8, 9]
