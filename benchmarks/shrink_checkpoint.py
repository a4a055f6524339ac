"""The weights of a trained model in half precision, without what only a resumed training needs: what is shipped.

    python tools/train.py configs/madm/toy_event_lora.py
    python benchmarks/shrink_checkpoint.py \\
        work_dirs/toy_event_lora/iter_300.pth mmdass/models/weights/toy_event_lora.pth
    python benchmarks/toy_translation.py 0
    python benchmarks/shrink_checkpoint.py \\
        work_dirs/toy_translation/seed_0/ptl/stage_2.pth mmdass/models/weights/toy_guide.pth

Statistics of batch norm, the noise and the prompt keep their precision.
"""

import argparse

import torch

from mmdass.checkpoints import load_checkpoint_file

EXACT = ('running_mean', 'running_var', 'noise', 'empty_prompt')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source')
    parser.add_argument('target')
    args = parser.parse_args()
    checkpoint = load_checkpoint_file(args.source, map_location='cpu')
    weights = {name: value.half() if value.is_floating_point() and not name.endswith(EXACT) else value
               for name, value in checkpoint['state_dict'].items()}
    meta = {key: checkpoint['meta'][key] for key in ('iter', 'seed', 'dataset_meta')}
    torch.save(dict(meta=meta, state_dict=weights), args.target)


if __name__ == '__main__':
    main()
