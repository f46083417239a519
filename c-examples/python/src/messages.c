/* Messages from rank to rank: a head, and behind it parts that travel from memory to memory without a copy.
 *
 * What the head says is Python's affair (libparmap/parcels.py). Nobody else comes through the door between a head and its
 * parts, so that two threads of a process cannot take each other's. */
#include "core.h"

#include <string.h>

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

/* SMALL in libparmap/parcels.py: nothing comes behind such a head, so Python need not be asked where that is to go. */
static const char small[] = { 'P', 'A', 'R', 'S' };

static int is_small(const par_bytes *head)
{
    const unsigned char *const data = head->data;

    return head->len > sizeof small && data[0] == 0x80 && memcmp(data + head->len - sizeof small, small, sizeof small) == 0;
}

/* Makes a parcel of the head, with the GIL, and opens the memory for the parts that follow. NULL: with an exception set. */
static PyObject *make_parcel(struct ranks_call *call, PyObject *to_parcel, const par_bytes *head, struct parts *parts)
{
    PyObject *bytes, *parcel = NULL, *following = NULL;

    PyEval_RestoreThread(call->watch.thread);
    bytes = PyBytes_FromStringAndSize(head->data, (Py_ssize_t)head->len);
    if (bytes != NULL)
        parcel = PyObject_CallFunctionObjArgs(to_parcel, bytes, NULL);
    if (parcel != NULL)
        following = PyObject_GetAttrString(parcel, "following");
    if (following == NULL || parts_open(parts, following, PyBUF_WRITABLE) < 0)
        Py_CLEAR(parcel);
    Py_XDECREF(following);
    Py_XDECREF(bytes);
    call->watch.raised |= parcel == NULL;
    PyEval_SaveThread();
    return parcel;
}

/* ranks_receive(to_parcel, source, tag, bell, timeout_ms): (what came, source, tag); what came is None where the bell rang or
 * the time was up, a short pickle as bytes, or what `to_parcel(head)` made, whose `following` parts are there by then. */
PyObject *ranks_receive(PyObject *module, PyObject *arguments)
{
    struct ranks_call call;
    struct parts parts = { NULL, 0 };
    par_bytes head = { NULL, 0 };
    PyObject *to_parcel, *came = NULL, *answer = NULL;
    par_status status;
    int source, tag, bell, timeout_ms, wanted_elsewhere;

    if (!PyArg_ParseTuple(arguments, "Oiiii", &to_parcel, &source, &tag, &bell, &timeout_ms))
        return NULL;
    ranks_enter_until(&call, bell, timeout_ms);
    status = receive_head(&call, &head, &source, &tag);
    if (status == PAR_OK && !is_small(&head) && (came = make_parcel(&call, to_parcel, &head, &parts)) != NULL)
        status = receive_parts(&parts, source, tag);
    wanted_elsewhere = status == PAR_ECANCELED && !call.watch.raised;
    if (ranks_leave(&call, module, wanted_elsewhere ? PAR_OK : status) == 0) {
        if (wanted_elsewhere)
            came = Py_NewRef(Py_None);
        else if (came == NULL)
            came = PyBytes_FromStringAndSize(head.data, (Py_ssize_t)head.len);
        if (came != NULL)
            answer = Py_BuildValue("(Oii)", came, source, tag);
    }
    Py_XDECREF(came);
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

/* fill(memory, data, position): copies into all of `memory` what stands in `data` from there on. */
PyObject *fill(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer memory, data;
    Py_ssize_t position;
    int fits;

    if (!PyArg_ParseTuple(arguments, "w*y*n", &memory, &data, &position))
        return NULL;
    fits = position >= 0 && position <= data.len && memory.len <= data.len - position;
    if (fits)
        memcpy(memory.buf, (const char *)data.buf + position, (size_t)memory.len);
    PyBuffer_Release(&data);
    PyBuffer_Release(&memory);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "receive: the message is shorter than the array that it says it holds");
        return NULL;
    }
    return Py_NewRef(Py_None);
}
