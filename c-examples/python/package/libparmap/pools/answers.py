"""Results and exceptions as they travel from a worker to its pool."""

import pickle
import traceback
from multiprocessing.pool import MaybeEncodingError, RemoteTraceback

from libparmap.pools import wire

# ---- in the worker ----------------------------------------------------------------------------------------------


def encoded(results, failures):
    """The results of some items, ready to be sent; a result that cannot be pickled becomes that item's failure."""
    try:
        return wire.Body((results, failures) if failures else results)
    except Exception:
        replace_what_cannot_be_pickled(results, failures)
        return wire.Body((results, failures))


def replace_what_cannot_be_pickled(results, failures):
    """Such a result becomes its item's failure."""
    known = {position for position, _ in failures}
    for position, result in enumerate(results):
        if position in known:
            continue
        try:
            wire.dump(result)
        except Exception as reason:
            failures.append((position, (_pickled(_unsendable(reason, result)), "")))
            results[position] = None


def described(error):
    """An exception as (its pickle, its traceback as text)."""
    # The first frame is that of the worker's own loop.
    own = error.__traceback__.tb_next if error.__traceback__ is not None else None
    text = "".join(traceback.format_exception(type(error), error, own))
    try:
        pickled = _pickled(error)
        pickle.loads(pickled)
    except Exception as reason:
        # Some exceptions can be pickled but not made again; better found here than there.
        pickled = _pickled(_unsendable(reason, error))
    return pickled, text


def _pickled(error):
    return bytes(wire.dump(error, apart=False)[0])


def _unsendable(reason, value):
    try:
        return MaybeEncodingError(reason, value)
    except Exception:  # its repr failed
        return MaybeEncodingError(reason, object.__repr__(value))


# ---- in the pool ------------------------------------------------------------------------------------------------


def rebuilt(description):
    """The exception of a description, with the worker's traceback as its cause."""
    pickled, text = description
    try:
        error = pickle.loads(pickled)
    except Exception as reason:
        error = MaybeEncodingError(reason, text.rstrip().rpartition("\n")[2])
    if text:
        error.__cause__ = RemoteTraceback(f'\n"""\n{text}"""')
    return error
