# MIC on DAFormer, Cityscapes -> ACDC: DAFormer, and the student learns masked images too.
_base_ = './daformer_cityscapes_to_acdc.py'

model = dict(
    terms=dict(masked=dict(
        type='MaskedConsistency',
        mask=dict(type='BlockMask', block_size=32, ratio=0.7),  # 64 at full resolution; images are at half of it
        domains='both', augmented=False,  # MIC's choice for this target: half of the batch is source, without jitter
        loss_weight=1.0)))
