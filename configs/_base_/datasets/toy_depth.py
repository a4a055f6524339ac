# Toy RGB (labelled) to toy depth images (unlabelled), 11 classes.
_base_ = './toy_source.py'

train_dataloader = dict(dataset=dict(target=dict(modality='depth')))
val_dataloader = dict(dataset=dict(modality='depth'))
test_dataloader = val_dataloader
