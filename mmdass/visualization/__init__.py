from .domain_visualizer import DomainVisualizer
from .panel_pictures import find_pictures, panel_pictures, write_pictures

__all__ = ['DomainVisualizer', 'find_pictures', 'panel_pictures', 'write_pictures']
