# MIC on the toy world: what mic_*.py adds to daformer_*.py, at 128 x 128.
_base_ = './toy_daformer.py'

model = dict(
    terms=dict(masked=dict(type='MaskedConsistency', mask=dict(type='BlockMask', block_size=16, ratio=0.7))))
