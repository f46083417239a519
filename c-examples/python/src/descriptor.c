/* libparmap._core.Descriptor: a file descriptor that is closed when nobody refers to it any more.
 *
 * In C, because a Ctrl-C that comes inside a __del__ of Python's is lost. */
#include "core.h"

#include <structmember.h>
#include <unistd.h>

struct descriptor {
    PyObject_HEAD
    int fd; /* -1 when it is closed */
};

static PyObject *descriptor_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    struct descriptor *self;
    int fd;

    if (!PyArg_ParseTuple(arguments, "i:Descriptor", &fd))
        return NULL;
    self = (struct descriptor *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self != NULL)
        self->fd = fd;
    return (PyObject *)self;
}

static PyObject *descriptor_close(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    struct descriptor *self = (struct descriptor *)object;
    const int fd = self->fd;

    self->fd = -1;
    if (fd >= 0)
        close(fd);
    return Py_NewRef(Py_None);
}

static void descriptor_free(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    Py_DECREF(descriptor_close(object, NULL));
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyMethodDef descriptor_methods[] = {
    { "close", descriptor_close, METH_NOARGS, "close($self)\n--\n\nClose it now. Closing it again does nothing." },
    { NULL, NULL, 0, NULL },
};

static PyMemberDef descriptor_members[] = {
    { "fd", T_INT, offsetof(struct descriptor, fd), READONLY, "The number, or -1 when it is closed." },
    { NULL, 0, 0, 0, NULL },
};

static PyType_Slot descriptor_slots[] = {
    { Py_tp_doc, "Descriptor(fd): closes a file descriptor when nobody refers to it any more." },
    { Py_tp_new, (void *)(uintptr_t)descriptor_new },
    { Py_tp_dealloc, (void *)(uintptr_t)descriptor_free },
    { Py_tp_methods, descriptor_methods },
    { Py_tp_members, descriptor_members },
    { 0, NULL },
};

PyType_Spec descriptor_spec = {
    .name = "libparmap._core.Descriptor",
    .basicsize = sizeof(struct descriptor),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = descriptor_slots,
};
