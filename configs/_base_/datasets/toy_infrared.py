# Toy RGB (labelled) to toy infrared images (unlabelled), 11 classes.
_base_ = './toy_source.py'

train_dataloader = dict(dataset=dict(target=dict(modality='infrared')))
val_dataloader = dict(dataset=dict(modality='infrared'))
test_dataloader = val_dataloader
