/* The door to par_mpi_*, which takes one thread at a time, and the calls that move no data.
 *
 * Whoever waits inside looks up at every pause: for Ctrl-C, for other threads at the door, and for the bell by which another
 * thread calls it back. A wait for a message ends there; a call that cannot be taken back goes on, and raises at its end. */
#include "core.h"

#include <poll.h>
#include <sched.h>
#include <stdatomic.h>

static pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;
static atomic_int at_the_door;
static pthread_once_t watched = PTHREAD_ONCE_INIT;

/* Whoever was inside, or at the door, is not in a forked child, which is to hear that it is no rank. */
static void open_in_the_child(void)
{
    pthread_mutex_init(&door, NULL);
    atomic_store(&at_the_door, 0);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, open_in_the_child);
}

int ranks_wanted_elsewhere(const struct ranks_call *call)
{
    struct pollfd bell = { call->bell, POLLIN, 0 };

    if (call->bell >= 0 && poll(&bell, 1, 0) > 0)
        return 1;
    return call->until_ms != INT64_MAX && coarse_now_ms() >= call->until_ms;
}

static int look_up(void *context)
{
    struct ranks_call *call = context;

    if (ranks_wanted_elsewhere(call) || watch_look_up(&call->watch) != 0)
        return STOPPED;
    return atomic_load(&at_the_door) > 0 ? STOPPED : 0;
}

static void go_in(struct ranks_call *call)
{
    atomic_fetch_add(&at_the_door, 1);
    pthread_mutex_lock(&door);
    atomic_fetch_sub(&at_the_door, 1);
    par_mpi_while_waiting(look_up, call);
}

static void go_out(void)
{
    par_mpi_while_waiting(NULL, NULL);
    pthread_mutex_unlock(&door);
}

void ranks_enter(struct ranks_call *call)
{
    ranks_enter_until(call, -1, -1);
}

void ranks_enter_until(struct ranks_call *call, int bell, int timeout_ms)
{
    watch_open_anywhere(&call->watch);
    call->bell = bell;
    call->until_ms = timeout_ms < 0 ? INT64_MAX : coarse_now_ms() + timeout_ms;
    pthread_once(&watched, watch_forks);
    PyEval_SaveThread();
    go_in(call);
}

void ranks_let_others_in(struct ranks_call *call)
{
    go_out();
    /* The lock is not fair: whoever comes back at once would take it again. */
    for (int turn = 0; turn < 100 && atomic_load(&at_the_door) > 0; turn++)
        sched_yield();
    go_in(call);
}

int ranks_leave(struct ranks_call *call, PyObject *module, par_status status)
{
    par_report report = { .size = sizeof report };

    if (status != PAR_OK)
        PyOS_snprintf(report.message, sizeof report.message, "%s", par_mpi_message());
    go_out();
    PyEval_RestoreThread(call->watch.thread);
    if (call->watch.raised)
        return -1;
    if (status == PAR_OK)
        return 0;
    raise_status(PyModule_GetState(module), status, &report);
    return -1;
}

/* ---- calls that move no data ------------------------------------------------------------------------------- */

static PyObject *answer_of(PyObject *module, par_status (*function)(void))
{
    struct ranks_call call;

    ranks_enter(&call);
    if (ranks_leave(&call, module, function()) < 0)
        return NULL;
    return Py_NewRef(Py_None);
}

PyObject *ranks_init(PyObject *module, PyObject *Py_UNUSED(nothing))
{
    return answer_of(module, par_mpi_init);
}

PyObject *ranks_barrier(PyObject *module, PyObject *Py_UNUSED(nothing))
{
    return answer_of(module, par_mpi_barrier);
}

PyObject *ranks_finalize(PyObject *module, PyObject *Py_UNUSED(nothing))
{
    return answer_of(module, par_mpi_finalize);
}

PyObject *ranks_rank(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    return PyLong_FromLong(par_mpi_rank());
}

PyObject *ranks_size(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    return PyLong_FromLong(par_mpi_size());
}

PyObject *ranks_time(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    return PyFloat_FromDouble(par_mpi_wtime());
}

PyObject *ranks_library(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    return PyUnicode_DecodeFSDefault(par_mpi_library());
}

PyObject *ranks_processor_name(PyObject *module, PyObject *Py_UNUSED(nothing))
{
    struct ranks_call call;
    char name[256];

    ranks_enter(&call);
    if (ranks_leave(&call, module, par_mpi_processor_name(name, sizeof name)) < 0)
        return NULL;
    return PyUnicode_DecodeFSDefault(name);
}

/* Not through the door: whoever waits inside may wait for ever. */
PyObject *ranks_abort(PyObject *Py_UNUSED(module), PyObject *code)
{
    const long number = PyLong_AsLong(code);

    if (number == -1 && PyErr_Occurred())
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    par_mpi_abort((int)number);
    Py_END_ALLOW_THREADS
    return Py_NewRef(Py_None);
}
