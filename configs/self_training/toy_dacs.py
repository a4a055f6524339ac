# DACS on the toy world: what dacs_*.py takes away from daformer_*.py.
_base_ = './toy_daformer.py'

model = dict(
    teacher=dict(alpha=0.99),
    terms=dict(feature_distance=None))
