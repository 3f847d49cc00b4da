"""Teachers for distillation: a corolla run, a timm model, or an EfficientNet-Lite, each fitted to the images."""

from corolla.training.teachers.fitting import FittedTeacher, fit_teacher, keep_teacher, save_teacher
from corolla.training.teachers.teacher import Pretrained, Teacher

__all__ = ["FittedTeacher", "Pretrained", "Teacher", "fit_teacher", "keep_teacher", "save_teacher"]
