/* The meeting point, with the GIL released while a call waits. libparmap/meeting.py turns what people write into what this
 * takes: names as bytes, timeouts in milliseconds; and has checked all but values.
 *
 * A handle is for one thread at a time, so each object has a lock; whoever waits for that or for the server can be
 * interrupted by Ctrl-C. */
#include "core.h"

#include <unistd.h>

typedef struct sync_object {
    PyObject_HEAD
    par_sync *sync;          /* NULL: closed */
    PyThread_type_lock lock; /* held by the thread whose call runs */
    PyThreadState *thread;   /* that thread, detached */
    int raised;              /* an exception waits in it */
    pid_t process;           /* which opened it */
} sync_object;

/* How often a call that waits looks for signals. The server is asked as often. */
#define SYNC_LOOK_UP_MS 100

static int look_for_signals(void *object)
{
    sync_object *self = object;

    PyEval_RestoreThread(self->thread);
    self->raised = PyErr_CheckSignals() < 0;
    PyEval_SaveThread();
    return self->raised;
}

static PyObject *raise_sync(PyTypeObject *type, par_status status, const char *sentence)
{
    const core_state *state = PyType_GetModuleState(type);
    PyObject *exception = PyExc_RuntimeError;

    if (status == PAR_EINVAL)
        exception = PyExc_ValueError;
    else if (status == PAR_ETIMEDOUT)
        exception = PyExc_TimeoutError;
    else if (status == PAR_ENOMEM)
        exception = PyExc_MemoryError;
    else if (status == PAR_ESYNC)
        exception = state->sync_error;
    PyErr_SetString(exception, sentence);
    return NULL;
}

/* ---- one call at a time -------------------------------------------------------------------------------------- */

/* 0, or -1 with an exception set. */
static int sync_begin(sync_object *self)
{
    /* In a forked child the lock may be held by a thread that is not there. */
    if (self->process != getpid()) {
        raise_sync(Py_TYPE(self), PAR_ESYNC,
                   "Sync: this object was opened before the process was forked: open one in the child");
        return -1;
    }
    if (!PyThread_acquire_lock(self->lock, NOWAIT_LOCK)) {
        PyLockStatus taken;

        do {
            Py_BEGIN_ALLOW_THREADS
            taken = PyThread_acquire_lock_timed(self->lock, SYNC_LOOK_UP_MS * 1000, 1);
            Py_END_ALLOW_THREADS
            if (taken != PY_LOCK_ACQUIRED && PyErr_CheckSignals() < 0)
                return -1;
        } while (taken != PY_LOCK_ACQUIRED);
    }
    if (self->sync == NULL) {
        PyThread_release_lock(self->lock);
        PyErr_SetString(PyExc_ValueError, "Sync: this object is closed: open another");
        return -1;
    }
    self->raised = 0;
    return 0;
}

/* 0, or -1 with an exception set. */
static int sync_end(sync_object *self, par_status status)
{
    if (status != PAR_OK && !self->raised)
        raise_sync(Py_TYPE(self), status, par_sync_message(self->sync));
    PyThread_release_lock(self->lock);
    return status == PAR_OK ? 0 : -1;
}

#define SYNC_CALL(self, status, call)             \
    do {                                          \
        (self)->thread = PyEval_SaveThread();     \
        (status) = (call);                        \
        PyEval_RestoreThread((self)->thread);     \
    } while (0)

static PyObject *none_if(int failed)
{
    return failed ? NULL : Py_NewRef(Py_None);
}

/* ---- the calls ----------------------------------------------------------------------------------------------- */

/* 0, or -1 with an exception set. */
static int value_open(const char *method, PyObject *value, Py_buffer *view)
{
    if (!PyObject_CheckBuffer(value)) {
        if (PyNumber_Check(value))
            PyErr_Format(PyExc_TypeError, "Sync.%s: value is %.100R: pass bytes or str, such as str(%.100R)", method,
                         value, value);
        else
            PyErr_Format(PyExc_TypeError, "Sync.%s: value is %.100R: pass bytes or str", method, value);
        return -1;
    }
    if (PyObject_GetBuffer(value, view, PyBUF_SIMPLE) == 0)
        return 0;
    if (PyErr_ExceptionMatches(PyExc_BufferError))
        PyErr_Format(PyExc_BufferError, "Sync.%s: value is not contiguous: pass a copy, such as bytes(value)", method);
    return -1;
}

static PyObject *store(PyObject *object, PyObject *arguments, const char *method,
                       par_status (*call)(par_sync *, const char *, const void *, size_t))
{
    sync_object *self = (sync_object *)object;
    const char *key;
    PyObject *given;
    Py_buffer value;
    par_status status;
    int failed = -1;

    if (!PyArg_ParseTuple(arguments, "yO", &key, &given) || value_open(method, given, &value) < 0)
        return NULL;
    if (sync_begin(self) == 0) {
        SYNC_CALL(self, status, call(self->sync, key, value.buf, (size_t)value.len));
        failed = sync_end(self, status);
    }
    PyBuffer_Release(&value);
    return none_if(failed);
}

static PyObject *sync_set(PyObject *object, PyObject *arguments)
{
    return store(object, arguments, "set", par_sync_set);
}

static PyObject *sync_push(PyObject *object, PyObject *arguments)
{
    return store(object, arguments, "push", par_sync_push);
}

/* None where there is none. */
static PyObject *bytes_or_none(par_bytes *value, int failed)
{
    PyObject *bytes = NULL;

    if (!failed && value->data == NULL)
        bytes = Py_NewRef(Py_None);
    else if (!failed)
        bytes = PyBytes_FromStringAndSize(value->data, (Py_ssize_t)value->len);
    par_bytes_free(value, 1);
    return bytes;
}

static PyObject *sync_get(PyObject *object, PyObject *arguments)
{
    sync_object *self = (sync_object *)object;
    const char *key;
    par_bytes value = { NULL, 0 };
    par_status status;

    if (!PyArg_ParseTuple(arguments, "y", &key) || sync_begin(self) < 0)
        return NULL;
    SYNC_CALL(self, status, par_sync_get(self->sync, key, &value));
    return bytes_or_none(&value, sync_end(self, status));
}

static PyObject *sync_pop(PyObject *object, PyObject *arguments)
{
    sync_object *self = (sync_object *)object;
    const char *queue;
    unsigned long long timeout_ms;
    par_bytes value = { NULL, 0 };
    par_status status;

    if (!PyArg_ParseTuple(arguments, "yK", &queue, &timeout_ms) || sync_begin(self) < 0)
        return NULL;
    SYNC_CALL(self, status, par_sync_pop(self->sync, queue, &value, timeout_ms));
    return bytes_or_none(&value, sync_end(self, status));
}

static PyObject *sync_delete(PyObject *object, PyObject *arguments)
{
    sync_object *self = (sync_object *)object;
    const char *key;
    par_status status;

    if (!PyArg_ParseTuple(arguments, "y", &key) || sync_begin(self) < 0)
        return NULL;
    SYNC_CALL(self, status, par_sync_delete(self->sync, key));
    return none_if(sync_end(self, status));
}

static PyObject *sync_add(PyObject *object, PyObject *arguments)
{
    sync_object *self = (sync_object *)object;
    const char *key;
    long long by;
    int64_t now;
    par_status status;

    if (!PyArg_ParseTuple(arguments, "yL", &key, &by) || sync_begin(self) < 0)
        return NULL;
    SYNC_CALL(self, status, par_sync_add(self->sync, key, by, &now));
    return sync_end(self, status) < 0 ? NULL : PyLong_FromLongLong(now);
}

static PyObject *sync_barrier(PyObject *object, PyObject *arguments)
{
    sync_object *self = (sync_object *)object;
    const char *name;
    Py_ssize_t parties;
    unsigned long long timeout_ms;
    par_status status;

    if (!PyArg_ParseTuple(arguments, "ynK", &name, &parties, &timeout_ms) || sync_begin(self) < 0)
        return NULL;
    SYNC_CALL(self, status, par_sync_barrier(self->sync, name, parties < 0 ? 0 : (size_t)parties, timeout_ms));
    return none_if(sync_end(self, status));
}

static PyObject *sync_lock(PyObject *object, PyObject *arguments)
{
    sync_object *self = (sync_object *)object;
    const char *name;
    unsigned long long lease_ms, timeout_ms;
    par_status status;

    if (!PyArg_ParseTuple(arguments, "yKK", &name, &lease_ms, &timeout_ms) || sync_begin(self) < 0)
        return NULL;
    SYNC_CALL(self, status, par_sync_lock(self->sync, name, lease_ms, timeout_ms));
    return none_if(sync_end(self, status));
}

static PyObject *sync_unlock(PyObject *object, PyObject *arguments)
{
    sync_object *self = (sync_object *)object;
    const char *name;
    par_status status;

    if (!PyArg_ParseTuple(arguments, "y", &name) || sync_begin(self) < 0)
        return NULL;
    SYNC_CALL(self, status, par_sync_unlock(self->sync, name));
    return none_if(sync_end(self, status));
}

/* ---- from opening to closing --------------------------------------------------------------------------------- */

static PyObject *sync_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    const char *url = NULL;
    PyObject *given;
    sync_object *self;
    par_status status;

    if (!PyArg_ParseTuple(arguments, "O", &given))
        return NULL;
    if (given != Py_None && (url = PyBytes_AsString(given)) == NULL)
        return NULL;
    self = (sync_object *)PyType_GenericNew(type, NULL, NULL);
    if (self == NULL)
        return NULL;
    self->process = getpid();
    self->lock = PyThread_allocate_lock();
    if (self->lock == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    SYNC_CALL(self, status, par_sync_open(&self->sync, url));
    if (status == PAR_OK)
        status = par_sync_watch(self->sync, look_for_signals, self, SYNC_LOOK_UP_MS);
    if (status != PAR_OK) {
        raise_sync(type, status, par_sync_message(self->sync));
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static PyObject *sync_close(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    sync_object *self = (sync_object *)object;

    /* A forked child leaves the connection to its parent. */
    if (self->sync == NULL || self->process != getpid())
        return Py_NewRef(Py_None);
    if (sync_begin(self) < 0)
        return NULL;
    par_sync_close(self->sync);
    self->sync = NULL;
    PyThread_release_lock(self->lock);
    return Py_NewRef(Py_None);
}

static void sync_dealloc(PyObject *object)
{
    sync_object *self = (sync_object *)object;
    PyTypeObject *type = Py_TYPE(self);

    par_sync_close(self->sync);
    if (self->lock != NULL)
        PyThread_free_lock(self->lock);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef sync_methods[] = {
    { "set", sync_set, METH_VARARGS, NULL },
    { "get", sync_get, METH_VARARGS, NULL },
    { "delete", sync_delete, METH_VARARGS, NULL },
    { "add", sync_add, METH_VARARGS, NULL },
    { "push", sync_push, METH_VARARGS, NULL },
    { "pop", sync_pop, METH_VARARGS, NULL },
    { "barrier", sync_barrier, METH_VARARGS, NULL },
    { "lock", sync_lock, METH_VARARGS, NULL },
    { "unlock", sync_unlock, METH_VARARGS, NULL },
    { "close", sync_close, METH_NOARGS, NULL },
    { NULL, NULL, 0, NULL },
};

static PyType_Slot sync_slots[] = {
    { Py_tp_new, (void *)(uintptr_t)sync_new },
    { Py_tp_dealloc, (void *)(uintptr_t)sync_dealloc },
    { Py_tp_methods, sync_methods },
    { 0, NULL },
};

static PyType_Spec sync_spec = {
    .name = "libparmap._core.Connection",
    .basicsize = sizeof(sync_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = sync_slots,
};

int add_sync(PyObject *module)
{
    core_state *state = PyModule_GetState(module);
    PyObject *type;
    int added;

    state->sync_error = PyErr_NewExceptionWithDoc(
        "libparmap.SyncError", "The meeting point cannot be reached, is gone, or is not in a state to serve.",
        PyExc_ConnectionError, NULL);
    if (state->sync_error == NULL || PyModule_AddObjectRef(module, "SyncError", state->sync_error) < 0)
        return -1;
    type = PyType_FromModuleAndSpec(module, &sync_spec, NULL);
    added = type == NULL ? -1 : PyModule_AddObjectRef(module, "Connection", type);
    Py_XDECREF(type);
    return added;
}
