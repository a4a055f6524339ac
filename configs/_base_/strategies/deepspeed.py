# DeepSpeed's ZeRO-2: gradients and optimizer states are divided among the processes, weights are not. For trainings
# without a teacher: DeepSpeed's optimizer tells nobody that it has stepped. `pip install deepspeed`; needs GPUs: not
# tested, none was at hand.
#   _base_ = ['../self_training/source_only_gta_to_cityscapes.py', '../_base_/strategies/deepspeed.py']
#   optim_wrapper = dict(_delete_=True, type='DeepSpeedOptimWrapper', optimizer=_base_.optim_wrapper.optimizer)
#   default_hooks = dict(finite_loss=None)  # it looks at gradients where a torch optimizer steps

runner_type = 'FlexibleRunner'
strategy = dict(
    type='DeepSpeedStrategy',
    bf16=dict(enabled=True),
    zero_optimization=dict(stage=2, overlap_comm=True))
