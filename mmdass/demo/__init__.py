"""`mmdass demo`: a page on which one segments and translates pictures. Only ``page.py`` needs Gradio."""
