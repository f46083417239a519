/* Messages from rank to rank: a head, and behind it parts that travel from memory to memory without a copy.
 *
 * What the head says is Python's affair (libparmap/parcels.py). Nobody else comes through the door between a head and its
 * parts, so that two threads of a process cannot take each other's. */
#include "core.h"

/* The memory of all parts, of which `count` are open. */
struct parts {
    Py_buffer *views;
    Py_ssize_t count;
};

static void parts_close(struct parts *parts)
{
    for (Py_ssize_t i = 0; i < parts->count; i++)
        PyBuffer_Release(&parts->views[i]);
    PyMem_Free(parts->views);
}

static int parts_open(struct parts *parts, PyObject *sequence, int flags)
{
    const Py_ssize_t count = PySequence_Size(sequence);

    parts->count = 0;
    parts->views = NULL;
    if (count < 0)
        return -1;
    if (count > 0 && (parts->views = PyMem_Calloc((size_t)count, sizeof *parts->views)) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    while (parts->count < count) {
        PyObject *part = PySequence_GetItem(sequence, parts->count);
        const int opened = part == NULL ? -1 : PyObject_GetBuffer(part, &parts->views[parts->count], flags);

        Py_XDECREF(part);
        if (opened < 0)
            return -1;
        parts->count++;
    }
    return 0;
}

/* ---- sending ----------------------------------------------------------------------------------------------- */

static par_status send_all(const Py_buffer *head, const struct parts *parts, int destination, int tag)
{
    par_status status = par_mpi_send(head->buf, (size_t)head->len, destination, tag);

    for (Py_ssize_t i = 0; i < parts->count && status == PAR_OK; i++)
        status = par_mpi_send(parts->views[i].buf, (size_t)parts->views[i].len, destination, tag);
    return status;
}

/* ranks_send(head, parts, destination, tag) */
PyObject *ranks_send(PyObject *module, PyObject *arguments)
{
    struct ranks_call call;
    struct parts parts = { NULL, 0 };
    Py_buffer head;
    PyObject *sequence;
    int destination, tag, sent = -1;

    if (!PyArg_ParseTuple(arguments, "y*Oii", &head, &sequence, &destination, &tag))
        return NULL;
    if (parts_open(&parts, sequence, PyBUF_SIMPLE) == 0) {
        ranks_enter(&call);
        sent = ranks_leave(&call, module, send_all(&head, &parts, destination, tag));
    }
    parts_close(&parts);
    PyBuffer_Release(&head);
    return sent < 0 ? NULL : Py_NewRef(Py_None);
}

/* ---- receiving --------------------------------------------------------------------------------------------- */

static int must_stop(const struct ranks_call *call)
{
    return call->watch.raised || ranks_wanted_elsewhere(call);
}

/* Waits for a message, and opens the door to others meanwhile. */
static par_status receive_head(struct ranks_call *call, par_bytes *head, int *source, int *tag)
{
    const int from = *source, with = *tag;
    par_status status;

    while ((status = par_mpi_receive(head, from, with, source, tag)) == PAR_ECANCELED && !must_stop(call))
        ranks_let_others_in(call);
    return status;
}

static par_status receive_parts(const struct parts *parts, int source, int tag)
{
    par_status status = PAR_OK;

    /* They are on their way, so nothing but they may come next, whatever else is wanted. */
    for (Py_ssize_t i = 0; i < parts->count && status == PAR_OK; i++)
        do
            status = par_mpi_receive_into(parts->views[i].buf, (size_t)parts->views[i].len, NULL, source, tag, NULL, NULL);
        while (status == PAR_ECANCELED);
    return status;
}

/* Asks `room`, with the GIL, where the parts that this head announces are to go. */
static int make_room(struct ranks_call *call, PyObject *room, const par_bytes *head, struct parts *parts)
{
    PyObject *bytes, *sequence = NULL;
    int opened = -1;

    PyEval_RestoreThread(call->watch.thread);
    bytes = PyBytes_FromStringAndSize(head->data, (Py_ssize_t)head->len);
    if (bytes != NULL)
        sequence = PyObject_CallFunctionObjArgs(room, bytes, NULL);
    if (sequence != NULL)
        opened = parts_open(parts, sequence, PyBUF_WRITABLE);
    Py_XDECREF(sequence);
    Py_XDECREF(bytes);
    call->watch.raised |= opened < 0;
    PyEval_SaveThread();
    return opened;
}

/* ranks_receive(room, source, tag, bell, timeout_ms): (source, tag), or None where the bell rang or the time was up.
 * `room(head)` answers with the memory for the parts, and must not fail. */
PyObject *ranks_receive(PyObject *module, PyObject *arguments)
{
    struct ranks_call call;
    struct parts parts = { NULL, 0 };
    par_bytes head = { NULL, 0 };
    PyObject *room, *answer = NULL;
    par_status status;
    int source, tag, bell, timeout_ms;

    if (!PyArg_ParseTuple(arguments, "Oiiii", &room, &source, &tag, &bell, &timeout_ms))
        return NULL;
    ranks_enter_until(&call, bell, timeout_ms);
    status = receive_head(&call, &head, &source, &tag);
    if (status == PAR_OK && make_room(&call, room, &head, &parts) == 0)
        status = receive_parts(&parts, source, tag);
    if (status == PAR_ECANCELED && !call.watch.raised) {
        ranks_leave(&call, module, PAR_OK);
        answer = Py_NewRef(Py_None);
    } else if (ranks_leave(&call, module, status) == 0) {
        answer = Py_BuildValue("(ii)", source, tag);
    }
    par_bytes_free(&head, 1);
    parts_close(&parts);
    return answer;
}

/* ranks_receive_into(memory, source, tag): (length, source, tag) of a message without a head. */
PyObject *ranks_receive_into(PyObject *module, PyObject *arguments)
{
    struct ranks_call call;
    Py_buffer memory;
    par_status status;
    size_t length = 0;
    int source, tag, from, with, received;

    if (!PyArg_ParseTuple(arguments, "w*ii", &memory, &source, &tag))
        return NULL;
    ranks_enter(&call);
    while ((status = par_mpi_receive_into(memory.buf, (size_t)memory.len, &length, source, tag, &from, &with))
               == PAR_ECANCELED
           && !must_stop(&call))
        ranks_let_others_in(&call);
    received = ranks_leave(&call, module, status);
    PyBuffer_Release(&memory);
    return received < 0 ? NULL : Py_BuildValue("(nii)", (Py_ssize_t)length, from, with);
}
