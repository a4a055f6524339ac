# What every training shares that is neither model, data nor schedule.

default_scope = 'mmdass'  # our names and MMSeg's, both without a prefix

env_cfg = dict(
    cudnn_benchmark=False,  # as released; True is faster for one fixed crop size, and not repeatable
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),  # data workers are the parallelism
    dist_cfg=dict(
        backend='nccl',  # tools/ use gloo where there is no CUDA
        timeout=1800),  # seconds that a process waits for the others, before it takes one for dead
)
randomness = dict(seed=42)  # every draw is keyed by it

vis_backends = [dict(type='LocalVisBackend')]  # add TensorboardVisBackend or WandbVisBackend here
visualizer = dict(type='DomainVisualizer', vis_backends=vis_backends)

log_level = 'INFO'
log_processor = dict(by_epoch=False)
load_from = None  # begin with these weights; --resume takes what the work dir has since
resume = False

# Named hooks, so that a config of yours changes one entry and keeps the others.
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='SafeCheckpointHook', by_epoch=False, interval=1000,  # deletes an old one after the new one is whole
        # The released code keeps 1. If the disk damages the newest one later, --resume takes the other.
        max_keep_ckpts=2),  # no save_best: test data chose nothing; with a validation split: save_best='teacher/mIoU'
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),  # a window at test time: tools/test.py --show
    randomness=dict(type='KeyedRandomnessHook'),
    finite_loss=dict(type='FiniteLossHook'),
    compatibility=dict(type='CheckpointCompatibilityHook'),
    exact_resume=dict(type='ExactResumeHook'),
    preemption=dict(type='PreemptionHook'),  # SIGTERM, SIGUSR1: save, exit code 75
    class_count=dict(type='ClassCountHook'),
    report=dict(type='ReportHook'),  # report.html in the work dir, when the training ends
)

tta_model = dict(type='SegTTAModel')  # tools/test.py --tta
