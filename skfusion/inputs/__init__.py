"""What makes blocks: the union of transformers and the transformers it needs."""

from skfusion.inputs._cells import ArrayStacker
from skfusion.inputs._dates import DateParts
from skfusion.inputs._embedding import SentenceEmbedding
from skfusion.inputs._frames import FrameLoader
from skfusion.inputs._images import ImageLoader
from skfusion.inputs._logmel import LogMel
from skfusion.inputs._stacker import SequenceStacker
from skfusion.inputs._tokenizer import Tokenizer
from skfusion.inputs._union import BlockUnion
from skfusion.inputs._vectors import WordTable, word_table

__all__ = [
    "ArrayStacker",
    "BlockUnion",
    "DateParts",
    "FrameLoader",
    "ImageLoader",
    "LogMel",
    "SentenceEmbedding",
    "SequenceStacker",
    "Tokenizer",
    "WordTable",
    "word_table",
]
