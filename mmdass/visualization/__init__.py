from .domain_visualizer import DomainVisualizer

__all__ = ['DomainVisualizer']
