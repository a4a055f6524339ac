"""A Runner around one-convolution segmentors, small enough to train in a test."""

import itertools
from collections.abc import Callable

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseDataPreprocessor
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor, nn

CLASSES = ('road', 'sky', 'car')
PALETTE = [[128, 64, 128], [70, 130, 180], [0, 0, 142]]
SIZE = (8, 16)
_run_numbers = itertools.count()


class TinyDataset(torch.utils.data.Dataset):
    """Noise images with the column's third as label; pairs of source and target where wanted."""

    metainfo = dict(classes=CLASSES, palette=PALETTE)

    def __init__(self, paired: bool = False, length: int = 4) -> None:
        self.paired, self.length = paired, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        if not self.paired:
            return self._item(index, 'val')
        return {domain: self._item(index, domain) for domain in ('source', 'target')}

    @staticmethod
    def _item(index: int, domain: str) -> dict:
        generator = torch.Generator().manual_seed(index)
        inputs = torch.randint(0, 256, (3, *SIZE), generator=generator, dtype=torch.uint8)
        label = (torch.arange(SIZE[1]) * 3 // SIZE[1]).expand(1, *SIZE).clone()
        sample = SegDataSample(metainfo=dict(img_path=f'{domain}/{index}.png', img_shape=SIZE, ori_shape=SIZE))
        sample.gt_sem_seg = PixelData(data=label)
        return dict(inputs=inputs, data_samples=sample)


class TinyPreprocessor(BaseDataPreprocessor):
    """Stacks images to (N, 3, H, W) in [-1, 1], of each branch where the batch has branches."""

    def forward(self, data: dict, training: bool = False) -> dict:
        data = self.cast_data(data)
        parts = data if 'source' in data else {'plain': data}
        inputs = {key: torch.stack(part['inputs']).flip(1) / 127.5 - 1 for key, part in parts.items()}
        samples = {key: part['data_samples'] for key, part in parts.items()}
        if 'source' in data:
            return dict(inputs=inputs, data_samples=samples)
        return dict(inputs=inputs['plain'], data_samples=samples['plain'])


class TinySegmentor(BaseSegmentor):
    """One convolution with dropout."""

    def __init__(self) -> None:
        super().__init__(data_preprocessor=TinyPreprocessor())
        self.conv = nn.Conv2d(3, len(CLASSES), 1)
        self.align_corners = False
        self.draws: list[Tensor] = []

    def extract_feat(self, inputs: Tensor) -> Tensor:
        return inputs

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        return self.conv(inputs)

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> Tensor:
        return self.conv(inputs)

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        self.draws.append(torch.rand(3))
        return {'decode.loss_ce': self._cross_entropy(inputs, data_samples)}

    def predict(self, inputs: Tensor, data_samples: list | None = None) -> list[SegDataSample]:
        return self.postprocess_result(self.conv(inputs), data_samples)

    def _cross_entropy(self, inputs: Tensor, data_samples: list) -> Tensor:
        labels = torch.cat([sample.gt_sem_seg.data for sample in data_samples])
        return nn.functional.cross_entropy(self.conv(inputs), labels)


class TinyTeacher(nn.Module):
    """Counts its updates."""

    def __init__(self) -> None:
        super().__init__()
        self.steps, self.armed = 0, False

    def arm(self, begins: bool = False) -> None:
        self.armed = True
        self.steps = 0 if begins else self.steps

    def update(self) -> None:
        self.steps += 1


class TinyUDASegmentor(TinySegmentor):
    """The attributes of a ``UDASegmentor`` that the engine uses; its teacher predicts the last class everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.teacher = TinyTeacher()
        self.seed, self.predict_role = None, 'student'
        self.panels_wanted, self.panels = False, {}
        self.dtypes: list[torch.dtype] = []

    def loss(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> dict[str, Tensor]:
        self.draws.append(torch.rand(3))
        self.dtypes.append(self.conv(inputs['source']).dtype)
        if self.panels_wanted:
            self.panels = {
                'source/image': inputs['source'],
                'source/label': torch.cat([sample.gt_sem_seg.data for sample in data_samples['source']]),
                'target/confidence': torch.full((len(inputs['target']), *SIZE), 0.5),
                'target/pseudo_label': torch.tensor([255, 2, 2, 0]).repeat(SIZE[1] // 4).expand(1, *SIZE),
            }
        loss = self._cross_entropy(inputs['source'], data_samples['source'])
        return {
            'source.decode.loss_ce': loss,
            'mix.decode.loss_ce': 0.5 * loss,
            'pseudo/confident': torch.tensor(0.81),
            'pseudo/timestep': torch.tensor(40.0),
        }

    def predict(self, inputs: Tensor, data_samples: list | None = None) -> list[SegDataSample]:
        logits = self.conv(inputs)
        if self.predict_role == 'teacher':
            logits = torch.zeros_like(logits)
            logits[:, -1] = 1
        return self.postprocess_result(logits, data_samples)


class ClassShare(BaseMetric):
    """Percent of pixels predicted as each class, under mIoU's names."""

    def process(self, data_batch: dict, data_samples: list[dict]) -> None:
        for sample in data_samples:
            predicted = sample['pred_sem_seg']['data']
            self.results.append([100 * (predicted == i).float().mean().item() for i in range(len(CLASSES))])

    def compute_metrics(self, results: list) -> dict[str, float]:
        shares = torch.tensor(results).mean(0).tolist()
        classes = self.dataset_meta['classes']
        return {'mIoU': shares[-1], **{f'IoU.{name}': share for name, share in zip(classes, shares, strict=True)}}


@pytest.fixture
def segmentor() -> TinySegmentor:
    return TinySegmentor()


@pytest.fixture
def uda_segmentor() -> TinyUDASegmentor:
    return TinyUDASegmentor()


@pytest.fixture
def make_runner(tmp_path) -> Callable[..., Runner]:
    """Function ``(model, max_iters=4, hooks=(), **runner_options) -> Runner`` with one sample a batch."""
    import mmdass.engine  # noqa: F401

    def make(model: nn.Module, max_iters: int = 4, hooks: tuple = (), checkpoint: dict | None = None, **options):
        train_set = TinyDataset(paired=isinstance(model, TinyUDASegmentor))
        checkpoint = checkpoint or dict(interval=-1, save_last=False)
        loader = dict(batch_size=1, num_workers=0)
        defaults = dict(
            work_dir=str(tmp_path / 'run'),
            default_scope='mmdass',
            experiment_name=f'tiny{next(_run_numbers)}',
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters),
            train_dataloader=dict(dataset=train_set, sampler=dict(type='InfiniteSampler', shuffle=False), **loader),
            val_cfg=dict(type='ValLoop'),
            val_dataloader=dict(dataset=TinyDataset(), sampler=dict(type='DefaultSampler', shuffle=False), **loader),
            val_evaluator=Evaluator(ClassShare()),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            default_hooks=dict(
                logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False),
                checkpoint={'type': 'CheckpointHook', 'by_epoch': False, **checkpoint},
            ),
            custom_hooks=list(hooks),
            log_processor=dict(by_epoch=False),
            visualizer=dict(type='DomainVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
            randomness=dict(seed=7),
        )
        return Runner(model=model, **(defaults | options))

    return make


@pytest.fixture
def count_steps() -> Callable[[OptimWrapper], list]:
    """Function that returns a list which grows by one with each real step of an optimizer wrapper."""

    def count(optim_wrapper: OptimWrapper) -> list:
        steps = []
        optim_wrapper.optimizer.register_step_post_hook(lambda *_: steps.append(1))
        return steps

    return count
