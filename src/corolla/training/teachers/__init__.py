"""Teachers for distillation: a corolla run, a timm model, or an EfficientNet-Lite, each fitted to the images."""

from corolla.training.teachers.fitting import FittedTeacher, fit_teacher, keep_teacher
from corolla.training.teachers.teacher import Teacher, save_teacher

__all__ = ["FittedTeacher", "Teacher", "fit_teacher", "keep_teacher", "save_teacher"]
