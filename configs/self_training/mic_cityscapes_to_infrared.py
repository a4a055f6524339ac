# MIC on DAFormer, Cityscapes RGB -> FMB infrared: DAFormer, and the student learns masked images too.
_base_ = './daformer_cityscapes_to_infrared.py'

model = dict(
    terms=dict(masked=dict(
        type='MaskedConsistency',
        mask=dict(type='BlockMask', block_size=32, ratio=0.7),  # 64 at full resolution; images are at half of it
        loss_weight=1.0)))
