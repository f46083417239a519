/* map_buffer: a C function over arrays, on all cores, without the GIL.
 *
 * The pattern for any extension that wants threaded native code:
 *   1. with the GIL: turn the Python objects into plain C and hold on to them;
 *   2. release the GIL; the library's threads do the work and touch no Python object; take it again;
 *   3. with the GIL: turn the outcome into a result or an exception.
 * Step 2 stands first, because it is the one that matters. */
#include "core.h"

static par_status run_without_the_gil(struct map_call *call, const struct function_form *form,
                                      const struct array *src, const struct array *out,
                                      const par_options *options)
{
    par_status status;

    Py_BEGIN_ALLOW_THREADS
    if (form->loop != NULL && options->executor != PAR_THREADS)
        status = par_map(form->one, call, call->in, (size_t)src->view.itemsize, call->out, (size_t)out->view.itemsize,
                         (size_t)(src->view.len / src->view.itemsize), options);
    else if (form->loop != NULL)
        status = par_for(form->loop, call, (size_t)(src->view.len / src->view.itemsize), options);
    else if (call->watch.signals && options->poll == NULL)
        status = par_map(map_watched_item, call, call->in, src->item_size, call->out, out->item_size, src->n_items,
                         options);
    else
        status = par_map((par_map_fn)call->function, call->user_data, call->in, src->item_size, call->out,
                         out->item_size, src->n_items, options);
    Py_END_ALLOW_THREADS
    return status;
}

/* The function and the arrays stay open, and with them everything that the map touches stays alive, until it
 * has returned. */
static PyObject *map_arrays(const core_state *state, const struct function_pointer *function,
                            const struct array *src, const struct array *out, par_options *options,
                            PyObject *progress)
{
    struct map_call call = { function->address, function->user_data, src->view.buf, out->view.buf, { 0 } };
    par_report report = { .size = sizeof report };
    par_status status;

    if (watch_open(&call.watch, progress) < 0)
        return NULL;
    /* Elsewhere than on threads of this process there is no looking up between items: the library polls. */
    if (call.watch.progress != NULL || options->executor != PAR_THREADS) {
        options->poll = watch_poll;
        options->poll_ctx = &call.watch;
        options->poll_ms = LOOK_UP_EVERY_MS;
    }
    options->report = &report;

    status = run_without_the_gil(&call, function->form, src, out, options);

    if (call.watch.raised)
        return NULL;
    /* Only a callback's stop flag cancels without raising, and whoever set it knows why. */
    if (status == PAR_OK || status == PAR_ECANCELED)
        return Py_NewRef(Py_None);
    return raise_status(state, status, &report);
}

/* What libparmap.map_buffer calls with its options turned into numbers; always these ten arguments. */
enum argument { FUNC, STOP, SIGNATURE, USER_DATA, SRC, OUT, WORKERS, EXECUTOR, TIMEOUT_MS, PROGRESS, N_ARGUMENTS };

/* The stop flag of a libparmap.callback: the memory of a ctypes c_int. */
static int stop_flag_open(Py_buffer *flag, PyObject *stop, par_options *options)
{
    if (stop == Py_None)
        return 0;
    if (PyObject_GetBuffer(stop, flag, PyBUF_SIMPLE) < 0)
        return -1;
    options->cancel = flag->buf;
    return 0;
}

PyObject *map_buffer(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments)
{
    par_options options = PAR_OPTIONS_INIT;
    struct function_pointer function = { 0 };
    struct array src = { 0 }, out = { 0 };
    Py_buffer stop = { 0 };
    PyObject *result = NULL;

    if (wants_arguments("map_buffer", n_arguments, N_ARGUMENTS) < 0)
        return NULL;
    options.executor = (uint32_t)PyLong_AsUnsignedLong(arguments[EXECUTOR]);
    options.workers = PyLong_AsSize_t(arguments[WORKERS]);
    options.timeout_ms = PyLong_AsUnsignedLongLong(arguments[TIMEOUT_MS]);
    if (PyErr_Occurred())
        return NULL;

    if (function_pointer_open(&function, arguments[FUNC], arguments[SIGNATURE], arguments[USER_DATA]) == 0
        && array_open(&src, arguments[SRC], "src", 0) == 0 && array_open(&out, arguments[OUT], "out", 1) == 0
        && arrays_fit(&src, &out, function.form) == 0 && stop_flag_open(&stop, arguments[STOP], &options) == 0)
        result = map_arrays(PyModule_GetState(module), &function, &src, &out, &options, arguments[PROGRESS]);

    PyBuffer_Release(&stop);
    array_close(&out);
    array_close(&src);
    function_pointer_close(&function);
    return result;
}
