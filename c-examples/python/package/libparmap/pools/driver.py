"""Who drives a pool: the thread that waits for a result, or a service thread while calls run that nobody waits for.

One at a time has the part. A map thus needs no thread and no switch between threads: the caller itself
sends items, and itself receives what comes back.
"""

import atexit
import os
import queue
import sys
import threading
import time
import weakref
from collections import deque

from libparmap._core import Descriptor
from libparmap.pools.errors import BrokenPool, tell_of_exception

LINGER = 0.5  # seconds that the service thread stays when there is nothing to do
LOOK_AGAIN = 1.0  # seconds after which a waiting thread looks for itself, whoever should have woken it
TIDY = 0.02  # seconds given to workers that are leaving, so that no zombie stays behind

IMPATIENCE = 10  # presses of Ctrl-C while the workers are being ended

_drivers = weakref.WeakSet()


class Driver:
    def __init__(self, dispatcher):
        self._dispatcher = dispatcher
        # A plain lock, of which `with` lets go whenever a Ctrl-C comes; that of a Condition may stay locked.
        self._lock = threading.Lock()
        self._waiters = []  # queues of threads that wait for one that drives, to be woken when something has changed
        self._driving = None  # ident of the thread that does
        self._amid_something = False  # was the last one that drove torn out of it?
        self._incoming = deque()
        self._orders = deque()
        self._callbacks = deque()
        self._calling = []  # one for each callback that is running
        self._service = None
        self._chores = queue.SimpleQueue()  # wakes the service thread
        self._bell = Descriptor(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
        self._owner = os.getpid()
        dispatcher.reception.watch_bell(self._bell.fd)
        _drivers.add(self)

    # ---- from any thread ---------------------------------------------------------------------------------------

    def submit(self, job, background):
        """`background`: the call goes on whether or not somebody waits for it."""
        self._check_owner()
        self._dispatcher.calls.unfinished.add(job)
        self._incoming.append(job)
        if background:
            self._wake_service()
        self.ring()

    def order(self, do):
        """Has `do` called by whoever drives, and waits until it has been."""
        self._check_owner()
        done = []
        self._orders.append((do, done))
        self.ring()
        self.wait(lambda: bool(done))

    def ring(self):
        """Whoever drives looks up; costs next to nothing where nobody or the caller does."""
        if self._driving not in (None, threading.get_ident()):
            os.eventfd_write(self._bell.fd, 1)

    def call_back(self, call):
        """Has a callback called on the service thread, never on a thread of the user's."""
        self._callbacks.append(call)
        if threading.current_thread() is not self._service:
            self._wake_service()

    def _has_to_call_back(self):
        """Where the system refused a service thread, whoever waits does its work."""
        return self._service is None and bool(self._callbacks)

    def is_idle(self):
        return not self._dispatcher.calls.unfinished and not self._callbacks and not self._calling

    def wait(self, until, timeout=None, on_tick=None, tick=None, waits_for=None):
        """Returns once until() is true, or the time is up. on_tick() is called every `tick` seconds.

        A Ctrl-C ends the call whose outcome is `waits_for`, whichever thread has the part.
        """
        self._check_owner()
        if self._driving == threading.get_ident():
            self._refuse_to_wait_inside()
        try:
            self._wait(until, None if timeout is None else time.monotonic() + timeout, on_tick, tick)
        except BaseException:
            # A Ctrl-C may have come while _wait gave up the part; it must not stay with this thread.
            self._give_up_the_part()
            if waits_for is not None:
                self.order(lambda: self._dispatcher.calls.cancel_call_of(waits_for))
            raise

    def _wait(self, until, deadline, on_tick, tick):
        while not until():
            try:
                if self._take_the_part(until, deadline, tick):
                    self._drive(until, deadline, tick)
            finally:
                self._give_up_the_part()
            while self._has_to_call_back():
                self._call_one_back()
            if on_tick is not None:
                on_tick()
            if deadline is not None and time.monotonic() >= deadline:
                return

    def _refuse_to_wait_inside(self):
        frame = sys._getframe()
        while frame is not None:
            if frame.f_code is Driver._drive.__code__ and frame.f_locals.get("self") is self:
                raise RuntimeError("Pool: a function that the pool itself calls while it works waits for that pool: "
                                   "it would wait for ever")  # fmt: skip
            frame = frame.f_back

    def _check_owner(self):
        if self._owner != os.getpid():
            raise RuntimeError("Pool: this process was forked from the one that made the pool: make one of its own")

    # ---- the part ----------------------------------------------------------------------------------------------

    def _take_the_part(self, until, deadline, tick):
        """True when this thread is to drive; False after a wait, when something may have changed."""
        waiter = queue.SimpleQueue()
        with self._lock:
            if self._driving is None:
                self._driving = threading.get_ident()
                return True
            self._waiters.append(waiter)
        try:
            if not until():
                rest = LOOK_AGAIN if deadline is None else max(0.0, deadline - time.monotonic())
                self._sleep(waiter, min(one for one in (rest, tick, LOOK_AGAIN) if one is not None))
        finally:
            with self._lock:
                self._waiters.remove(waiter)
        return False

    def _sleep(self, waiter, seconds):
        try:
            waiter.get(timeout=seconds)
        except queue.Empty:
            pass

    def _give_up_the_part(self):
        with self._lock:
            if self._driving == threading.get_ident():
                self._driving = None
        self._wake_waiters()

    def _wake_waiters(self):
        if self._waiters:
            with self._lock:
                for waiter in self._waiters:
                    waiter.put(None)

    def _drive(self, until, deadline, tick):
        dispatcher = self._dispatcher
        if self._amid_something and self._start_over(KeyboardInterrupt()):
            raise KeyboardInterrupt
        self._amid_something = True
        tick_due = None if tick is None else time.monotonic() + tick
        try:
            while not until() and not self._has_to_call_back():
                self._take_orders()
                again = dispatcher.hand_out()
                self._wake_waiters()
                if until():
                    break
                patience = 0 if again else dispatcher.patience()
                if deadline is not None or tick_due is not None:
                    now = time.monotonic()
                    due = min(one for one in (deadline, tick_due) if one is not None)
                    if now >= due:
                        break
                    patience = min(patience, due - now)
                dispatcher.reception.step(patience)
            self._tidy()
            self._take_orders()
        except BaseException as error:
            # Wherever that came from, a Ctrl-C most likely: no state is trusted, and no worker left behind.
            self._start_over(error)
            raise
        self._amid_something = False

    def _start_over(self, error):
        """Breaks off all calls but those that nobody has looked at; how often Ctrl-C was pressed meanwhile.

        Where it was pressed too often, the rest is left to whoever drives next.
        """
        for presses in range(IMPATIENCE):
            try:
                self._dispatcher.end(_interrupted(error), spared=set(self._incoming.copy()))
                self._amid_something = False
                return presses
            except KeyboardInterrupt:
                pass
        return IMPATIENCE

    def _take_orders(self):
        while self._incoming:
            self._dispatcher.calls.admit(self._incoming.popleft())
        while self._orders:
            do, done = self._orders.popleft()
            try:
                do()
            finally:
                done.append(True)

    def _tidy(self):
        deadline = time.monotonic() + TIDY
        while self._dispatcher.crew.leaving and time.monotonic() < deadline:
            self._dispatcher.reception.step(TIDY)

    # ---- the service thread ------------------------------------------------------------------------------------

    def _wake_service(self):
        self._chores.put(None)
        with self._lock:
            if self._service is not None and self._service.ident is not None:
                return
            self._service = threading.Thread(target=self._serve, name="libparmap-pool", daemon=True)
            try:
                self._service.start()
            except RuntimeError:  # the system refuses a thread: whoever waits for a result does it all
                self._service = None

    def _serve(self):
        idle_since = time.monotonic()
        while True:
            while self._callbacks:
                self._call_one_back()
            if self._dispatcher.calls.unfinished:
                idle_since = time.monotonic()
                self._drive_for_others()
                continue
            self._sleep(self._chores, LINGER)
            with self._lock:
                idle = not self._callbacks and not self._dispatcher.calls.unfinished and self._chores.empty()
                if idle and time.monotonic() - idle_since > LINGER:
                    self._service = None
                    return

    def _drive_for_others(self):
        def until():
            return bool(self._callbacks) or not self._dispatcher.calls.unfinished

        try:
            self.wait(until)
        except Exception:
            tell_of_exception()

    def _call_one_back(self):
        """Where there is no service thread, several may do so at once, and a callback may come here again."""
        self._calling.append(None)  # before it is taken: is_idle() sees one or the other
        try:
            if (call := _taken(self._callbacks)) is not None:
                call()
        except BaseException:
            tell_of_exception()
        finally:
            self._calling.pop()
            self._wake_waiters()
            self.ring()

    # ---- the end -----------------------------------------------------------------------------------------------

    def abandon(self):
        """Nobody has use of the pool any more. Called by the collector, on whatever thread, amid whatever."""
        if self._owner != os.getpid():
            return
        error = BrokenPool("Pool: it was given up with calls unfinished")
        if self._driving is None:
            self._dispatcher.end(error)
        else:
            self._orders.append((lambda: self._dispatcher.end(error), []))
            self.ring()

    def end(self, sentence):
        """Ends all workers; calls that are not finished are broken off."""
        self.order(lambda: self._dispatcher.end(BrokenPool(sentence)))

    def forget(self):
        """In a forked child: nothing here is its own."""
        self._dispatcher.forget()
        self._bell.close()


def _taken(calls):
    try:
        return calls.popleft()
    except IndexError:
        return None


def _interrupted(error):
    return BrokenPool(f"Pool: interrupted by {type(error).__name__}: {error}".rstrip(": "))


def _forget_drivers():
    for driver in list(_drivers):
        driver.forget()
    _drivers.clear()


def end_drivers():
    for driver in list(_drivers):
        driver.end("Pool: the program ends")


os.register_at_fork(after_in_child=_forget_drivers)
atexit.register(end_drivers)
