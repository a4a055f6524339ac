"""Pages and tables of finished, running and killed trainings."""

from .page import write_page
from .run import ENVIRONMENT_FILE, Run, read_run, read_runs
from .scores import Scores, format_table, scores_of_entry

__all__ = [
    'ENVIRONMENT_FILE', 'Run', 'Scores', 'format_table', 'read_run', 'read_runs', 'scores_of_entry', 'write_page']
