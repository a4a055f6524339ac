# Toy RGB (labelled) to toy event images (unlabelled), 11 classes.
_base_ = './toy_source.py'

train_dataloader = dict(dataset=dict(target=dict(modality='event')))
val_dataloader = dict(dataset=dict(modality='event'))
test_dataloader = val_dataloader
