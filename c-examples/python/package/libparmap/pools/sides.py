"""Where the items of a call run: in worker processes or on worker threads; everything else is the same for both."""

import sys

from libparmap import _core
from libparmap.pools.crew import Crew
from libparmap.pools.dispatcher import Dispatcher
from libparmap.pools.driver import Driver
from libparmap.pools.reception import Reception
from libparmap.pools.threads import ThreadCrew, ThreadReception


class Side:
    def __init__(self, crew, reception, processes, maxtasks):
        self.dispatcher = Dispatcher(crew, reception, processes, maxtasks)
        self.driver = Driver(self.dispatcher)

    @property
    def calls(self):
        return self.dispatcher.calls

    def hire_all(self):
        self.driver.order(self.dispatcher.hire_all)

    def close(self):
        self.driver.order(self.dispatcher.reception.close)

    def join(self):
        self.driver.wait(lambda: self.driver.is_idle() and self.dispatcher.crew.is_empty())


class ProcessSide(Side):
    can_end_items = True

    def __init__(self, processes, initializer, initargs, maxtasks):
        if not _core.is_main_interpreter():
            raise RuntimeError("Pool: a sub-interpreter cannot fork workers: make the Pool in the main interpreter, or "
                               'pass executor="threads"')  # fmt: skip
        super().__init__(Crew(processes, initializer, initargs), Reception, processes, maxtasks)


class ThreadSide(Side):
    can_end_items = False

    def __init__(self, processes, initializer, initargs, maxtasks):
        crew = ThreadCrew(processes, initializer, initargs)
        super().__init__(crew, ThreadReception, processes, None)
        crew.ring = self.driver.ring


def is_without_gil():
    return not getattr(sys, "_is_gil_enabled", lambda: True)()


def is_c_function(function):
    """Does it let go of the GIL for all of its time? True for functions of ctypes and cffi libraries."""
    ctypes, cffi = sys.modules.get("_ctypes"), sys.modules.get("_cffi_backend")
    if ctypes is not None and isinstance(function, ctypes.CFuncPtr):
        return not function._flags_ & ctypes.FUNCFLAG_PYTHONAPI
    return cffi is not None and isinstance(function, cffi._CDataBase)
