# What the methods for Cityscapes RGB -> FMB infrared could reach at best: their network on the target's labels.
_base_ = './daformer_cityscapes_to_infrared.py'

target = _base_.train_dataloader.dataset.target
how_labels_are_read = {  # as in validation
    key: value for key, value in _base_.val_dataloader.dataset.items()
    if key in ('labels', 'raw_labels', 'label_channel', 'class_mapping')}
target.update(how_labels_are_read)
target.pipeline.insert(1, dict(type='LoadMappedLabel'))
target.pipeline.insert(-1, dict(type='PhotoMetricDistortion'))  # before PackSegInputs

model = dict(_delete_=True, **_base_.model.segmentor, data_preprocessor=_base_.model.data_preprocessor.source)
train_dataloader = dict(dataset=dict(_delete_=True, type='KeyedDataset', dataset=target))
val_cfg = dict(_delete_=True, type='ValLoop')
custom_hooks = []
