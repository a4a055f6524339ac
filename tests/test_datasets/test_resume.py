"""A resumed training continues with the very samples that an uninterrupted one would have seen."""

import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from trees import noise, write_png

SEEN = []


class Recorder(BaseModel):
    """Notes the sums of the inputs that it is given."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, data_samples=None, mode='loss'):
        SEEN.append([int(image.sum()) for domain in ('source', 'target') for image in inputs[domain]])
        return dict(loss=self.weight)


class Unpack(torch.nn.Module):
    def forward(self, data, training=False):
        return {key: {domain: data[domain][key] for domain in data} for key in ('inputs', 'data_samples')}


def train(folder, work_dir, max_iters, resume=False):
    def images(name):
        return dict(type='mmdass.ModalityDataset', data_root=str(folder), images=f'{name}/*.png', label_space='madm11',
                    pipeline=[dict(type='mmdass.LoadModalityImage'), dict(type='RandomCrop', crop_size=(8, 8)),
                              dict(type='PackSegInputs')])
    model = Recorder()
    model.data_preprocessor = Unpack()
    SEEN.clear()
    Runner(
        model, work_dir=str(folder / work_dir), default_scope='mmseg', randomness=dict(seed=4), resume=resume,
        experiment_name=f'{folder.name}_{work_dir}_{max_iters}', log_level='WARNING',
        train_dataloader=dict(
            batch_size=2, num_workers=2, sampler=dict(type='mmdass.KeyedSampler'),
            dataset=dict(type='mmdass.DomainPairDataset', source=images('a'), target=images('b'))),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=3, by_epoch=False))).train()
    return list(SEEN)


def test_resumed_run_sees_the_same_samples(tmp_path):
    for index in range(5):
        write_png(tmp_path / f'a/{index}.png', noise(12, 16, seed=index))
        write_png(tmp_path / f'b/{index}.png', noise(12, 16, seed=index + 9))
    whole = train(tmp_path, 'whole', max_iters=6)
    first = train(tmp_path, 'halves', max_iters=3)
    rest = train(tmp_path, 'halves', max_iters=6, resume=True)
    assert len(whole) == 6 and first + rest == whole
