"""Where an error arose is in its text, whatever its type."""

import builtins
import dataclasses
import json
import pickle
import traceback

import pytest

from skfusion.exceptions import BlockError, SkfusionError, noted

WHERE = "in block 'facts' (columns 'cost'), Picky"


class NeedsArgumentsError(Exception):
    def __init__(self, code, detail):
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class OwnTextError(ValueError):
    def __str__(self):
        return "a text of its own"


class NoTextError(ValueError):
    def __str__(self):
        raise RuntimeError("no text")


class FinalError(Exception):
    def __init_subclass__(cls):
        raise TypeError("no subclass")


class HoldsError(Exception):
    def __init__(self, what):
        super().__init__("holds what cannot be pickled", what)


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    code: int


def wrong_json():
    try:
        json.loads("{")
    except ValueError as error:
        return error


def error_of(original, where=WHERE, repair=""):
    with pytest.raises(Exception, match="(?s).") as caught, noted(where, repair):
        raise original
    return caught.value


ERRORS = {
    "ValueError": (lambda: ValueError("not to my taste"), "not to my taste"),
    "without a text": (lambda: ValueError(), ""),
    "KeyError": (lambda: KeyError("price"), "'price'"),
    "KeyError of a number": (lambda: KeyError(7), "7"),
    "two arguments": (lambda: ValueError("bad", 404), "404"),
    "a number": (lambda: RuntimeError(404), "404"),
    "decoding": (
        lambda: UnicodeDecodeError("utf-8", b"a\xffc", 1, 2, "invalid start byte"),
        "0xff",
    ),
    "encoding": (
        lambda: UnicodeEncodeError("ascii", "a\xe9", 1, 2, "not in range"),
        "not in range",
    ),
    "file": (lambda: FileNotFoundError(2, "No such file", "x.png"), "No such file: 'x.png'"),
    "OSError of a text": (lambda: OSError("broken"), "broken"),
    "import": (lambda: ModuleNotFoundError("no module", name="parquet"), "no module"),
    "syntax": (
        lambda: SyntaxError("invalid", ("f.py", 1, 2, "x=", 1, 3)),
        "invalid (f.py, line 1)",
    ),
    "JSON": (wrong_json, "double quotes"),
    "own": (lambda: BlockError("bad block"), "bad block"),
    "needs arguments": (lambda: NeedsArgumentsError(5, "wrong"), "5: wrong"),
    "own text": (lambda: OwnTextError("unseen"), "a text of its own"),
    "no text": (lambda: NoTextError("unseen"), "NoTextError"),
    "frozen": (lambda: FrozenError(5), "5"),
}


@pytest.mark.parametrize(("original", "said"), ERRORS.values(), ids=ERRORS)
def test_the_text_says_where_and_what(original, said):
    original = original()
    error = error_of(original)
    assert isinstance(error, type(original)) and type(error).__name__ == type(original).__name__
    assert str(error).count(WHERE) == 1 and said in str(error)
    shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    assert WHERE in shown and "raise original" in shown


@pytest.mark.parametrize(("original", "said"), ERRORS.values(), ids=ERRORS)
def test_the_text_survives_the_way_between_processes(original, said):
    original = original()
    error = pickle.loads(pickle.dumps(error_of(original)))
    assert isinstance(error, type(original))
    assert WHERE in str(error) and said in str(error)
    again = error_of(error, "while fitting")
    assert WHERE in str(again) and "while fitting" in str(again)


def test_the_end_of_an_iteration_ends_none_outside():
    error = error_of(StopIteration("over"))
    assert isinstance(error, RuntimeError) and str(error) == f"{WHERE}: StopIteration: over"


def test_attributes_stay():
    error = error_of(NeedsArgumentsError(5, "wrong"))
    assert (error.code, error.detail) == (5, "wrong")
    error = pickle.loads(pickle.dumps(error))
    assert (error.code, error.detail) == (5, "wrong")
    assert error_of(FileNotFoundError(2, "No such file", "x.png")).filename == "x.png"
    assert error_of(ValueError("bad", 404)).args == ("bad", 404)
    assert error_of(FrozenError(5)).code == 5


@pytest.mark.parametrize(
    "original", [ValueError("bad"), KeyError("k"), BlockError("bad")], ids=repr
)
def test_plain_errors_stay_themselves(original):
    assert error_of(original) is original and original.__cause__ is None


def test_an_error_that_is_raised_anew_has_the_original_as_its_cause():
    original = ValueError(404)
    assert error_of(original).__cause__ is original and str(original) == "404"


def test_a_type_that_allows_no_subclass():
    error = error_of(FinalError(404))
    assert isinstance(error, SkfusionError) and "FinalError" in str(error) and WHERE in str(error)


def test_what_an_error_holds_need_not_travel():
    error = error_of(HoldsError(lambda: 0))
    assert isinstance(error, HoldsError)
    assert WHERE in str(pickle.loads(pickle.dumps(error)))


def test_the_same_place_is_named_once():
    error = ValueError("bad")
    for where in ("in block 'a'", "in block 'b'", "in block 'a'"):
        assert error_of(error, where) is error
    assert str(error) == "in block 'b': in block 'a': bad"


def test_the_repair_stands_behind():
    error = error_of(ValueError("Expected 2D."), "in block 'a'", "Write ['a'].")
    assert str(error) == "in block 'a': Expected 2D. Write ['a']."
    assert str(error_of(error, "in block 'a'", "Write ['a'].")).count("Write") == 1


# They came with Python 3.11.
GROUPS = [builtins.ExceptionGroup] if hasattr(builtins, "ExceptionGroup") else []


@pytest.mark.parametrize("kind", GROUPS)
def test_groups_stay_groups(kind):
    group = kind("many", [ValueError("one"), TypeError("two")])
    error = error_of(group)
    assert WHERE in str(error) and "many" in str(error)
    assert error.exceptions == group.exceptions
    assert isinstance(pickle.loads(pickle.dumps(error)), kind)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_error_is_left_alone(kind):
    with pytest.raises(kind, match="^stop$"), noted(WHERE):
        raise kind("stop")
