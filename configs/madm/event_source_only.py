# What event.py is measured against: the same student, trained on labelled Cityscapes alone for as many iterations.
# A stock EncoderDecoder, trained and validated by stock loops.

_base_ = './event.py'

pair = _base_.train_dataloader.dataset
model = dict(
    _delete_=True, **_base_.model.segmentor, data_preprocessor=_base_.model.data_preprocessor.source)
train_dataloader = dict(dataset=dict(
    _delete_=True, type='KeyedDataset', dataset=pair.source, rare_class_sampling=pair.rare_class_sampling))
val_cfg = dict(_delete_=True, type='ValLoop')
custom_hooks = []
