"""What a fitted network makes of its blocks, and whether fusing them helps at all."""

from skfusion.inspection._ablation import ablation
from skfusion.inspection._ablation_display import AblationDisplay
from skfusion.inspection._block_predictions import block_predictions
from skfusion.inspection._importance import block_importance
from skfusion.inspection._importance_display import BlockImportanceDisplay
from skfusion.inspection._missing_curve import missing_curve
from skfusion.inspection._missing_display import MissingCurveDisplay
from skfusion.inspection._resampled_t import ResampledT, corrected_resampled_t_test
from skfusion.inspection._training_display import TrainingDisplay
from skfusion.inspection._verdicts import conclusion
from skfusion.inspection._weights_display import WeightsDisplay

__all__ = [
    "AblationDisplay",
    "BlockImportanceDisplay",
    "MissingCurveDisplay",
    "ResampledT",
    "TrainingDisplay",
    "WeightsDisplay",
    "ablation",
    "block_importance",
    "block_predictions",
    "conclusion",
    "corrected_resampled_t_test",
    "missing_curve",
]
