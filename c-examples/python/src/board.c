/* The board: memory that a Pool shares with its workers, where each says which of its items it is at.
 *
 * A worker is sent many items at a time but takes them one by one, by raising `next`. Whoever gave them can take
 * those not yet begun back by lowering `end`, and hand them to a worker that has nothing to do. Both stand in one
 * word, so that an item is taken once. After a worker's death the board tells which item it died of. */
#include "core.h"

#include <stdatomic.h>

struct board_slot {
    _Atomic uint64_t range;   /* next below, end above: 32 bits each */
    _Atomic int64_t began_ms; /* when the item before `next` began, or the loading of all of them */
    _Atomic uint32_t ended;   /* `next` while the worker is at no item but sends results */
    char apart[44];           /* slots of different workers lie in different cache lines */
};

static uint64_t range_of(uint64_t next, uint64_t end)
{
    return next | end << 32;
}

static uint32_t next_of(uint64_t range)
{
    return (uint32_t)range;
}

static uint32_t end_of(uint64_t range)
{
    return (uint32_t)(range >> 32);
}

static struct board_slot *slot_open(Py_buffer *view, PyObject *board, PyObject *number)
{
    const size_t slot = PyLong_AsSize_t(number);

    if (slot == (size_t)-1 && PyErr_Occurred())
        return NULL;
    if (PyObject_GetBuffer(board, view, PyBUF_WRITABLE) < 0)
        return NULL;
    if (slot >= (size_t)view->len / sizeof(struct board_slot)) {
        PyBuffer_Release(view);
        PyErr_Format(PyExc_IndexError, "the board has no slot %zu", slot);
        return NULL;
    }
    return (struct board_slot *)view->buf + slot;
}

/* board_open(board, slot, count): `count` items are about to be sent to the slot's worker. */
PyObject *board_open(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t n_arguments)
{
    Py_buffer view;
    struct board_slot *slot;
    unsigned long count;

    if (wants_arguments("board_open", n_arguments, 3) < 0)
        return NULL;
    count = PyLong_AsUnsignedLong(arguments[2]);
    if (PyErr_Occurred())
        return NULL;
    if (count > UINT32_MAX)
        return PyErr_Format(PyExc_OverflowError, "%lu items do not fit on the board", count);
    slot = slot_open(&view, arguments[0], arguments[1]);
    if (slot == NULL)
        return NULL;
    atomic_store(&slot->began_ms, 0);
    atomic_store(&slot->ended, 0);
    atomic_store(&slot->range, range_of(0, count));
    PyBuffer_Release(&view);
    return Py_NewRef(Py_None);
}

/* board_load(board, slot): the worker begins to load the items of its slot, which may take long, too. */
PyObject *board_load(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t n_arguments)
{
    Py_buffer view;
    struct board_slot *slot;

    if (wants_arguments("board_load", n_arguments, 2) < 0)
        return NULL;
    slot = slot_open(&view, arguments[0], arguments[1]);
    if (slot == NULL)
        return NULL;
    atomic_store(&slot->began_ms, coarse_now_ms());
    PyBuffer_Release(&view);
    return Py_NewRef(Py_None);
}

/* board_look(board, slot) -> (items begun, end, milliseconds since the last of them began; where none is, since their
 * loading did, and 0 before that; items that had ended when the worker last turned to their results). */
PyObject *board_look(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t n_arguments)
{
    Py_buffer view;
    struct board_slot *slot;
    uint64_t range;
    uint32_t ended;
    int64_t began_ms;

    if (wants_arguments("board_look", n_arguments, 2) < 0)
        return NULL;
    slot = slot_open(&view, arguments[0], arguments[1]);
    if (slot == NULL)
        return NULL;
    ended = atomic_load(&slot->ended);
    range = atomic_load(&slot->range);
    began_ms = atomic_load(&slot->began_ms);
    PyBuffer_Release(&view);
    return Py_BuildValue("(kkLk)", (unsigned long)next_of(range), (unsigned long)end_of(range),
                         (long long)(began_ms == 0 ? 0 : coarse_now_ms() - began_ms), (unsigned long)ended);
}

/* board_take_back(board, slot, most) -> the new end: up to `most` of the items not yet begun are the caller's. */
PyObject *board_take_back(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t n_arguments)
{
    Py_buffer view;
    struct board_slot *slot;
    unsigned long most;
    uint64_t range, shorter;

    if (wants_arguments("board_take_back", n_arguments, 3) < 0)
        return NULL;
    most = PyLong_AsUnsignedLong(arguments[2]);
    if (PyErr_Occurred())
        return NULL;
    slot = slot_open(&view, arguments[0], arguments[1]);
    if (slot == NULL)
        return NULL;
    range = atomic_load(&slot->range);
    do {
        const uint32_t left = end_of(range) - next_of(range);

        shorter = range_of(next_of(range), end_of(range) - (left < most ? left : (uint32_t)most));
    } while (!atomic_compare_exchange_weak(&slot->range, &range, shorter));
    PyBuffer_Release(&view);
    return PyLong_FromUnsignedLong(end_of(shorter));
}

/* ---- in the worker ------------------------------------------------------------------------------------------- */

enum how { ONE_ARGUMENT, MANY_ARGUMENTS, WITH_KEYWORDS };

static PyObject *call_with_keywords(PyObject *function, PyObject *item)
{
    PyObject *arguments, *keywords;

    if (!PyArg_ParseTuple(item, "OO", &arguments, &keywords))
        return NULL;
    return PyObject_Call(function, arguments, keywords);
}

static PyObject *call_item(PyObject *function, PyObject *item, long how)
{
    PyObject *arguments, *result;

    if (how == ONE_ARGUMENT)
        return PyObject_CallFunctionObjArgs(function, item, NULL);
    if (how == WITH_KEYWORDS)
        return call_with_keywords(function, item);
    arguments = PySequence_Tuple(item);
    result = arguments == NULL ? NULL : PyObject_CallObject(function, arguments);
    Py_XDECREF(arguments);
    return result;
}

/* The index of the item that is now the worker's, or -1 where none is left. */
static Py_ssize_t take_next(struct board_slot *slot, int64_t now)
{
    uint64_t range = atomic_load(&slot->range);

    do {
        if (next_of(range) >= end_of(range))
            return -1;
        /* Before the item is taken: a reader of the new `next` sees no older time. */
        atomic_store(&slot->began_ms, now);
    } while (!atomic_compare_exchange_weak(&slot->range, &range, range + 1));
    return (Py_ssize_t)next_of(range);
}

static int run_item(PyObject *function, PyObject *items, Py_ssize_t index, long how, PyObject *results)
{
    PyObject *item = PySequence_GetItem(items, index);
    PyObject *result = item == NULL ? NULL : call_item(function, item, how);
    int appended = -1;

    if (result != NULL)
        appended = PyList_Append(results, result);
    Py_XDECREF(result);
    Py_XDECREF(item);
    return appended;
}

/* run_items(function, items, how, board, slot, results, most, milliseconds) -> is nothing left to run?
 *
 * Takes items of the slot, calls the function and appends what it returns to `results`, until nothing is left,
 * `most` results are there, or so many milliseconds have passed. What the function raises comes out; the next
 * call goes on with the next item. */
PyObject *run_items(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t n_arguments)
{
    PyObject *const function = n_arguments > 0 ? arguments[0] : NULL;
    Py_buffer view;
    struct board_slot *slot;
    Py_ssize_t most, index = -1;
    long how;
    int64_t now, until;
    uint64_t range;

    if (wants_arguments("run_items", n_arguments, 8) < 0)
        return NULL;
    how = PyLong_AsLong(arguments[2]);
    most = PyLong_AsSsize_t(arguments[6]);
    now = coarse_now_ms();
    until = now + PyLong_AsLong(arguments[7]);
    if (PyErr_Occurred())
        return NULL;
    slot = slot_open(&view, arguments[3], arguments[4]);
    if (slot == NULL)
        return NULL;
    while (PyList_Size(arguments[5]) < most && now <= until) {
        int failed;

        index = take_next(slot, now);
        if (index < 0)
            break;
        failed = run_item(function, arguments[1], index, how, arguments[5]) < 0;
        end_if_copied();
        if (failed)
            break;
        now = coarse_now_ms();
    }
    range = atomic_load(&slot->range);
    atomic_store(&slot->ended, next_of(range));
    PyBuffer_Release(&view);
    if (PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(next_of(range) >= end_of(range));
}
