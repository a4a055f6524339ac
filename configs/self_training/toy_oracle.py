# What the methods on the toy world could reach at best: their network, trained on labelled events.
_base_ = './toy_daformer.py'

target = dict(_base_.train_dataloader.dataset.target, with_label=True)
model = dict(_delete_=True, **_base_.model.segmentor, data_preprocessor=_base_.model.data_preprocessor.source)
train_dataloader = dict(dataset=dict(_delete_=True, type='KeyedDataset', dataset=target))
val_cfg = dict(_delete_=True, type='ValLoop')
custom_hooks = []
