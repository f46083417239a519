"""A C function over NumPy arrays and other buffers, on all cores, without the GIL."""

from array import array
from collections.abc import Callable, Sequence
from types import CapsuleType
from typing import Any, Generic, Literal, ParamSpec, TypeAlias, TypeVar, final, overload

import numpy
from numpy.typing import DTypeLike, NDArray
