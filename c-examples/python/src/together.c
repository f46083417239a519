/* Calls that all ranks make together, over plain memory. The objects in it are Python's affair (libparmap/mpi.py). */
#include "core.h"

/* ranks_broadcast(memory, root): the root's memory is read, that of others filled. */
PyObject *ranks_broadcast(PyObject *module, PyObject *arguments)
{
    struct ranks_call call;
    Py_buffer memory;
    PyObject *object;
    int root, done;

    if (!PyArg_ParseTuple(arguments, "Oi", &object, &root)
        || PyObject_GetBuffer(object, &memory, par_mpi_rank() == root ? PyBUF_SIMPLE : PyBUF_WRITABLE) < 0)
        return NULL;
    ranks_enter(&call);
    done = ranks_leave(&call, module, par_mpi_broadcast(memory.buf, (size_t)memory.len, root));
    PyBuffer_Release(&memory);
    return done < 0 ? NULL : Py_NewRef(Py_None);
}

/* Memory that only the root has: None elsewhere. */
static int open_at_root(Py_buffer *memory, PyObject *object, int flags)
{
    memory->obj = NULL;
    memory->buf = NULL;
    return object == Py_None ? 0 : PyObject_GetBuffer(object, memory, flags);
}

/* ranks_scatter(all, mine, root): each rank's share is as long as `mine`. */
PyObject *ranks_scatter(PyObject *module, PyObject *arguments)
{
    struct ranks_call call;
    Py_buffer all, mine;
    PyObject *all_object;
    int root, done = -1;

    if (!PyArg_ParseTuple(arguments, "Ow*i", &all_object, &mine, &root))
        return NULL;
    if (open_at_root(&all, all_object, PyBUF_SIMPLE) == 0) {
        ranks_enter(&call);
        done = ranks_leave(&call, module, par_mpi_scatter(all.buf, mine.buf, (size_t)mine.len, root));
    }
    PyBuffer_Release(&all);
    PyBuffer_Release(&mine);
    return done < 0 ? NULL : Py_NewRef(Py_None);
}

/* ranks_gather(mine, all, root) */
PyObject *ranks_gather(PyObject *module, PyObject *arguments)
{
    struct ranks_call call;
    Py_buffer all, mine;
    PyObject *all_object;
    int root, done = -1;

    if (!PyArg_ParseTuple(arguments, "y*Oi", &mine, &all_object, &root))
        return NULL;
    if (open_at_root(&all, all_object, PyBUF_WRITABLE) == 0) {
        ranks_enter(&call);
        done = ranks_leave(&call, module, par_mpi_gather(mine.buf, all.buf, (size_t)mine.len, root));
    }
    PyBuffer_Release(&all);
    PyBuffer_Release(&mine);
    return done < 0 ? NULL : Py_NewRef(Py_None);
}

/* ranks_reduce(in, out, count, type, operation, root) */
PyObject *ranks_reduce(PyObject *module, PyObject *arguments)
{
    struct ranks_call call;
    Py_buffer in, out;
    PyObject *out_object;
    unsigned int type, operation;
    Py_ssize_t count;
    int root, done = -1;

    if (!PyArg_ParseTuple(arguments, "y*OnIIi", &in, &out_object, &count, &type, &operation, &root))
        return NULL;
    if (open_at_root(&out, out_object, PyBUF_WRITABLE) == 0) {
        ranks_enter(&call);
        done = ranks_leave(&call, module, par_mpi_reduce(in.buf, out.buf, (size_t)count, type, operation, root));
    }
    PyBuffer_Release(&out);
    PyBuffer_Release(&in);
    return done < 0 ? NULL : Py_NewRef(Py_None);
}
