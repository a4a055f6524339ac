# What the methods for Cityscapes -> ACDC start from: their network, trained on labelled Cityscapes alone.
# A stock EncoderDecoder, trained and validated by stock loops.
_base_ = './daformer_cityscapes_to_acdc.py'

source = _base_.train_dataloader.dataset.source
source.pipeline.insert(-1, dict(type='PhotoMetricDistortion'))  # before PackSegInputs

model = dict(_delete_=True, **_base_.model.segmentor, data_preprocessor=_base_.model.data_preprocessor.source)
train_dataloader = dict(dataset=dict(_delete_=True, type='KeyedDataset', dataset=source))
val_cfg = dict(_delete_=True, type='ValLoop')
custom_hooks = []
