# Data parallel: every process holds the whole model, gradients are averaged after the backward pass. For all trainings;
# the same as tools/dist_train.sh without it. FlexibleRunner needs one GPU a process: not tested, none was at hand.
#   _base_ = ['../madm/event.py', '../_base_/strategies/ddp.py']

runner_type = 'FlexibleRunner'
strategy = dict(
    type='DDPStrategy',
    model_wrapper=dict(type='MMDistributedDataParallel', broadcast_buffers=False, find_unused_parameters=False))
