# DACS, GTA5 -> Cityscapes: DAFormer's network without what its paper adds to the training.
_base_ = './daformer_gta_to_cityscapes.py'

model = dict(
    teacher=dict(alpha=0.99),
    pseudo_labeler=dict(ignore_top=0, ignore_bottom=0),
    terms=dict(feature_distance=None))
train_dataloader = dict(dataset=dict(rare_class_sampling=None))
