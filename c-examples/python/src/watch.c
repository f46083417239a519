/* What the calling thread looks after while the map runs without the GIL: Ctrl-C and progress.
 *
 * Python notes a Ctrl-C in a flag and handles it when its main thread next runs Python code; inside a long C
 * call that thread must look by itself. A caller that takes part in the work looks between its items
 * (watch_look_up), so that a short call costs neither a clock nor a sleeping thread's wake-up; with a progress
 * function the library polls on a steady beat (watch_poll). Both take the GIL for a moment only. */
#include "core.h"

/* 1 on the thread where Python handles signals, 0 elsewhere, -1 with an exception set. A fork can make another
 * thread the main one, so the answer is not kept. */
static int on_the_main_thread(void)
{
    PyObject *threading, *main_thread = NULL, *ident = NULL;
    int answer = -1;

    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0)
        return 0;
    threading = PyImport_ImportModule("threading");
    if (threading != NULL)
        main_thread = PyObject_CallMethod(threading, "main_thread", NULL);
    if (main_thread != NULL)
        ident = PyObject_GetAttrString(main_thread, "ident");
    if (ident != NULL)
        answer = PyLong_AsUnsignedLong(ident) == PyThread_get_thread_ident();
    if (PyErr_Occurred())
        answer = -1;
    Py_XDECREF(ident);
    Py_XDECREF(main_thread);
    Py_XDECREF(threading);
    return answer;
}

/* Without asking which thread this is: on others than the main one, looking for signals finds none. */
void watch_open_anywhere(struct watch *watch)
{
    watch->thread = PyThreadState_Get();
    watch->caller = pthread_self();
    watch->progress = NULL;
    watch->signals = 1;
    watch->raised = 0;
    watch->stride = 0; /* no item has run yet, so the first look tells nothing */
    watch->skip = 1;
    watch->looked_ms = coarse_now_ms();
    watch->due_ms = watch->looked_ms + LOOK_UP_EVERY_MS;
}

int watch_open(struct watch *watch, PyObject *progress)
{
    watch_open_anywhere(watch);
    watch->progress = progress == Py_None ? NULL : progress;
    watch->signals = on_the_main_thread();
    return watch->signals < 0 ? -1 : 0;
}

static int report_progress(const struct watch *watch, const par_progress *progress)
{
    PyObject *answer;

    if (watch->progress == NULL)
        return 0;
    answer = PyObject_CallFunction(watch->progress, "nn", (Py_ssize_t)progress->done, (Py_ssize_t)progress->n);
    Py_XDECREF(answer);
    return answer == NULL ? -1 : 0;
}

int watch_poll(const par_progress *progress, void *context)
{
    struct watch *watch = context;

    if (watch->raised)
        return STOPPED;
    PyEval_RestoreThread(watch->thread);
    watch->raised = report_progress(watch, progress) < 0 || PyErr_CheckSignals() < 0;
    PyEval_SaveThread();
    return watch->raised ? STOPPED : 0;
}

/* Reading the clock costs as much as a small item, so where items are far shorter than a tick of it only every
 * sixteenth reads it. One reading that finds time has passed, and each item is asked about again. */
#define MOST_SKIPPED 16

int watch_look_closer(struct watch *watch)
{
    int64_t now;

    watch->skip = 1;
    if (watch->raised)
        return STOPPED;
    now = coarse_now_ms();
    if (now != watch->looked_ms || watch->stride == 0)
        watch->stride = 1;
    else if (watch->stride < MOST_SKIPPED)
        watch->stride *= 2;
    watch->skip = watch->stride;
    watch->looked_ms = now;
    if (now < watch->due_ms)
        return 0;
    watch->due_ms = now + LOOK_UP_EVERY_MS;
    PyEval_RestoreThread(watch->thread);
    watch->raised = PyErr_CheckSignals() < 0;
    PyEval_SaveThread();
    if (!watch->raised)
        return 0;
    watch->skip = 1;
    return STOPPED;
}
