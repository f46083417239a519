/* run: programs, with the GIL released while they run. libparmap/running.py turns its options into what this takes. */
#include "core.h"

#include <stdlib.h>

/* What libparmap.run calls this with; always these ten arguments. */
enum argument {
    ARGVS,      /* a tuple of tuples of bytes */
    INPUTS,     /* a tuple of bytes or None, as long */
    ENV,        /* a tuple of bytes for all of them, or None */
    CWD,        /* bytes, or None */
    WORKERS, FLAGS, TIMEOUT_MS, COMMAND_TIMEOUT_MS, RETRIES, /* numbers */
    PROGRESS,   /* callable(done, total), or None */
    N_ARGUMENTS
};

/* A call in plain C. The strings belong to the arguments, which the caller holds. */
struct run_call {
    size_t n;
    par_command *commands;
    par_outcome *outcomes;
    const char **strings; /* every argv and the environment, one behind the other */
};

static void run_call_close(struct run_call *call)
{
    if (call->outcomes != NULL)
        par_outcomes_free(call->outcomes, call->n);
    PyMem_Free(call->outcomes);
    PyMem_Free(call->commands);
    PyMem_Free((void *)call->strings);
}

/* Room for a tuple's strings and the NULL behind them. */
static size_t room_for(PyObject *tuple)
{
    return (size_t)PyTuple_Size(tuple) + 1;
}

/* Writes them to `room` and answers what lies behind, or NULL with an exception set. */
static const char **strings_of(PyObject *tuple, const char **room)
{
    for (Py_ssize_t i = 0; i < PyTuple_Size(tuple); i++) {
        *room = PyBytes_AsString(PyTuple_GetItem(tuple, i));
        if (*room++ == NULL)
            return NULL;
    }
    *room++ = NULL;
    return room;
}

static int run_call_open(struct run_call *call, PyObject *const *arguments)
{
    PyObject *argvs = arguments[ARGVS], *env = arguments[ENV], *cwd = arguments[CWD];
    const unsigned long retries = PyLong_AsUnsignedLong(arguments[RETRIES]);
    size_t room = env == Py_None ? 0 : room_for(env);
    const char **next, *const *environment = NULL;
    const char *dir = cwd == Py_None ? NULL : PyBytes_AsString(cwd);

    call->n = (size_t)PyTuple_Size(argvs);
    for (size_t i = 0; i < call->n; i++)
        room += room_for(PyTuple_GetItem(argvs, (Py_ssize_t)i));
    if (PyErr_Occurred())
        return -1;
    call->commands = PyMem_Calloc(call->n, sizeof *call->commands);
    call->outcomes = PyMem_Calloc(call->n, sizeof *call->outcomes);
    next = call->strings = PyMem_Calloc(room, sizeof *call->strings);
    if (call->commands == NULL || call->outcomes == NULL || call->strings == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (env != Py_None) {
        environment = next;
        if ((next = strings_of(env, next)) == NULL)
            return -1;
    }
    for (size_t i = 0; i < call->n; i++) {
        par_command *command = &call->commands[i];
        PyObject *input = PyTuple_GetItem(arguments[INPUTS], (Py_ssize_t)i);

        command->size = sizeof *command;
        command->argv = next;
        command->env = environment;
        command->dir = dir;
        command->retries = (uint32_t)retries;
        next = strings_of(PyTuple_GetItem(argvs, (Py_ssize_t)i), next);
        if (next == NULL || input == NULL)
            return -1;
        if (input != Py_None) {
            command->input = PyBytes_AsString(input);
            command->input_len = (size_t)PyBytes_Size(input);
        }
    }
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *bytes_of(const par_bytes *bytes)
{
    return PyBytes_FromStringAndSize(bytes->data, (Py_ssize_t)bytes->len);
}

/* [(state, code, seconds, stdout, stderr), ...]; each output is given back as soon as it is copied. */
static PyObject *outcomes_as_list(struct run_call *call)
{
    PyObject *list = PyList_New((Py_ssize_t)call->n);

    for (size_t i = 0; list != NULL && i < call->n; i++) {
        par_outcome *outcome = &call->outcomes[i];
        PyObject *entry = Py_BuildValue("(IidNN)", (unsigned)outcome->item.state, (int)outcome->item.code,
                                        (double)outcome->wall_ns / 1e9, bytes_of(&outcome->out),
                                        bytes_of(&outcome->err));

        par_outcomes_free(outcome, 1);
        if (entry == NULL || PyList_SetItem(list, (Py_ssize_t)i, entry) < 0)
            Py_CLEAR(list);
    }
    return list;
}

/* ([(state, code, seconds, stdout, stderr), ...], sentence). */
static PyObject *run_call_run(const core_state *state, struct run_call *call, par_options *options, PyObject *progress)
{
    par_report report = { .size = sizeof report };
    struct watch watch;
    par_status status;
    PyObject *outcomes;

    if (watch_open(&watch, progress) < 0)
        return NULL;
    if (watch.signals || watch.progress != NULL) {
        options->poll = watch_poll;
        options->poll_ctx = &watch;
        options->poll_ms = LOOK_UP_EVERY_MS;
    }
    options->report = &report;

    Py_BEGIN_ALLOW_THREADS
    status = par_run(call->commands, call->outcomes, call->n, options);
    Py_END_ALLOW_THREADS

    if (watch.raised)
        return NULL;
    if (status != PAR_OK && status != PAR_EITEM && status != PAR_ETIMEDOUT)
        return raise_status(state, status, &report);
    outcomes = outcomes_as_list(call);
    return outcomes == NULL ? NULL : Py_BuildValue("(Ns)", outcomes, report.message);
}

PyObject *run(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments)
{
    par_options options = PAR_OPTIONS_INIT;
    struct run_call call = { 0 };
    PyObject *result = NULL;

    if (n_arguments != N_ARGUMENTS)
        return PyErr_Format(PyExc_TypeError, "_core.run takes %d arguments, not %zd", (int)N_ARGUMENTS, n_arguments);
    options.workers = PyLong_AsSize_t(arguments[WORKERS]);
    options.flags = (uint32_t)PyLong_AsUnsignedLong(arguments[FLAGS]);
    options.timeout_ms = PyLong_AsUnsignedLongLong(arguments[TIMEOUT_MS]);
    options.item_timeout_ms = PyLong_AsUnsignedLongLong(arguments[COMMAND_TIMEOUT_MS]);
    if (!PyErr_Occurred() && run_call_open(&call, arguments) == 0)
        result = run_call_run(PyModule_GetState(module), &call, &options, arguments[PROGRESS]);
    run_call_close(&call);
    return result;
}
