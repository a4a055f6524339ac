# DAFormer, Cityscapes RGB -> DSEC events, 11 classes.
# Nobody published this pairing: the values are those of GTA5 -> Cityscapes, the images' sizes and crops those of MADM.
_base_ = [
    '../_base_/datasets/cityscapes_to_dsec_event.py',  # with rare-class sampling
    '../_base_/models/daformer.py',
    '../_base_/schedules/self_training_40k.py',
    '../_base_/default_runtime.py',
]

model = dict(
    segmentor=dict(decode_head=dict(num_classes=11)),
    terms=dict(feature_distance=dict(
        label_space='madm11', classes=('person', 'car', 'traffic sign'))))  # the things among the 11
