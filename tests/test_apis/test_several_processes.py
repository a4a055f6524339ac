"""Training on several gloo processes: what one would have learned, and an end in a sentence when a process is lost."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from ranks import errors, run_ranks
from tiny_madm import madm_cfg
from trees import noise, write_png

import mmdass.engine  # noqa: F401
from mmdass.apis.lost_rank import explain_lost_rank
from mmdass.engine.unwrap import unwrap_model
from mmdass.models.utils import ClassMix
from mmdass.utils.compat import prepare_cpu_distributed

BATCH, SIZE, ITERATIONS = 4, (64, 64), 4
GN = dict(type='GN', num_groups=4)
PREPROCESS = dict(type='SegDataPreProcessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True, size=SIZE)
FCN = dict(
    type='EncoderDecoder', data_preprocessor=PREPROCESS,
    backbone=dict(type='ResNetV1c', depth=18, stem_channels=8, base_channels=8, norm_cfg=GN),
    decode_head=dict(type='FCNHead', in_channels=64, in_index=3, channels=8, num_convs=1, concat_input=False,
                     num_classes=9, norm_cfg=GN, dropout_ratio=0, loss_decode=dict(type='CrossEntropyLoss')))


def model(name: str) -> dict:
    """Without what ranks draw apart: mixing, augmentation, dropout and DPLG's timestep. All pseudo-labels count: the
    share of confident ones would be a rank's own."""
    if name == 'SelfTraining':
        labeler = dict(type='ConfidencePseudoLabeler', threshold=0.0)
        cfg = dict(type='SelfTraining', segmentor=FCN, pseudo_labeler=labeler)
    else:
        cfg = madm_cfg('depth')
        cfg.segmentor.decode_head.norm_cfg = GN
        cfg.segmentor.backbone.vae_dtype = 'float64'
        cfg.pseudo_labeler.start_timestep = (60, 60)
    return dict(cfg, mixing=None, augmentation=None)


def config(folder: Path, name: str = 'SelfTraining', timeout: int = 300) -> Config:
    world_size = int(os.environ.get('WORLD_SIZE', 1))
    load = dict(type='LoadModalityImage')
    crop = [dict(type='RandomCrop', crop_size=SIZE), dict(type='PackSegInputs')]
    images = dict(type='ModalityDataset', data_root=str(folder), label_space='madm9')
    return Config(dict(
        default_scope='mmdass', launcher='none' if world_size == 1 else 'pytorch', randomness=dict(seed=2),
        work_dir=str(folder / f'{name}_{world_size}'), experiment_name=f'{folder.name}_{name}_{world_size}',
        env_cfg=dict(dist_cfg=dict(backend='gloo', timeout=timeout)), model=model(name), log_level='WARNING',
        train_dataloader=dict(
            batch_size=BATCH // world_size, num_workers=0, sampler=dict(type='KeyedSampler'),
            dataset=dict(
                type='DomainPairDataset',
                source=dict(images, images='source/*.png', labels=('source', 'label'),
                            pipeline=[load, dict(type='LoadMappedLabel'), *crop]),
                target=dict(images, images='target/*.png', pipeline=[load, *crop]))),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-4, momentum=0.9)),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=ITERATIONS),
        default_hooks=dict(checkpoint=None, finite_loss=dict(type='FiniteLossHook'),
                           randomness=dict(type='KeyedRandomnessHook')),
        custom_hooks=[dict(type='TeacherUpdateHook')]))


def train(folder: Path) -> None:
    """A rank's part: train in float64, where nothing can be put down to rounding; keep weights and losses."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    name = folder.name
    cfg = config(folder.parent, name)
    prepare_cpu_distributed(cfg) if cfg.launcher != 'none' else None
    runner = Runner.from_cfg(cfg)
    start = Start()
    runner.register_hook(start)
    runner.train()
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    torch.save(dict(before=start.weights, weights=_weights(runner), losses=losses),
               folder / f'{cfg.work_dir[-1]}_{get_rank()}.pt')


class Start(Hook):
    """Keeps the weights that a training begins with."""

    def before_train(self, runner):
        self.weights = _weights(runner)


def _weights(runner: Runner) -> torch.Tensor:
    """All weights, the teacher's too, one after the other."""
    return torch.cat([parameter.detach().flatten().clone() for parameter in unwrap_model(runner.model).parameters()])


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    for index in range(5):
        write_png(folder / f'source/{index}.png', noise(72, 80, 3, seed=index))
        write_png(folder / f'target/{index}.png', noise(72, 80, seed=index + 9))
        label = noise(9, 10, high=9, seed=index).repeat(8, 0).repeat(8, 1)
        write_png(folder / f'label/{index}.png', label)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize('name', ['SelfTraining', 'MADM'])
def test_several_processes_learn_what_one_does(data, name):
    folder = data / name
    folder.mkdir()
    for world_size in (1, 2, 4):
        run_ranks('test_several_processes:train', folder, world_size)
    assert not errors(folder)
    expected = torch.load(folder / '1_0.pt', weights_only=False)
    assert len(expected['losses']) == ITERATIONS and expected['weights'].dtype == torch.float64
    moved = (expected['weights'] - expected['before']).norm()
    for world_size in (2, 4):  # MMSeg's mean adds 1e-7 to the number of pixels, a rank's or all: 1e-11 remains
        ranks = [torch.load(folder / f'{world_size}_{rank}.pt', weights_only=False) for rank in range(world_size)]
        np.testing.assert_allclose(np.mean([rank['losses'] for rank in ranks], axis=0), expected['losses'], rtol=1e-10)
        assert all((rank['weights'] - expected['weights']).norm() < 1e-10 * moved for rank in ranks)


def mix_classes(folder: Path) -> None:
    """A rank's part: choose what to paste from its image of :func:`stripes`, with the draws of its row."""
    torch.distributed.init_process_group('gloo')
    for pool in ('batch', 'all_ranks'):
        masks = [ClassMix(pool)(stripes()[get_rank()][None], generator(seed, skip=get_rank())) for seed in range(20)]
        torch.save(masks, folder / f'{pool}_{get_rank()}.pt')


def stripes() -> torch.Tensor:
    """Two labels (2, 1, 6) that share one of their three classes."""
    return torch.tensor([[[1, 1, 2, 2, 3, 3]], [[3, 3, 4, 4, 5, 5]]])


def generator(seed: int, skip: int = 0) -> torch.Generator:
    drawn = torch.Generator().manual_seed(seed)
    torch.rand(skip, 256, generator=drawn)
    return drawn


def test_ranks_choose_from_the_classes_of_all_if_told_to(tmp_path):
    run_ranks('test_several_processes:mix_classes', tmp_path, 2)
    assert not errors(tmp_path)
    together = [ClassMix()(stripes(), generator(seed)) for seed in range(20)]
    for rank in range(2):
        found = {pool: torch.load(tmp_path / f'{pool}_{rank}.pt') for pool in ('batch', 'all_ranks')}
        assert all(torch.equal(mask[0], both[rank]) for mask, both in zip(found['all_ranks'], together, strict=True))
        assert {int(mask.sum()) for mask in found['batch']} == {4} != {int(mask.sum()) for mask in found['all_ranks']}


class Vanish(Hook):
    """Sends rank 1 a signal in its second iteration."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if get_rank() == 1 and runner.iter == 1:
            os.kill(os.getpid(), getattr(signal, Path(runner.work_dir).parent.name))


def train_and_lose_a_rank(folder: Path) -> None:
    torch.set_num_threads(1)
    cfg = config(folder.parent, timeout=4)
    cfg.work_dir = str(folder / 'work')
    prepare_cpu_distributed(cfg)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(Vanish())
    with explain_lost_rank(cfg):
        runner.train()


@pytest.mark.slow
@pytest.mark.parametrize('signal_name', ['SIGKILL', 'SIGSTOP'])
def test_no_rank_waits_for_ever_for_one_that_was_killed_or_hangs(data, signal_name):
    folder = data / signal_name
    folder.mkdir()
    run_ranks('test_several_processes:train_and_lose_a_rank', folder, 2, seconds=120)
    assert list(errors(folder)) == [0]
    message = 'rank 0 of 2: another process of this training ended, or did not answer within 4 s'
    assert errors(folder)[0].startswith(message)


def test_other_errors_and_one_process_pass():
    for error in (RuntimeError('timed out'), ValueError('timed out')):
        with pytest.raises(type(error), match='^timed out$'), explain_lost_rank(Config()):
            raise error
