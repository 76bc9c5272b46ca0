"""All that can be told of how far a project's people agree, question by question, from its store."""

from instructglm.annotation.overview.overview import Overview, QuestionFigures, Standing, last_event, standing_of
from instructglm.annotation.overview.pseudonyms import pseudonyms

__all__ = ["Overview", "QuestionFigures", "Standing", "last_event", "pseudonyms", "standing_of"]
