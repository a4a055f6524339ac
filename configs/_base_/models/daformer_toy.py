# DAFormer with the same parts at a size that trains on two CPU cores, from random weights. For the toy world.
_base_ = './daformer.py'

model = dict(
    # [-1, 1]: the statistics of ImageNet are of no use to random weights
    data_preprocessor=dict(source=dict(mean=[127.5] * 3, std=[127.5] * 3, size=(128, 128))),
    segmentor=dict(
        backbone=dict(init_cfg=None, embed_dims=16, num_layers=[1, 1, 1, 1]),
        decode_head=dict(in_channels=[16, 32, 80, 128], channels=32, embed_dims=32, num_classes=11)),
    terms=dict(feature_distance=dict(  # here of what random weights see
        label_space='madm11', classes=('person', 'car', 'traffic sign'))))

custom_hooks = [
    dict(type='TeacherUpdateHook'),
    dict(type='DomainVisualizationHook', interval=100),
]
