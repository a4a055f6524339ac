"""Progressive translation learning (PTL): translation and segmentation take turns, from the source to the target."""

import copy
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmengine.dataset import Compose
from mmengine.device import get_device
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import IterTimerHook
from mmengine.model import BaseModule
from mmengine.runner import BaseLoop, Runner
from mmengine.utils import is_list_of
from torch import Tensor, nn

from mmdass.apis import TranslationError, read_manifest, recipe_hash, translate_dataset, translation_recipe
from mmdass.apis.translate_command import require_weights
from mmdass.apis.translation_manifest import FailedImagesError
from mmdass.apis.translation_report import contact_sheet, translated_dataset, write_picture
from mmdass.checkpoints import load_checkpoint_file
from mmdass.datasets import KeyedDataset, KeyedMixture
from mmdass.engine.hooks.exact_resume_hook import is_validated, note_validation
from mmdass.engine.unwrap import unwrap_model
from mmdass.registry import DATASETS, LOOPS, MODELS
from mmdass.report import format_table, scores_of_entry
from mmdass.utils.random import keyed_globals

from .ptl_data import choose_images, held_out_score, require_rest, split_held_out
from .ptl_phases import Phase, plan_phases, resolve_stages


@LOOPS.register_module()
class ProgressiveTranslationLoop(BaseLoop):
    """Trains the Runner's segmentor g from source to target look ("Diffusion-based Image Translation with Label
    Guidance", PTL).

    The phases: g_0 is trained on the source. Stage s = 1, 2, ... translates the source with n_s diffusion steps guided
    by g_{s-1}, always from the original images, and fine-tunes g on the result to g_s. Last, a fresh network is
    trained on the images of the last stage. Each phase ends with a validation, logged as ``<phase>/mIoU``, and with
    ``WORK_DIR/<phase>.pth``; images go to ``WORK_DIR/stage_<s>``, with a contact sheet.

    ``runner.iter`` counts through all phases, ``runner.max_iters`` is the end of the present one: there a
    ``CheckpointHook`` saves and the logged ETA ends. Each phase has an optimizer and schedules of its own; a scheduler
    without ``end`` lasts for the phase. The config needs ``translator`` and ``source_dataset`` at its top level.
    The translator's noise is of the run's seed, unless it has one of its own. An image that cannot be translated is
    left out of its stage, and logged. A resumed run continues at its checkpoint, and within a translation with the
    first missing image.

    Args:
        runner: The Runner.
        dataloader: Config of the source's loader; its data set must be keyed (``KeyedDataset``).
        source_iters: Iterations on the source; 0 for a g_0 given as ``load_from``.
        stage_iters: Iterations of fine-tuning a stage.
        final_iters: Iterations of the final network; 0 for none.
        translated_pipeline: Transforms for training on translated images.
        stages: Strictly increasing forward steps n_s, or arguments of :func:`snr_spaced_stages`.
        replay: Shares, in fine-tuning, of the stage's images, of those of the stage before, and of the source. (The
            first stage has the source before it.) The paper's text names the stage's own only; (0.7, 0.2, 0.1) forgets
            less.
        stage_lr_factor: Constant learning rate of fine-tuning, as a part of the optimizer's.
        images_per_stage: Images that stages but the last translate; None for all.
        rare_class_sampling: How these are drawn: arguments of rare-class sampling (see ``KeyedDataset``), or None for
            uniformly.
        guard: None, or dict(num_images=200, tolerance=0.5): a g_s whose mIoU on that many held-out images of its stage
            is lower than that of g_{s-1} by more than the tolerance is given up for g_{s-1}.
        robustness: None, or dict(noise=0.5, region=0.25): shares of g's training images with forward noise of up to
            the next stage's n, and cut down to one class region; see :class:`ForwardNoise`, :class:`KeepOneRegion`.
        translate_batch_size: Images translated at a time.
        val_interval: Iterations between validations within a phase; None for none.

    Raises:
        KeyError: The config has no ``translator`` or no ``source_dataset``.
        ValueError: ``stages`` do not increase strictly or exceed the denoiser's chain, ``source_dataset`` has other
            classes than the loader's data set, the denoiser has no weights, the guard would leave nothing to train on,
            a share of ``replay`` is missing or negative, there is no ``translated_pipeline``, ``guard`` or
            ``robustness`` has an unknown entry, or a ``CheckpointHook`` has ``save_best``.
        FileExistsError: The work dir holds another run's phases.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: dict,
        source_iters: int,
        stage_iters: int,
        final_iters: int,
        translated_pipeline: Sequence[dict],
        stages: Sequence[int] | Mapping = (100, 200, 300, 400, 500, 600),
        replay: tuple[float, float, float] = (1.0, 0.0, 0.0),
        stage_lr_factor: float = 0.25,
        images_per_stage: int | None = None,
        rare_class_sampling: dict | None = None,
        guard: dict | None = None,
        robustness: dict | None = None,
        translate_batch_size: int = 1,
        val_interval: int | None = None,
    ) -> None:
        for key in ('translator', 'source_dataset'):
            if key not in runner.cfg:
                raise KeyError(f'ProgressiveTranslationLoop: the config has no top-level `{key}`; see '
                               'configs/sgg_ptl/toy.py.')
        super().__init__(runner, dataloader)
        # Built once in vain: what is wrong with it shall show now, not after days on the source.
        translator = self._build_translator()
        self._schedule = dict(translator.denoiser.scheduler.config)
        self.phases = plan_phases(resolve_stages(stages, self._schedule), source_iters, stage_iters, final_iters)
        for phase in self.phases:
            if phase.stage:
                translator.timesteps(phase.start)
        self._loader_cfg = {**dataloader, 'dataset': None}
        self._source = self.dataloader.dataset
        self._to_translate = DATASETS.build(runner.cfg.source_dataset)
        self._translated_pipeline = translated_pipeline
        self._replay = replay
        self._stage_lr_factor = stage_lr_factor
        self._images_per_stage = images_per_stage
        self._rare_class_sampling = rare_class_sampling
        self._guard = guard and _with_defaults('guard', guard, num_images=200, tolerance=0.5)
        self._robustness = _with_defaults('robustness', robustness or {}, noise=0.0, region=0.0)
        self._translate_batch_size = translate_batch_size
        self.val_interval = val_interval
        self._check()
        self._max_iters = self.phases[-1].end  # until it is known which phase begins
        self._epoch = self._iter = 0
        if runner.cfg.get('resume') and self._untrained_and_written():
            runner._load_from = None  # g_0 has been taken from there; MMEngine would resume from it instead of our own

    def _check(self) -> None:
        """Refuse now what would end the run days later."""
        require_weights(self.runner.cfg)
        classes = [tuple(data.metainfo['classes']) for data in (self._source, self._to_translate)]
        if classes[0] != classes[1]:
            raise ValueError(
                'ProgressiveTranslationLoop: source_dataset has other classes than train_dataloader, '
                f'{", ".join(classes[1])}, not {", ".join(classes[0])}. Set one `label_space` for both.')
        chosen = choose_images(
            self._to_translate, self._images_per_stage, self._rare_class_sampling, self.runner.seed, stage=1)
        if self._guard:
            require_rest(self._guard['num_images'], len(self._to_translate if chosen is None else chosen))
        if not self._translated_pipeline:
            raise ValueError('ProgressiveTranslationLoop: set translated_pipeline, the transforms by which translated '
                             'images are trained on; see configs/sgg_ptl/toy.py.')
        Compose(self._translated_pipeline)
        KeyedMixture([self._source] * 3, self._replay, seed=self.runner.seed)
        if any(getattr(hook, 'save_best', None) for hook in self.runner.hooks):
            raise ValueError('ProgressiveTranslationLoop: CheckpointHook.save_best has no score to go by, as each '
                             'phase has its own and ends with WORK_DIR/<phase>.pth. Remove it.')

    @property
    def max_epochs(self) -> int:
        """One, as in MMEngine's loops by iterations."""
        return 1

    @property
    def epoch(self) -> int:
        """Always 0."""
        return self._epoch

    @property
    def max_iters(self) -> int:
        """Iterations done when the present phase will end."""
        return self._max_iters

    @property
    def iter(self) -> int:
        """Iterations done, of all phases."""
        return self._iter

    def run(self) -> nn.Module:
        """Run all phases, or those that a resumed run has left, and print the scores of all."""
        done = self._finished_phases()
        for phase in self.phases[:done]:
            if phase.end == self._iter:  # later checkpoints know its scores
                for name, value in self._load(phase)['meta']['metrics'].items():
                    self.runner.message_hub.update_scalar(f'val/{name}', value)
                if self.runner.val_loop is not None:
                    note_validation(self.runner)
        for phase, before in zip(self.phases[done:], [None, *self.phases][done:], strict=False):
            self._max_iters = phase.end
            if self._iter == phase.begin:
                self._begin(phase, before)
            self._train(phase)
            self._conclude(phase, before)
        if is_main_process():
            self._print_table()
        return self.runner.model

    def _finished_phases(self) -> int:
        existing = [self._file(phase) for phase in self.phases if self._file(phase).exists()]
        if self._iter == 0:
            if existing and not self.runner.cfg.get('resume'):
                raise FileExistsError(f'{existing[0]} is of an earlier run. Continue that with --resume, or choose '
                                      'another --work-dir.')
            return self._untrained_and_written()
        for number, phase in enumerate(self.phases):
            if self._iter < phase.end:
                return number
            if self._file(phase) not in existing:
                if phase.end < self._iter:
                    raise FileNotFoundError(
                        f'{self._file(phase)} is missing, but iteration {self._iter} comes later. Put it back, or '
                        'resume from an earlier checkpoint.')
                return number  # killed before it was written
        return len(self.phases)

    def _untrained_and_written(self) -> int:
        """How many phases without iterations the run began with and finished: 1 where g_0 was given."""
        return len(list(itertools.takewhile(lambda phase: phase.end == 0 and self._file(phase).exists(), self.phases)))

    # How a phase begins

    def _begin(self, phase: Phase, before: Phase | None) -> None:
        """Set the weights and the optimizer that a phase starts with, and translate what it trains on."""
        model = unwrap_model(self.runner.model)
        if phase.name == 'final':
            model.load_state_dict(self._fresh_weights())
        elif before is not None:
            # Also what makes ranks equal: DDP need not have broadcast their buffers.
            model.load_state_dict(self._load(before)['state_dict'])
        if phase.stage:
            self._translate(phase)
        if phase.end > phase.begin:
            self._renew_optimizer(phase)

    def _fresh_weights(self) -> dict[str, Tensor]:
        with keyed_globals(self.runner.seed, 0, 'ptl/final', rank=0):
            model = MODELS.build(self.runner.cfg.model)
            model.init_weights()
        return model.state_dict()

    def _renew_optimizer(self, phase: Phase) -> None:
        runner, cfg = self.runner, self.runner.cfg
        runner.optim_wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
        runner.param_schedulers = self._schedules(phase)
        runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
        if phase.stage:
            for group in runner.optim_wrapper.param_groups:
                group['lr'] *= self._stage_lr_factor
        if runner.param_schedulers is not None:
            runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)

    def _schedules(self, phase: Phase) -> list[dict] | None:
        configs = self.runner.cfg.get('param_scheduler')
        if configs is None:
            return None
        configs = configs if is_list_of(configs, dict) else [configs]
        return [] if phase.stage else [{'end': phase.end - phase.begin, **one} for one in configs]

    # Translation

    def _translate(self, phase: Phase) -> None:
        runner, source = self.runner, self._to_translate
        translator = self._build_translator().to(get_device())
        translator.guide_with(unwrap_model(runner.model))
        recipe = translation_recipe(translator, runner.cfg, phase.stage, phase.start)
        number = None if phase.guides is None else self._images_per_stage
        runner.logger.info(f'{phase.name}: translating {number or len(source)} images, {phase.start} steps')
        folder = self._folder(phase)
        try:
            translate_dataset(
                translator, source, folder, recipe_hash(recipe), phase.stage, phase.start,
                self._translate_batch_size, recipe=recipe, num_workers=self.dataloader.num_workers,
                indices=choose_images(source, number, self._rare_class_sampling, runner.seed, phase.stage))
        except FailedImagesError as error:  # the others are there, and weeks of them are not to wait for one
            runner.logger.error(f'{phase.name} goes on without some images. {error}')
        while not (folder / 'manifest.jsonl').exists():  # another rank may take longer than a barrier waits
            time.sleep(1)
        barrier()
        if not read_manifest(folder):
            raise TranslationError(f'{phase.name}: no image at all could be translated; see above.')
        if is_main_process():
            write_picture(self._sheet(phase), contact_sheet(folder, source))

    def _build_translator(self) -> BaseModule:
        with keyed_globals(self.runner.seed, 0, 'ptl/translator', rank=0):
            return MODELS.build({'seed': self.runner.seed, **self.runner.cfg.translator})

    def _folder(self, phase: Phase) -> Path:
        return Path(self.runner.work_dir, phase.name)

    def _sheet(self, phase: Phase) -> Path:
        return self._folder(phase) / 'contact_sheet.png'

    # Training

    def _train(self, phase: Phase) -> None:
        runner = self.runner
        if phase.stage and runner.param_schedulers is not None:
            runner.param_schedulers = []  # constant; also after a resume, where the Runner built the source's
        if self._iter == phase.end:
            return
        runner.optim_wrapper.initialize_count_status(runner.model, self._iter, phase.end)
        batches = self._batches(phase)
        self._name_scores(phase)
        for hook in runner.hooks:
            if isinstance(hook, IterTimerHook):
                hook.time_sec_tot = 0  # or the time of earlier phases would count in this one's ETA
        runner.call_hook('before_train')
        runner.call_hook('before_train_epoch')
        if self._iter > phase.begin and not is_validated(runner):  # resumed
            self._validate_if_due(phase)
        while self._iter < phase.end:
            runner.model.train()
            self._run_iter(next(batches))
            self._validate_if_due(phase)
        runner.call_hook('after_train_epoch')
        runner.call_hook('after_train')

    def _validate_if_due(self, phase: Phase) -> None:
        if self.val_interval and self._iter < phase.end and self._iter % self.val_interval == 0:
            if self.runner.val_loop is not None:
                self.runner.val_loop.run()

    def _run_iter(self, data_batch: dict) -> None:
        runner = self.runner
        runner.call_hook('before_train_iter', batch_idx=self._iter, data_batch=data_batch)
        outputs = runner.model.train_step(data_batch, optim_wrapper=runner.optim_wrapper)
        runner.call_hook('after_train_iter', batch_idx=self._iter, data_batch=data_batch, outputs=outputs)
        self._iter += 1

    def _batches(self, phase: Phase) -> Iterator[dict]:
        """Endless batches of a phase; sample counters go on through all phases, as iterations do."""
        data = KeyedMixture(*zip(*self._parts(phase), strict=True), transforms=self._robust_transforms(phase))
        cfg = {**self._loader_cfg, 'dataset': data}
        self.dataloader = self.runner.build_dataloader(cfg, seed=self.runner.seed)
        self.dataloader.sampler.skip(self._iter * self.dataloader.batch_size)
        return iter(self.dataloader)

    def _parts(self, phase: Phase) -> list[tuple[KeyedDataset, float]]:
        """Data sets and their shares."""
        if phase.name == 'source_only':
            return [(self._source, 1.0)]
        if phase.name == 'final':
            return [(self._keyed(self.phases[-2]), 1.0)]
        now, earlier, source = self._replay
        indices = self._split(phase)[0] if self._guard else None
        previous = self._keyed(self.phases[phase.stage - 1]) if phase.stage > 1 else self._source
        return [(self._keyed(phase, indices=indices), now), (previous, earlier), (self._source, source)]

    def _keyed(self, phase: Phase, **kwargs) -> KeyedDataset:
        data = translated_dataset(
            self._folder(phase), self._to_translate.metainfo, self._translated_pipeline, **kwargs)
        return KeyedDataset(data, name=phase.name, max_broken=self._source.broken.max_share)

    def _robust_transforms(self, phase: Phase) -> list[dict]:
        if phase.guides is None:
            return []
        noise = dict(type='mmdass.ForwardNoise', prob=self._robustness['noise'], max_steps=phase.guides,
                     scheduler=self._schedule)
        return [noise, dict(type='mmdass.KeepOneRegion', prob=self._robustness['region'])]

    # How a phase ends

    def _conclude(self, phase: Phase, before: Phase | None) -> None:
        """Let the guard decide, validate, and save what the next phase starts from."""
        runner = self.runner
        self._name_scores(phase)
        runner.message_hub.update_scalar(f'val/{phase.name}/iterations', float(self._iter))
        if self._guard and phase.stage:
            runner.message_hub.update_scalar(f'val/{phase.name}/kept', float(self._passes_guard(phase, before)))
        if runner.val_loop is not None:
            runner.val_loop.run()
        scores = runner.message_hub.log_scalars
        metrics = {name.removeprefix('val/'): float(history.current()) for name, history in scores.items()
                   if name.startswith(f'val/{phase.name}/')}
        if is_main_process():
            runner.save_checkpoint(
                runner.work_dir, self._file(phase).name, save_optimizer=False, save_param_scheduler=False,
                meta=dict(epoch=0, iter=self._iter, metrics=metrics), by_epoch=False,
                backend_args=dict(backend='mmdass_atomic'))
        barrier()

    def _passes_guard(self, phase: Phase, before: Phase) -> bool:
        """Whether g_s was kept; the model has the weights of g_{s-1} if it was not."""
        model = unwrap_model(self.runner.model)
        data = translated_dataset(
            self._folder(phase), self._to_translate.metainfo, indices=self._split(phase)[1], test_mode=True)
        trained, score = copy.deepcopy(model.state_dict()), held_out_score(self.runner, data)
        model.load_state_dict(self._load(before)['state_dict'])
        score_before = held_out_score(self.runner, data)
        kept = score >= score_before - self._guard['tolerance']
        if kept:
            model.load_state_dict(trained)
        self.runner.logger.info(
            f'{phase.name}: mIoU on held-out translated images {score:.2f}, of the guide {score_before:.2f}: '
            f'{"kept" if kept else "given up for the guide"}')
        return kept

    def _split(self, phase: Phase) -> tuple[list[int], list[int]]:
        return split_held_out(self._folder(phase), self._guard['num_images'], self.runner.seed, phase.stage)

    def _name_scores(self, phase: Phase) -> None:
        if self.runner.val_loop is not None:
            for metric in self.runner.val_loop.evaluator.metrics:
                metric.prefix = phase.name

    def _file(self, phase: Phase) -> Path:
        return Path(self.runner.work_dir, f'{phase.name}.pth')

    def _load(self, phase: Phase) -> dict:
        return load_checkpoint_file(self._file(phase), map_location='cpu')

    def _print_table(self) -> None:
        scores = {}
        for phase in self.phases:
            scores |= self._load(phase)['meta']['metrics']
        print(format_table(scores_of_entry('', {**scores, 'step': self._iter})))
        for phase in self.phases:
            if phase.stage:
                print(self._sheet(phase))


def _with_defaults(name: str, given: Mapping, **defaults: float) -> dict[str, float]:
    unknown = given.keys() - defaults.keys()
    if unknown:
        raise ValueError(f'ProgressiveTranslationLoop: {name} has no {", ".join(sorted(unknown))}, but '
                         f'{", ".join(defaults)}.')
    return {**defaults, **given}
