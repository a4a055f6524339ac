"""The ``mmdass`` command: one table of verbs. A verb's module is imported when the verb is called."""

import argparse
import pkgutil
import sys

# verb: ('module:function', what it does); each function is main(argv: list[str]) -> exit status
VERBS = {
    'doctor': ('mmdass.doctor:main', 'say what is installed, what can run, and the command that mends each problem'),
    'train': ('mmdass.apis.tools:train', 'train a model; configs by path or by name: mmdass::madm/toy_event.py'),
    'test': ('mmdass.apis.tools:test', 'measure a checkpoint'),
    'check': ('mmdass.check:main', 'look at all data that a config will load, before any GPU time is spent'),
    'prepare': ('mmdass.prepare:main', 'make the files that train from a data set as downloaded'),
    'infer': ('mmdass.apis.infer_command:main', 'segment images, folders, videos or recordings, of any modality'),
    'translate': (
        'mmdass.apis.translate_command:main', "make labelled images look like the target's, guided by their labels"),
    'parity': ('mmdass.apis.parity:main', "compare our numbers with the official implementation's, row by row"),
    'convert': ('mmdass.checkpoints.convert:main', "turn another code base's checkpoint into one of ours"),
    'export': ('mmdass.export.command:main', 'write a trained segmentor as one checked ONNX or torch.export file'),
    'demo': ('mmdass.demo.command:main', 'open a page on which one segments and translates pictures'),
    'benchmark': ('mmdass.benchmarks:main', 'measure speed and memory'),
    'report': ('mmdass.report.command:main', 'show runs side by side: a table, and a page with curves and pictures'),
}


def main(argv: list[str] | None = None) -> int:
    """Run the verb that ``argv`` (default: the command line) begins with."""
    return run_verb('mmdass', VERBS, sys.argv[1:] if argv is None else argv)


def run_verb(program: str, verbs: dict[str, tuple[str, str]], argv: list[str]) -> int:
    """Call the function of the first argument's verb with the remaining arguments.

    Args:
        program: The command's name in help and errors.
        verbs: Verb to ``('module:function', help)``.
        argv: The verb and its arguments.

    Returns:
        The verb's exit status.
    """
    width = max(map(len, verbs))
    table = '\n'.join(f'  {verb:{width}}  {help_}' for verb, (_, help_) in verbs.items())
    parser = argparse.ArgumentParser(
        prog=program, formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f'verbs:\n{table}', epilog=f'`{program} VERB --help` lists the arguments of a verb.')
    parser.add_argument('verb', choices=verbs, metavar='VERB')
    parser.add_argument('arguments', nargs=argparse.REMAINDER, metavar='...')
    args = parser.parse_args(argv)
    target, _ = verbs[args.verb]
    return pkgutil.resolve_name(target)(args.arguments)
