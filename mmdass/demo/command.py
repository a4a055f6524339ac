"""`mmdass demo`: a page on which one segments and translates pictures, on this machine.

Without arguments it shows the models that `make demo` has trained below work_dirs/ and a small one that is shipped, and
translates with the shipped diffusion model of the toy world. It answers this machine alone, unless --host says
otherwise.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .safe_image import MAX_BYTES

_TOY_RUNS = ('toy_infrared', 'toy_infrared_source_only')
_TOY_TRANSLATOR = 'mmdass::sgg_ptl/toy.py'
_WEIGHTS = Path(__file__).parents[1] / 'models/weights'
_SHIPPED = ('mmdass::madm/toy_event_lora.py', str(_WEIGHTS / 'toy_event_lora.pth'))


def main(argv: Sequence[str]) -> int:
    """The verb."""
    args = _parser().parse_args(argv)
    os.environ.update(GRADIO_ANALYTICS_ENABLED='False', HF_HUB_DISABLE_TELEMETRY='1')
    with tempfile.TemporaryDirectory(prefix='mmdass_demo_') as uploads:
        os.environ['GRADIO_TEMP_DIR'] = uploads  # nothing that was dropped outlives the page
        try:
            _serve(args)
        except ImportError as error:
            if (error.name or '').partition('.')[0] != 'gradio':
                raise
            print("mmdass demo: the page is made with Gradio: pip install 'mmdass[demo]'", file=sys.stderr)
            return 1
        except (ValueError, OSError) as error:  # ours all say what is wrong
            print(f'mmdass demo: {error}', file=sys.stderr)
            return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='mmdass demo', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--model', nargs=2, action='append', metavar=('CONFIG', 'CHECKPOINT'),
        help='a segmentor to choose; may be given several times (default: of `make demo`, and a shipped one)')
    parser.add_argument(
        '--translator', metavar='CONFIG', default=_TOY_TRANSLATOR, help='of configs/sgg_ptl (%(default)s)')
    parser.add_argument(
        '--segmentor', metavar='FILE', help="the translator's guide (default: of work_dirs/toy, or a shipped one)")
    parser.add_argument('--denoiser', metavar='FILE', help="checkpoint or folder (default: the config's weights)")
    parser.add_argument('--device', default='cpu', help='where models run (%(default)s)')
    parser.add_argument('--host', default='127.0.0.1', help='address to answer at; 0.0.0.0 for everyone (%(default)s)')
    parser.add_argument('--port', type=int, help='(default: 7860, or the next free one)')
    return parser


def _serve(args: argparse.Namespace) -> None:
    from .page import CSS, THEME, build_page
    from .segmentation import DemoSegmentor
    from .translation import DemoTranslator

    segmentors = {name: DemoSegmentor(*model, device=args.device) for name, model in _models(args.model).items()}
    guide = args.segmentor or (_toy_guide() if args.translator == _TOY_TRANSLATOR else None)
    translator = DemoTranslator(args.translator, guide, args.denoiser, args.device)
    page = build_page(segmentors, translator)
    page.queue(max_size=32, api_open=False)
    page.launch(
        server_name=args.host, server_port=args.port, share=False, ssr_mode=False, mcp_server=False, quiet=True,
        max_file_size=MAX_BYTES, theme=THEME, css=CSS, footer_links=[], state_session_capacity=32,
        prevent_thread_lock=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that uploads are removed then, too
    print(f'mmdass demo: {page.local_url} (Ctrl+C ends it)', flush=True)
    page.block_thread()


def _models(given: Sequence[tuple[str, str]] | None) -> dict[str, tuple[str, str]]:
    """By a name, the config and the checkpoint of each model."""
    if given:
        names = [f'{Path(config).stem}, {Path(checkpoint).name}' for config, checkpoint in given]
        return {name if names.count(name) == 1 else f'{Path(config).stem}, {checkpoint}': (config, checkpoint)
                for name, (config, checkpoint) in zip(names, given, strict=True)}
    found = {}
    for name in _TOY_RUNS:
        pointer = Path('work_dirs', name, 'last_checkpoint')
        if pointer.is_file():
            found[name] = (f'mmdass::madm/{name}.py', str(pointer.with_name(Path(pointer.read_text()).name)))
    return {**found, 'toy_event_lora, shipped': _SHIPPED}


def _toy_guide() -> Path:
    """The segmentor that the newest stage of configs/sgg_ptl/toy.py left, or the one that is shipped."""
    stages = sorted(Path('work_dirs/toy').glob('stage_?.pth'))
    return stages[-1] if stages else _WEIGHTS / 'toy_guide.pth'
