# What the methods on the toy world start from: the same network, trained on labelled RGB alone.
_base_ = './toy_daformer.py'

source = _base_.train_dataloader.dataset.source
model = dict(_delete_=True, **_base_.model.segmentor, data_preprocessor=_base_.model.data_preprocessor.source)
train_dataloader = dict(dataset=dict(_delete_=True, type='KeyedDataset', dataset=source))
val_cfg = dict(_delete_=True, type='ValLoop')
custom_hooks = []
