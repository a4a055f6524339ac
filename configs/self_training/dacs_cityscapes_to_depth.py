# DACS, Cityscapes RGB -> DELIVER depth: DAFormer's network without what its paper adds to the training.
_base_ = './daformer_cityscapes_to_depth.py'

model = dict(
    teacher=dict(alpha=0.99),
    terms=dict(feature_distance=None))
train_dataloader = dict(dataset=dict(rare_class_sampling=None))
