"""Pool and Executor: processes that stand ready for Python functions.

pool.py            multiprocessing.Pool's methods; start reading here
executor.py        the same as a concurrent.futures.Executor; joblib_backend.py as a backend of joblib
outcomes.py        what a call gives back
sides.py           worker processes, worker threads or ranks: which of them a function needs
driver.py          which thread of the caller's does the pool's work
dispatcher.py      who gets which items
calls.py           the calls that run, and how each ends; jobs.py one of them; feed.py items that are drawn meanwhile
reception.py       what worker processes say, and how they end; ledger.py what becomes of results
crew.py            the worker processes: forked, ended, reaped; board.py how far each is
threads.py         crew and reception for worker threads
ranks.py           side, crew and reception for the ranks of an MPI program; serving.py what the others of them do
child.py           what runs in a worker process; importing.py what a fork must not interrupt
wire.py            messages between the two, and memory that is not copied; answers.py results as messages
errors.py          BrokenPool, ItemTimeout

Nothing outside this package imports more of it than the classes that libparmap itself names.
"""
