from .progressive_translation_loop import ProgressiveTranslationLoop
from .teacher_student_val_loop import TeacherStudentValLoop

__all__ = ['ProgressiveTranslationLoop', 'TeacherStudentValLoop']
