"""`mmdass infer CONFIG CHECKPOINT INPUT --out DIR`: segment images of any modality; no labels are needed.

INPUT is an image, a folder, a glob in quotes, a list file (.txt), a video, or what else the config loads: 16-bit depth
or infrared PNG, NPY, event recordings (DSEC's HDF5, text, NPZ). DIR gets label/ (class indices), colour/, overlay/ and
confidence/, with the folders and names of INPUT. Killed or interrupted, it continues when it is run again.

Exit status: 0 if every image is segmented, 1 if some could not be or nothing could begin, 130 if interrupted.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import DictAction
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from mmdass.evaluation.batching import same_sized_batches
from mmdass.prepare.run import positive
from mmdass.utils.config import load_config

from .inference_folder import open_inference_folder
from .inference_inputs import InferenceInput
from .inference_outputs import SUFFIXES, join_frames, output_writers
from .inference_pipeline import InferencePipeline, as_picture
from .inferencer import DASegInferencer
from .translator import exact_hash

_SHOWN = 20


def main(argv: Sequence[str]) -> int:
    """The verb."""
    args = _parser().parse_args(argv)
    try:
        failures, count = infer(args)
    except (ValueError, OSError) as error:  # ours all say what is wrong
        print(f'mmdass infer: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('mmdass infer: interrupted. Run it again to continue.', file=sys.stderr)
        return 130
    if failures:
        lines = list(failures.values())[:_SHOWN]
        more = [f'... and {len(failures) - _SHOWN} more'] if len(failures) > _SHOWN else []
        print('\n  '.join([f'mmdass infer: {len(failures)} of {count} images failed:', *lines, *more]), file=sys.stderr)
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='mmdass infer', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='of the training, or any other of MMSeg')
    parser.add_argument('checkpoint')
    parser.add_argument('input', metavar='INPUT', help='image, folder, glob, list file, video, or recording')
    parser.add_argument('--out', required=True, type=Path, metavar='DIR', help='folder for the predictions')
    parser.add_argument('--batch-size', type=positive, default=1, metavar='N', help='images at once (%(default)s)')
    parser.add_argument(
        '--window', type=positive, nargs='+', metavar='N',
        help='slide a window of this side, or height and width, over images (default: as the config tests)')
    parser.add_argument(
        '--overlap', type=int, metavar='N', help='pixels by which windows overlap (default: a quarter of the window)')
    parser.add_argument(
        '--role', choices=('student', 'teacher'), help='who predicts (default: who is tested, by the config)')
    parser.add_argument('--modality', metavar='NAME', help='what the images are, where the config has several')
    parser.add_argument(
        '--timestep', type=int, metavar='T', help='noise that a diffusion backbone adds before it looks, 0 to 999')
    parser.add_argument('--logits', action='store_true', help='write the logits of all classes too, as float16 NPY')
    parser.add_argument('--device', help="such as 'cuda:1' or 'cpu' (default: the best that there is)")
    parser.add_argument('--workers', type=int, default=1, metavar='N', help='processes that load (%(default)s)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    return parser


def infer(args: argparse.Namespace) -> tuple[dict[str, str], int]:
    """Do what the arguments say; return a sentence for each image that failed, and the number of all images.

    Raises:
        ValueError, OSError: Nothing could begin, or the outputs cannot be written.
    """
    segment = DASegInferencer(
        load_config(args.config, args.cfg_options), args.checkpoint, device=args.device, role=args.role,
        modality=args.modality, window=args.window and (args.window[0], args.window[-1]), overlap=args.overlap)
    inputs = segment.list_inputs(args.input, without=args.out)
    kinds = [kind for kind in SUFFIXES if kind != 'logits' or args.logits]
    failures: dict[str, str] = {}
    with open_inference_folder(args.out, _recipe(args, segment)) as folder:
        todo = folder.missing(inputs, kinds)
        with _progress(args.out, len(inputs), len(todo)) as bar:
            loaded = _without_failures(_load(segment.pipeline, todo, args.workers), failures, bar)
            for batch in same_sized_batches(loaded, args.batch_size):
                try:
                    predictions = segment.forward(
                        segment.collate_fn([{key: each[key] for key in ('inputs', 'data_samples')} for each in batch]),
                        timestep=args.timestep, with_logits=args.logits)
                except (RuntimeError, ValueError) as error:  # one image may be too large, or not finite
                    failures |= {str(each['source']): f'{each["source"]}: {error}' for each in batch}
                else:
                    for each, sample in zip(batch, predictions, strict=True):
                        writers = output_writers(each['picture'], sample, segment.model.dataset_meta, kinds)
                        folder.add(each['source'], writers)
                bar.update(len(batch))
        join_frames(folder.root, [each for each in inputs if str(each) not in failures])
    print(f'{args.out}: {len(inputs) - len(failures)} images, {len(inputs) - len(todo)} of them from before.')
    return failures, len(inputs)


def _recipe(args: argparse.Namespace, segment: DASegInferencer) -> dict[str, Any]:
    """All that changes predictions, or whose they are."""
    return dict(
        input=os.path.abspath(args.input), weights=exact_hash(segment.model),
        role=getattr(segment.model, 'predict_role', None), timestep=args.timestep,
        window=segment.window, overlap=segment.overlap, modality=segment.pipeline.modality,
        model=_plain(segment.cfg.model), pipeline=_plain(segment.pipeline.transforms),
        **_plain(segment.model.dataset_meta))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


class _Loading(Dataset):
    """Loaded and prepared samples; of what cannot be loaded, the sentence about it."""

    def __init__(self, pipeline: InferencePipeline, inputs: Sequence[InferenceInput]) -> None:
        self.pipeline = pipeline
        self.inputs = inputs

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        source = self.inputs[index]
        try:
            results = self.pipeline.load(source)
            picture = as_picture(results['img'])
            return dict(self.pipeline(results), source=source, picture=picture)
        # Libraries raise what they like at a broken file; whatever it is, the other images are still to be done.
        except Exception as error:
            reason = str(error) if isinstance(error, (OSError, ValueError)) else f'{type(error).__name__}: {error}'
            return dict(source=source, failure=reason if source.path in reason else f'{source}: {reason}')


def _load(pipeline: InferencePipeline, inputs: Sequence[InferenceInput], workers: int) -> DataLoader:
    return DataLoader(
        _Loading(pipeline, inputs), batch_size=None, num_workers=min(workers, len(inputs)), collate_fn=_as_is)


def _as_is(sample: dict) -> dict:
    return sample


def _without_failures(samples: DataLoader, failures: dict[str, str], bar: tqdm) -> Iterator[dict]:
    for sample in samples:
        if 'failure' in sample:
            failures[str(sample['source'])] = sample['failure']
            bar.update()
        else:
            yield sample


def _progress(out: Path, total: int, missing: int) -> tqdm:
    return tqdm(total=total, initial=total - missing, desc=f'segmenting into {out.name}', unit='image', disable=None)
