"""What makes blocks: the union of transformers and the transformers it needs."""

from skfusion.inputs._images.frame_loader import FrameLoader
from skfusion.inputs._images.image_loader import ImageLoader
from skfusion.inputs._lookup.lookup_table import LookupTable
from skfusion.inputs._sequences.array_stacker import ArrayStacker
from skfusion.inputs._sequences.sequence_stacker import SequenceStacker
from skfusion.inputs._sound.logmel import LogMel
from skfusion.inputs._tables.dates import DateParts
from skfusion.inputs._text.sentence_embedding import SentenceEmbedding
from skfusion.inputs._text.tokenizer import Tokenizer
from skfusion.inputs._text.word_table import WordTable, word_table
from skfusion.inputs._union.union import BlockUnion

__all__ = [
    "ArrayStacker",
    "BlockUnion",
    "DateParts",
    "FrameLoader",
    "ImageLoader",
    "LogMel",
    "LookupTable",
    "SentenceEmbedding",
    "SequenceStacker",
    "Tokenizer",
    "WordTable",
    "word_table",
]
