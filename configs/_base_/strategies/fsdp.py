# Fully sharded: weights, gradients and optimizer states are divided among the processes. For trainings without a
# teacher, whose weights would be cut elsewhere than the student's. Needs GPUs: not tested, none was at hand.
#   _base_ = ['../sgg_ptl/latent_lora.py', '../_base_/strategies/fsdp.py']
#   default_hooks = dict(finite_loss=None)  # a process would see the NaN of its own shard, and the others would step

runner_type = 'FlexibleRunner'
strategy = dict(
    type='FSDPStrategy',
    state_dict_cfg='full',  # checkpoints are whole files, as elsewhere
    model_wrapper=dict(
        type='MMFullyShardedDataParallel',
        use_orig_params=True,  # frozen and trained weights in one unit
        auto_wrap_policy=dict(type='torch.distributed.fsdp.wrap.size_based_auto_wrap_policy', min_num_params=10**7)))
