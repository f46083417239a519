/* From par_status to Python exceptions; the sentence is the library's own. */
#include "core.h"

static PyObject *raise_item_error(const core_state *state, const par_report *report)
{
    PyObject *message, *error = NULL, *index = NULL, *code = NULL;

    /* Where its worker died the function has returned nothing: the library's sentence has the signal or exit code. */
    if (report->first.state == PAR_ITEM_FAILED)
        message = PyUnicode_FromFormat("map_buffer: item %zu failed: the function returned %d", report->first_failed,
                                       (int)report->first.code);
    else
        message = PyUnicode_FromString(report->message);
    if (message != NULL)
        error = PyObject_CallFunctionObjArgs(state->item_error, message, NULL);
    index = PyLong_FromSize_t(report->first_failed);
    code = PyLong_FromLong(report->first.code);
    if (error != NULL && index != NULL && code != NULL && PyObject_SetAttrString(error, "index", index) == 0
        && PyObject_SetAttrString(error, "code", code) == 0)
        PyErr_SetObject(state->item_error, error);
    Py_XDECREF(code);
    Py_XDECREF(index);
    Py_XDECREF(error);
    Py_XDECREF(message);
    return NULL;
}

static PyObject *raise_os_error(const par_report *report, const char *sentence)
{
    PyObject *arguments = Py_BuildValue("(is)", (int)report->os_error, sentence);

    if (arguments != NULL)
        PyErr_SetObject(PyExc_OSError, arguments);
    Py_XDECREF(arguments);
    return NULL;
}

PyObject *raise_status(const core_state *state, par_status status, const par_report *report)
{
    const char *sentence = report->message[0] != '\0' ? report->message : par_strerror(status);

    switch (status) {
    case PAR_EITEM:
        return raise_item_error(state, report);
    case PAR_EAGAIN:
    case PAR_ESYS:
        return raise_os_error(report, sentence);
    case PAR_EINVAL:
        PyErr_SetString(PyExc_ValueError, sentence);
        return NULL;
    case PAR_ETIMEDOUT:
        PyErr_SetString(PyExc_TimeoutError, sentence);
        return NULL;
    case PAR_ENOMEM:
        PyErr_SetString(PyExc_MemoryError, sentence);
        return NULL;
    case PAR_ENOTSUP:
        PyErr_SetString(PyExc_NotImplementedError, sentence);
        return NULL;
    default:
        PyErr_SetString(PyExc_RuntimeError, sentence);
        return NULL;
    }
}
