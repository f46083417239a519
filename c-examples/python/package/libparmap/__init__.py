"""A C function over NumPy arrays and other buffers, on all cores, without the GIL.

map_buffer(func, src)  applies a C function to every item or element
callback(signature)    makes a Python function fit for map_buffer, slowly but safely
cpu_count()            the CPUs this process may use
ItemError              the C function failed for an item
"""

from libparmap._core import ItemError, __version__, cpu_count
from libparmap.callback import callback
from libparmap.mapping import map_buffer

__all__ = ["ItemError", "callback", "cpu_count", "map_buffer"]
