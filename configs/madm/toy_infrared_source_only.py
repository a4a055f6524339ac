# What toy_infrared.py is measured against: the same student, trained on the labelled RGB alone for as many iterations.
# A stock EncoderDecoder, trained and validated by stock loops.

_base_ = './toy_infrared.py'

model = dict(
    _delete_=True,
    **_base_.model.segmentor,
    data_preprocessor=_base_.model.data_preprocessor.source)
train_dataloader = dict(
    dataset=dict(_delete_=True, type='KeyedDataset', dataset=_base_.train_dataloader.dataset.source))
val_cfg = dict(_delete_=True, type='ValLoop')
custom_hooks = []
